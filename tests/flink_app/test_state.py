"""State stays bounded: ever new hosts and pages, and checkpoints that do not grow.

One job, which is looked at four times in each of four days. Beside its own queries it has one
whose state is not bounded (`unbounded_query`), on which the same measurement has to see growth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import batched

import pytest

from tests.support.cluster import SharedCluster
from tests.support.jobs import RECORDS
from tests.support.lines import line, log_line
from tests.support.live import LiveJob, live_job
from tests.support.rows import Row

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

LINES = 24_000
DAYS = 4
LOOKS = 4 * DAYS
CRAWLER = "198.51.100.1"
# The table that the control writes to, which Flink names its operator by.
CONTROL = "ever_seen"
# How much the largest state may differ between two thirds of the log: sessions last for up to
# a day. What grows with the log grows by half from the second third to the last.
TOLERANCE = 1.25
SLACK_BYTES = 50_000


def lines() -> Iterator[bytes]:
    """Hosts that come three times and pages that come twice, both never again, and a crawler
    that never pauses and never asks for the same page."""
    for number in range(LINES):
        seconds = number * DAYS * 86_400 // LINES
        day, rest = divmod(seconds, 86_400)
        time = f"{17 + day}/May/2015:{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} +0000"
        crawls, visit = number % 10 == 0, number // 3
        # Some are errors, so that there is something to be alarmed about.
        fails = not crawls and number % 4 < 2
        text = log_line(
            time,
            host=CRAWLER if crawls else f"10.{visit >> 16}.{visit >> 8 & 255}.{visit & 255}",
            request=f"GET /{f'c{number}' if crawls else f'p{number // 2}'} HTTP/1.1",
            status=404 if fails else 200,
        )
        yield text.rstrip("\n").encode()


SETTINGS = {
    "weblog.sink.none": {"type": "discard"},
    "weblog.outputs": dict.fromkeys(RECORDS, "files") | {"default": "none", "sessions": "files"},
    # Each window costs, and many lines in one no more than few.
    "weblog.windows": {"size": "10 min", "sliding.size": "20 min", "sliding.slide": "10 min"},
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
    """Bytes in a checkpoint at each look, by the operators that hold them."""

    by_operators: Mapping[str, list[int]]
    sessions: list[Row]

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
    sizes: dict[str, list[int]] = defaultdict(list)
    work = tmp_path_factory.mktemp("state")
    with live_job(cluster, work, SETTINGS, topology="unbounded_query") as job:
        names = {one["id"]: one["name"] for one in job.job.get("")["vertices"]}
        for some in batched(lines(), LINES // LOOKS):
            job.give(some)
            job.wait_until_accounted()
            # Files show a moment before Flink counts the checkpoint that closed them.
            job.wait_until(lambda: completed(job), "a checkpoint")
            details = job.job.get(f"/checkpoints/details/{completed(job)['id']}")
            for vertex, task in details["tasks"].items():
                sizes[names[vertex]].append(task["state_size"])
        # Months later: three lines that agree on it close all windows.
        job.give([line(number) for number in range(3)])
        job.wait_until(lambda: len(crawled(job)) == DAYS, "all visits of the crawler")
        return Sizes(sizes, crawled(job))


def completed(job: LiveJob) -> Row:
    latest: Row = job.job.get("/checkpoints")["latest"]["completed"]
    return latest


def crawled(job: LiveJob) -> list[Row]:
    return [row for row in job.rows("sessions") if row["host"] == CRAWLER]


def test_every_kind_of_state_is_looked_at(sizes: Sizes) -> None:
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
    requests = LINES // 10 // DAYS
    assert [
        (row["window_start"], row["requests"], row["page_views"]) for row in sizes.sessions
    ] == [(f"2015-05-{17 + day}T00:00:00Z", requests, requests) for day in range(DAYS)]
