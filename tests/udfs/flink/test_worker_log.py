from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import LOG_HEAD
from udfs.flink.metrics import OutcomeCounts
from udfs.flink.upkeep import Upkeep
from udfs.flink.worker_log import WorkerLog
from udfs.log_line import Level, LogHead, log_line


class Writer:
    """A writer that keeps lines, and a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0
        self.levels: list[Level] = []
        self.lines: list[dict[str, Any]] = []

    def __call__(self, level: Level, line: str) -> None:
        self.levels.append(level)
        self.lines.append(json.loads(line))


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def log(writer: Writer) -> WorkerLog:
    return WorkerLog(writer, lambda: writer.now)


def test_an_interval_is_one_line_of_all_sums(writer: Writer, log: WorkerLog) -> None:
    log.add(OutcomeCounts(10, 6, Counter(bot=2), Counter(parse=1), 0.002))
    log.add(OutcomeCounts(5, 4, Counter(bot=1, blank_line=1), Counter(decode=1), 0.001))
    writer.now += 60
    log.interval({"agent": 93})

    (line,) = writer.lines
    assert list(line)[: len(LOG_HEAD)] == LOG_HEAD
    assert line["timestamp"] == "2026-01-01T00:01:00.000Z"
    assert line["event_type"] == "interval"
    assert line["level"] == "WARNING"
    assert (line["records_processed"], line["records_failed"]) == (15, 2)
    assert line["duration_ms"] == pytest.approx(3)
    assert line["interval_ms"] == 60_000
    assert line["lines_in"] == 16
    assert (line["lines_enriched"], line["lines_filtered"]) == (10, 4)
    assert (line["filtered_bot"], line["filtered_blank_line"]) == (3, 1)
    assert line["lines_dead_lettered"] == 2
    assert (line["dead_lettered_parse"], line["dead_lettered_decode"]) == (1, 1)
    assert line["enrichment_micros_per_line"] == pytest.approx(187.5)
    assert line["agent_cache_hit_percent"] == 93


def test_the_next_interval_starts_from_zero_with_another_id(writer: Writer, log: WorkerLog) -> None:
    for _ in range(2):
        log.add(OutcomeCounts(1, 1, seconds=0.001))
        writer.now += 1
        log.interval({})
    first, second = writer.lines
    assert second["records_processed"] == 1
    assert second["interval_ms"] == 1000
    assert first["request_id"] != second["request_id"]
    assert first["request_id"].split("/")[0] == second["request_id"].split("/")[0]


def test_workers_have_ids_of_their_own(writer: Writer) -> None:
    for _ in range(2):
        WorkerLog(writer, lambda: writer.now).event("start", "INFO")
    assert len({line["request_id"] for line in writer.lines}) == 2


def test_an_interval_without_records_is_not_logged(writer: Writer, log: WorkerLog) -> None:
    log.add(OutcomeCounts())
    log.interval({})
    assert writer.lines == []


@pytest.mark.parametrize(
    ("sums", "level"),
    [
        (OutcomeCounts(1, 1), "INFO"),
        (OutcomeCounts(30, 1, Counter(), Counter(parse=29)), "WARNING"),
        (OutcomeCounts(19, 0, Counter(), Counter(parse=19)), "WARNING"),
        (OutcomeCounts(20, 0, Counter(), Counter(parse=20)), "ERROR"),
        (OutcomeCounts(21, 0, Counter(blank_line=1), Counter(parse=20)), "ERROR"),
        (OutcomeCounts(21, 0, Counter(bot=1), Counter(parse=20)), "WARNING"),
    ],
)
def test_the_level_distinguishes_single_failures_from_an_outage(
    writer: Writer, log: WorkerLog, sums: OutcomeCounts, level: str
) -> None:
    log.add(sums)
    log.interval({})
    assert writer.levels == [level]
    assert writer.lines[0]["level"] == level


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers()))
def test_no_value_breaks_the_line_or_replaces_the_head(
    request: str, event: str, more: dict[str, Any]
) -> None:
    hostile = more | {"level": "INFO", "evil": 'x"}\n{"level": "ERROR"}\r\u2028\x1b[31m'}
    line = log_line(LogHead(0, "ERROR", request, event, 1.5, 2, 1), hostile)
    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    assert found["level"] == "ERROR"
    assert found["request_id"] == request
    assert found["evil"] == hostile["evil"]


def test_chores_run_when_they_are_due() -> None:
    done: list[str] = []
    upkeep = Upkeep()
    assert upkeep.due == float("inf")
    upkeep.add(60, lambda: done.append("log"), now=100)
    upkeep.add(25, lambda: done.append("look"), now=100)
    upkeep.add(950, lambda: done.append("rest"), now=100)
    assert upkeep.due == 125
    upkeep.run(130)
    assert done == ["look"]
    assert upkeep.due == 155
    # After a pause without records, each task is due once.
    upkeep.run(1000)
    assert done == ["look", "log", "look"]
    assert upkeep.due == 1025
