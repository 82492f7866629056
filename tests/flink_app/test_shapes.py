"""The shapes of deployment: the jobs of two stages together write the outputs of one job."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from flink_app.settings import JobSettings
from flink_app.sql_files import output_files
from tests.support.cluster import SharedCluster, SubmittedJob
from tests.support.core import SAMPLE
from tests.support.jobs import Results, between_files
from tests.support.running import Run
from udfs.config.file import DEFAULT_FILE, load_properties
from udfs.errors import ConfigurationError

BRANCHES = ("records", "aggregates", "alerts")
RECORDS = {"enriched", "dead_letters", "filtered"}
TIMES = {"response_times"}
ALL = {file.name for file in output_files()} - TIMES


def outputs(stage: str, log_format: str = "combined", **explicit: str) -> set[str]:
    settings = JobSettings.load(
        {
            "weblog.pipeline": {"stage": stage},
            "weblog.parser": {"format": log_format},
            "weblog.source": {"path": "in"},
            "weblog.sink.some": {"type": "discard"},
            "weblog.outputs": {"default": "some"} | explicit,
        }
    )
    return set(settings.outputs)


def test_the_branches_share_everything_among_them() -> None:
    written = Counter(name for branch in BRANCHES for name in outputs(branch))
    assert written == Counter(ALL)
    assert outputs("records") == RECORDS
    assert outputs("alerts") == {"alerts"}


def test_two_stages() -> None:
    assert outputs("basic") == RECORDS
    assert outputs("advanced") == outputs("all") == ALL


def test_an_output_that_is_named_wins() -> None:
    assert outputs("alerts", late="some") == {"alerts", "late"}
    assert outputs("basic", filtered="off") == RECORDS - {"filtered"}
    with pytest.raises(ConfigurationError, match="at least one output with a sink"):
        outputs("alerts", alerts="off")


@pytest.mark.parametrize("stage", ["all", "aggregates", "advanced"])
def test_response_times_are_an_output_where_the_format_has_them(stage: str) -> None:
    assert outputs(stage, "alb") == outputs(stage) | TIMES
    assert outputs("alerts", "alb") == {"alerts"}
    assert outputs(stage, response_times="some") == outputs(stage) | TIMES
    assert outputs(stage, "alb", response_times="off") == outputs(stage)


def test_an_unknown_shape() -> None:
    with pytest.raises(ConfigurationError, match=r"weblog\.pipeline: stage = 'fan-out': expected"):
        outputs("fan-out")


@contextmanager
def stage(cluster: SharedCluster, name: str, log: Path, results: Results) -> Iterator[SubmittedJob]:
    """Starts one job of a shape."""
    properties = {
        **load_properties(DEFAULT_FILE),
        **between_files(log, results.folder),
        "weblog.pipeline": {"stage": name},
        # The one job has Python processes, and the same results.
        "weblog.job": {"execution.mode": "thread"},
    }
    with cluster.job(results.folder, properties) as job:
        yield job


def rows(result: Results, name: str) -> Counter[str]:
    """Returns rows as text, without the time of the failure, which differs in each run."""
    if name == "dead_letters":
        return Counter(json.dumps(row | {"failed_at": None}) for row in result.rows(name))
    return Counter(result.lines(name))


@pytest.mark.minicluster
@pytest.mark.slow
def test_branches_write_what_one_job_does(
    cluster: SharedCluster, sample_run: Run, tmp_path: Path
) -> None:
    assert all(rows(sample_run, name) for name in ("alerts", "sessions", "dead_letters"))
    branches = {branch: Results(tmp_path / branch) for branch in BRANCHES}
    with ExitStack() as stack:
        jobs = [
            stack.enter_context(stage(cluster, branch, SAMPLE, results))
            for branch, results in branches.items()
        ]
        for job in jobs:
            job.finish()
    for branch, results in branches.items():
        for name in outputs(branch):
            assert rows(results, name) == rows(sample_run, name), name
    assert not (branches["alerts"].folder / "sessions").exists()


@pytest.mark.minicluster
@pytest.mark.slow
def test_two_stages_write_what_one_job_does(
    cluster: SharedCluster, sample_run: Run, tmp_path: Path
) -> None:
    basic, advanced = Results(tmp_path / "basic"), Results(tmp_path / "advanced")
    with stage(cluster, "basic", SAMPLE, basic) as job:
        job.finish()
    records = basic.lines("enriched")
    # The first stage writes no field of the second.
    assert all("country" not in json.loads(record) for record in records)
    between = tmp_path / "between.gz"
    between.write_bytes(gzip.compress("".join(f"{one}\n" for one in records).encode()))
    with stage(cluster, "advanced", between, advanced) as job:
        job.finish()
    for name in ALL - {"dead_letters", "filtered"}:
        assert rows(advanced, name) == rows(sample_run, name), name
    # Each line has its outcome in only one of the two.
    assert rows(basic, "dead_letters") == rows(sample_run, "dead_letters")
    assert not rows(advanced, "dead_letters")
    assert len(advanced.lines("enriched")) == len(records)
