"""State stays bounded: ever new hosts and pages, and checkpoints that do not grow.

One run. Beside the job's own queries it has one whose state is not bounded
(`unbounded_query`), on which the same measurement has to see growth.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster, SubmittedJob
from tests.support.jobs import Results, between_files
from tests.support.lines import log_line
from udfs.config.file import PropertyGroups

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

LINES = 60_000
DAYS = 4
CRAWLER = "198.51.100.1"
# The table that the control writes to, which Flink names its operator by.
CONTROL = "ever_seen"
CHECKPOINT_INTERVAL_MS = 250
# How much the largest state may differ between two thirds of the run: checkpoints fall
# anywhere within windows, and sessions last for up to a day. What grows with the log grows
# by half from the second third to the last.
TOLERANCE = 1.25
SLACK_BYTES = 50_000


def lines() -> Iterator[str]:
    """Hosts that come three times and pages that come twice, both never again, and a crawler
    that never pauses and never asks for the same page."""
    for number in range(LINES):
        seconds = number * DAYS * 86_400 // LINES
        day, rest = divmod(seconds, 86_400)
        time = f"{17 + day}/May/2015:{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} +0000"
        if number % 10 == 0:
            yield log_line(time, host=CRAWLER, request=f"GET /c{number} HTTP/1.1")
            continue
        visit = number // 3
        host = f"10.{visit >> 16 & 255}.{visit >> 8 & 255}.{visit & 255}"
        # Some are errors, so that there is something to be alarmed about.
        yield log_line(
            time,
            host=host,
            request=f"GET /p{number // 2} HTTP/1.1",
            status=404 if number % 4 < 2 else 200,
        )


def properties(log: Path, results: Path) -> PropertyGroups:
    return between_files(log, results) | {
        # Little is written, so that checkpoints hold the state of queries alone.
        "weblog.sink.none": {"type": "discard"},
        "weblog.outputs": {"default": "none", "sessions": "files"},
        # Every page and host gets into each step of an alert.
        "weblog.alerts.rules": {
            "bad_page": "errors per page > 1",
            "bad_page_for_long": "errors per page > 0, for 1 h",
            "page_spike": "requests per page > 2 x baseline",
            "any_host": "requests per host > 1",
            "host_spike": "requests per host > 2 x baseline",
        },
    }


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes in each checkpoint, oldest first, by the operators that hold them."""

    by_operators: Mapping[str, list[int]]
    results: Results

    def growth(self, operators: str) -> tuple[int, int]:
        """Largest size in the second and in the last third of the run; each has a midnight.

        The first third is left out: until windows, a day of sessions and the baseline's
        reach are full, state of any kind grows.
        """
        sizes = self.by_operators[operators]
        third = len(sizes) // 3
        return max(sizes[third : 2 * third]), max(sizes[2 * third :])


@pytest.fixture(scope="module")
def sizes(cluster: SharedCluster, tmp_path_factory: pytest.TempPathFactory) -> Sizes:
    folder = tmp_path_factory.mktemp("state")
    log = folder / "access.log"
    log.write_text("".join(lines()), encoding="ascii")
    results = Results(folder / "results")
    with cluster.job(
        folder,
        properties(log, results.folder),
        topology="unbounded_query",
        checkpoint_interval_ms=CHECKPOINT_INTERVAL_MS,
    ) as job:
        job.finish()
        return Sizes(by_operators(job), results)


def by_operators(job: SubmittedJob) -> dict[str, list[int]]:
    names = {one["id"]: one["name"] for one in job.get("")["vertices"]}
    sizes: dict[str, list[int]] = defaultdict(list)
    history = job.get("/checkpoints")["history"]
    for number in sorted(one["id"] for one in history if one["status"] == "COMPLETED"):
        tasks = job.get(f"/checkpoints/details/{number}")["tasks"]
        for vertex, task in tasks.items():
            sizes[names[vertex]].append(task["state_size"])
    return sizes


def test_there_is_enough_to_judge_by(sizes: Sizes) -> None:
    assert min(map(len, sizes.by_operators.values())) >= 8 * DAYS
    # Windows, sessions and each step of the alerts are there to be looked at.
    names = " ".join(sizes.by_operators)
    assert names.count("OverAggregate") >= 4
    assert "WindowAggregate" in names


def test_an_unbounded_query_is_seen_to_grow(sizes: Sizes) -> None:
    (control,) = [name for name in sizes.by_operators if CONTROL in name]
    before, after = sizes.growth(control)
    assert after > before * TOLERANCE + SLACK_BYTES


def test_the_state_of_every_query_is_bounded(sizes: Sizes) -> None:
    growing = {
        name: (before, after)
        for name in sizes.by_operators
        if CONTROL not in name
        for before, after in [sizes.growth(name)]
        if after > before * TOLERANCE + SLACK_BYTES
    }
    assert not growing


def test_a_visit_without_a_pause_ends_at_midnight(sizes: Sizes) -> None:
    rows = [json.loads(line) for line in sizes.results.lines("sessions") if CRAWLER in line]
    requests = LINES // 10 // DAYS
    assert sorted((one["window_start"], one["requests"], one["page_views"]) for one in rows) == [
        (f"2015-05-{17 + day}T00:00:00Z", requests, requests) for day in range(DAYS)
    ]
