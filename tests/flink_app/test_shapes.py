"""The shapes of deployment, by the one setting: together their jobs write what one job does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flink_app.settings import JobSettings
from flink_app.sql_files import output_files
from tests.support.running import SAMPLE, Result, run_job
from udfs.errors import ConfigurationError

BRANCHES = ("records", "aggregates", "alerts")
RECORDS = {"enriched", "dead_letters", "filtered"}
ALL = {file.name for file in output_files()}


def outputs(stage: str, **explicit: str) -> set[str]:
    settings = JobSettings.load(
        {
            "weblog.pipeline": {"stage": stage},
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


def test_an_unknown_shape() -> None:
    with pytest.raises(ConfigurationError, match=r"weblog\.pipeline: stage = 'fan-out': expected"):
        outputs("fan-out")


def run(folder: Path, log: Path, stages: Sequence[str]) -> dict[str, Result]:
    """Runs the jobs of a shape beside each other."""

    def one(stage: str) -> Result:
        return run_job(folder / stage, "--set", f"weblog.pipeline:stage={stage}", str(log))

    with ThreadPoolExecutor(len(stages)) as pool:
        results = dict(zip(stages, pool.map(one, stages), strict=True))
    for result in results.values():
        assert result.status == 0, result.errors
    return results


def rows(result: Result, name: str) -> Counter[str]:
    """Rows as text; when a line failed is another time in each run."""
    if name == "dead_letters":
        return Counter(json.dumps(row | {"failed_at": None}) for row in result.rows(name))
    return Counter(result.lines(name))


@pytest.mark.minicluster
@pytest.mark.slow
def test_branches_write_what_one_job_does(sample_run: Result, tmp_path: Path) -> None:
    assert all(rows(sample_run, name) for name in ("alerts", "sessions", "dead_letters"))
    branches = run(tmp_path, SAMPLE, BRANCHES)
    for branch, result in branches.items():
        for name in outputs(branch):
            assert rows(result, name) == rows(sample_run, name), name
    assert not (branches["alerts"].output / "sessions").exists()


@pytest.mark.minicluster
@pytest.mark.slow
def test_two_stages_write_what_one_job_does(sample_run: Result, tmp_path: Path) -> None:
    basic = run(tmp_path, SAMPLE, ["basic"])["basic"]
    # Nothing that the second stage finds out is there after the first.
    assert all("country" not in row for row in basic.rows("enriched"))
    (file,) = (basic.output / "enriched").iterdir()
    advanced = run(tmp_path, file, ["advanced"])["advanced"]
    for name in ALL - {"dead_letters", "filtered"}:
        assert rows(advanced, name) == rows(sample_run, name), name
    # A line ends once, in one of the two.
    assert rows(basic, "dead_letters") == rows(sample_run, "dead_letters")
    assert not rows(advanced, "dead_letters")
    assert basic.summary["lines_in"] == sample_run.summary["lines_in"]
    assert advanced.summary["lines_in"] == advanced.summary["enriched"] == basic.summary["enriched"]
