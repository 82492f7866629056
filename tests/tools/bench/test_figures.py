"""Each kind of figure is measured, on a tiny input."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tools.bench.command import measure_in_own_process
from tools.bench.figures import FIGURES
from tools.bench.latency import send_paced
from tools.bench.memory import process_group_memory
from tools.bench.services import LOOKUP_CAPACITY, LOOKUP_LONGEST
from udfs.errors import WebLogError

WITHOUT_CLUSTER = [one.name for one in FIGURES if one.name.startswith(("core.", "loop."))]


@pytest.mark.parametrize("name", WITHOUT_CLUSTER)
def test_a_figure_without_a_cluster(name: str, setup_file: Path) -> None:
    values = measure_in_own_process(name, setup_file)
    assert values
    assert all(value > 0 for key, value in values.items() if key != "json and rest_us"), values


@pytest.mark.slow
def test_slow_lookups(setup_file: Path) -> None:
    values = measure_in_own_process("lookups", setup_file)
    # Far from any machine's noise: one after the other they would be 5 a second.
    assert values[LOOKUP_CAPACITY] > 100
    assert values["usual mix, failed_records"] == values["new hosts only, failed_records"] == 0
    assert values[LOOKUP_LONGEST] > 200


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_naive_job_in_task_managers_of_their_own(setup_file: Path) -> None:
    values = measure_in_own_process("yardstick.naive.thread.managers", setup_file)
    # Four hundred lines are through before there is a steady state.
    assert "records_per_s" not in values
    assert 0 < values["startup_s"] <= values["total_s"]


@pytest.mark.minicluster
@pytest.mark.slow
def test_latency_of_the_whole_topology(setup_file: Path) -> None:
    values = measure_in_own_process("latency.thread", setup_file)
    assert 0 < values["p50_ms"] <= values["p99_ms"] <= values["max_ms"] < 10_000
    # Every line that was due after the warm-up: 200 a second for 2 seconds.
    assert 380 <= values["records"] <= 400


def test_a_figure_that_fails_says_why(tmp_path: Path, setup_file: Path) -> None:
    broken = tmp_path / "setup.json"
    text = setup_file.read_text("utf-8")
    broken.write_text(text.replace("made-city.mmdb", "missing.mmdb"), encoding="utf-8")
    with pytest.raises(WebLogError, match="no such file"):
        measure_in_own_process("core.whole.made", broken)


def test_lines_are_sent_when_due_and_say_so() -> None:
    sent: list[tuple[float, bytes]] = []
    line = b'h - - [t] "GET /a?b=1 HTTP/1.1" 200 1 "-" "-"'
    started = time.time()
    send_paced(lambda data: sent.append((time.time(), data)), [line] * 20, 100.0, 20)
    dues = [int(data.partition(b"&due=")[2].partition(b" ")[0]) / 1e6 for _, data in sent]
    assert len(sent) == 20
    assert all(at >= due for (at, _), due in zip(sent, dues, strict=True))
    assert all(
        later - earlier == pytest.approx(0.01, abs=1e-4) for earlier, later in pairwise(dues)
    )
    assert dues[0] >= started


def test_memory_of_a_process_group() -> None:
    reading = process_group_memory(os.getpid())
    assert reading.jvm_rss > 10_000_000
    assert (reading.worker_rss, reading.worker_pss) == (0, 0)
