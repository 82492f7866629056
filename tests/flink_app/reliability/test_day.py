"""A day of traffic in about a minute: every line has an outcome, and nothing grows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from math import cos, pi
from pathlib import Path

import pytest

from flink_app.sql_files import output_files
from tests.support.cluster import SharedCluster
from tests.support.lines import line
from tests.support.live import LiveJob, live_job
from tools.bench.made_log import made_log
from udfs.enrichment import event_id

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

MEGABYTE = 1024 * 1024
RUSH_HOUR, RUSH = 15, 4
NOON, MIDNIGHT = 1500, 400
BAD_EVERY = 100


def hours() -> Iterator[list[bytes]]:
    """Yields the lines of each hour in order: night and noon, a rush, bad lines."""
    for hour in range(24):
        share = (1 - cos(2 * pi * hour / 24)) / 2
        count = int(MIDNIGHT + share * (NOON - MIDNIGHT)) * (RUSH if hour == RUSH_HOUR else 1)
        made = made_log(count, seed=hour, rate=count / 3600)
        lines = [moved(one.rstrip(b"\n"), hour) for one in made]
        lines[BAD_EVERY::BAD_EVERY] = [
            b"cut off %d %d" % (hour, n) for n in range(len(lines[BAD_EVERY::BAD_EVERY]))
        ]
        yield lines


def moved(line: bytes, hour: int) -> bytes:
    """Returns a line of the log's first hour, from midnight, at the same time of another hour."""
    if not hour:
        return line
    before = b"[01/Mar/2025:%02d:" % (hour - 1)
    return line.replace(b"[28/Feb/2025:23:", before).replace(
        b"[01/Mar/2025:00:", b"[01/Mar/2025:%02d:" % hour
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes that might grow beside the state of queries, after two hours' lines."""

    worker_bytes: int
    class_bytes: float
    threads: float


@dataclass(frozen=True, slots=True)
class Day:
    """The job after the day, and its sizes during the day."""

    job: LiveJob
    sizes: list[Sizes]


def measured(job: LiveJob) -> Sizes:
    (worker,) = job.workers()
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[1])
    metrics = job.metrics()
    return Sizes(
        pages * os.sysconf("SC_PAGE_SIZE"),
        metrics.total("taskmanager_Status_JVM_Memory_Metaspace_Used"),
        metrics.total("taskmanager_Status_JVM_Threads_Count"),
    )


@pytest.fixture(scope="module")
def day(cluster: SharedCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    outputs = [one.name for one in output_files()]
    with live_job(cluster, tmp_path_factory.mktemp("day"), outputs=outputs) as job:
        sizes = []
        for first, second in batched(hours(), 2):
            job.give(first + second)
            job.wait_until_accounted()
            sizes.append(measured(job))
        # Three lines that agree on a time months later close all windows.
        job.give([line(number) for number in range(3)])
        job.wait_until_accounted()
        yield Day(job, sizes)


def test_every_line_is_accounted_for_once(day: Day) -> None:
    given = Counter(event_id(one, 0) for one in day.job.lines)
    dead = [row["raw"] for row in day.job.rows("dead_letters")]
    assert len(dead) > 200
    found = day.job.event_ids()
    found.update(event_id(raw.encode(), 0) for raw in dead)
    assert found == given


def test_the_windows_hold_every_line_that_was_not_late(day: Day) -> None:
    job = day.job

    def counted() -> int:
        return sum(row["requests"] for row in job.rows("traffic_overview"))

    on_time = len(job.rows("enriched")) - len(job.rows("late")) - 3
    job.wait_until(lambda: counted() >= on_time, "the last windows")
    assert counted() == on_time
    assert 0 < len(job.rows("late")) < len(job.lines) / 100


def test_nothing_grows(day: Day) -> None:
    noon, evening = day.sizes[4:7], day.sizes[9:]
    assert max(one.threads for one in evening) <= max(one.threads for one in noon) + 10
    assert max(one.class_bytes for one in evening) <= 1.1 * max(one.class_bytes for one in noon)
    # The caches grow to their limits.
    assert evening[-1].worker_bytes - noon[-1].worker_bytes < 60 * MEGABYTE
