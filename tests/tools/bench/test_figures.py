"""Each kind of figure, measured on a tiny input."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tools.bench import jobs
from tools.bench.core import Metrics
from tools.bench.figures import FIGURES, PEERS, chosen
from tools.bench.inputs import Setup
from tools.bench.jobs import (
    ALL,
    MISSION,
    Job,
    Reading,
    SkippedError,
    between_streams,
    look,
    metrics,
)
from tools.bench.latency import send_paced
from tools.bench.shapes import SHAPES
from udfs.errors import WebLogError


def measured(name: str, setup: Setup) -> Metrics:
    (figure,) = (figure for figure in (*FIGURES, *PEERS) if figure.name == name)
    return figure.measure(setup)


@pytest.mark.parametrize(
    "name",
    [figure.name for figure in chosen(["core.whole", "core.straightforward", "loop"])],
)
def test_a_figure_without_a_cluster(name: str, setup: Setup) -> None:
    values = measured(name, setup)
    assert values["records_per_s"] > 0


@pytest.mark.parametrize("name", [figure.name for figure in PEERS])
def test_a_peer_reads_every_line_or_says_what_is_missing(name: str, setup: Setup) -> None:
    program = name.split(".")[1]
    if shutil.which(program) is None:
        with pytest.raises(SkippedError, match=f"no {program} on PATH"):
            measured(name, setup)
    else:
        assert measured(name, setup)["records_per_s"] > 0


def test_every_shape_is_read(setup: Setup) -> None:
    values = measured("core.shapes", setup)
    assert set(values) == {f"{name}_us" for name in SHAPES}
    assert all(value > 0 for value in values.values()), values


def test_the_lambda_functions(setup: Setup) -> None:
    values = measured("lambda", setup)
    assert all(value > 0 for value in values.values()), values
    # The gain of the caches is far above the noise of any machine.
    assert values["a record, warm_us"] < values["a record of the first pass_us"]


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_naive_job_in_task_managers_of_their_own(setup: Setup) -> None:
    values = measured("yardstick.naive.thread.managers", setup)
    # Four hundred lines end before there is a steady state.
    assert "records_per_s" not in values
    assert 0 < values["startup_s"] <= values["total_s"]


@pytest.mark.minicluster
@pytest.mark.slow
def test_latency_of_the_whole_topology(setup: Setup) -> None:
    values = measured("latency.thread", setup)
    assert 0 < values["p50_ms"] <= values["p99_ms"] <= values["max_ms"] < 10_000
    # All lines due after the warm-up count: 1,000 a second for 2 seconds.
    assert 1900 <= values["measured_records"] <= 2000


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_job_is_measured_between_two_streams(connector_jar: Path, setup: Setup) -> None:
    values = measured("kinesis", replace(setup, jar=connector_jar))
    # The lines are too few for a steady rate, but the job ran from stream to stream.
    assert 0 < values["startup_s"] < values["total_s"]


def test_without_the_connectors_kinesis_is_skipped(
    monkeypatch: pytest.MonkeyPatch, setup: Setup, tmp_path: Path
) -> None:
    monkeypatch.setattr(jobs, "ROOT", tmp_path)
    with pytest.raises(SkippedError, match="the AWS connectors"):
        between_streams(setup, Job("process"))
    # A jar that is named must exist.
    with pytest.raises(WebLogError, match=r"missing\.jar"):
        between_streams(replace(setup, jar=tmp_path / "missing.jar"), Job("process"))


def test_a_job_has_the_outputs_and_the_mode_of_its_figure(setup: Setup, tmp_path: Path) -> None:
    job = Job("thread", slots=2, outputs=MISSION, files=True)
    properties = job.properties(setup, tmp_path)
    assert properties["weblog.job"]["execution.mode"] == "thread"
    assert properties["weblog.source"]["path"] == str(setup.halves)
    assert properties["weblog.sink.bench"]["path"] == str(tmp_path / "results")
    assert properties["weblog.outputs"] == {"default": "off"} | dict.fromkeys(MISSION, "bench")
    assert set(MISSION) < set(ALL)


def readings(times: Sequence[float], records: Sequence[int]) -> list[Reading]:
    """Returns readings with twice as much processor time of the JVM as of Python."""
    pairs = zip(times, records, strict=True)
    return [Reading(at, done, 2e-6 * done, 1e-6 * done, 1000 * done) for at, done in pairs]


def test_the_rate_leaves_out_warm_up_and_end() -> None:
    slow = readings(range(10, 35), range(0, 250, 10))
    steady = readings(range(40, 55), range(500, 2000, 100))
    ended = readings([55, 60, 70], [2000, 2000, 2000])
    values = metrics([*slow, *steady, *ended], 2000, started=3.0)
    assert values["records_per_s"] == pytest.approx(100)
    assert values["jvm_cpu_us"] == pytest.approx(2)
    assert values["python_cpu_us"] == pytest.approx(1)
    assert values["worker_pss_mb"] == pytest.approx(1.9)
    assert 0 < values["worker_growth_mb"] < 0.9
    assert values["startup_s"] == 7.0
    without_worker = [replace(reading, worker_pss=0) for reading in steady]
    assert "worker_pss_mb" not in metrics(without_worker, 2000, started=3.0)


def test_a_repeated_reading_does_not_bend_the_rate() -> None:
    repeating = readings(range(100), [100 * (at // 3 * 3) for at in range(100)])
    assert metrics(repeating, 9900, 0.0)["records_per_s"] == pytest.approx(100)
    # Too few readings give no rate.
    assert metrics(repeating[:10], 900, 0.0).keys() == {"startup_s", "total_s"}


def test_lines_are_sent_when_due_and_say_so() -> None:
    sent: list[tuple[float, bytes]] = []
    line = b'h - - [t] "GET /a?b=1 HTTP/1.1" 200 1 "-" "-"'
    started = time.time()
    send_paced(lambda data: sent.append((time.time(), data)), [line] * 20, 100.0)
    dues = [int(data.partition(b"&due=")[2].partition(b" ")[0]) / 1e6 for _, data in sent]
    assert len(sent) == 20
    assert all(at >= due for (at, _), due in zip(sent, dues, strict=True))
    assert all(
        later - earlier == pytest.approx(0.01, abs=1e-4) for earlier, later in pairwise(dues)
    )
    assert dues[0] >= started


def test_what_the_workers_of_a_process_group_use() -> None:
    # The name of its module marks a worker.
    program = "x = b'x' * 50_000_000; sum(range(5_000_000)); print(flush=True); input()"
    command = [sys.executable, "-c", program, "pyflink.fn_execution.beam.beam_boot"]
    with Popen(command, process_group=0, stdin=PIPE, stdout=PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        reading = look(worker.pid, 7)
        worker.kill()
    assert reading.worker_pss > 40_000_000
    assert reading.python_cpu_s > 0
    assert reading.jvm_cpu_s == 0
    assert look(os.getpid(), 7).worker_pss == 0
