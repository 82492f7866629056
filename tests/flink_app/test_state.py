"""State stays bounded: hosts and pages are ever new, and checkpoints do not grow.

The tests measure one job four times in each of four days. A query with unbounded state
(`unbounded_query`) is the control: the same measurement has to see its growth.
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
# Flink names the control's operator after the table that the control writes to.
CONTROL = "ever_seen"
# The largest state may differ so much between two thirds of the log, as sessions last for up to
# a day. State that grows with the log grows by half from the second third to the last.
TOLERANCE = 1.25
SLACK_BYTES = 50_000


def lines() -> Iterator[bytes]:
    """Yields lines of hosts that come three times, for pages that come twice, and of a crawler.

    The crawler never pauses, and never requests a page twice.
    """
    for number in range(LINES):
        seconds = number * DAYS * 86_400 // LINES
        day, rest = divmod(seconds, 86_400)
        time = f"{17 + day}/May/2015:{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} +0000"
        crawls, visit = number % 10 == 0, number // 3
        # Some requests are errors, for the alerts.
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
    # The windows are long, as each window costs and its lines hardly do.
    "weblog.windows": {"size": "10 min", "sliding.size": "20 min", "sliding.slide": "10 min"},
    # The rules take every page and host through each step of an alert.
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
    """The bytes in a checkpoint at each measurement, by operators, and the crawler's sessions."""

    by_operators: Mapping[str, list[int]]
    sessions: list[Row]

    def growth(self, operators: str) -> tuple[int, int]:
        """Returns the largest size in the second and in the last third of the run.

        Both thirds have a midnight. In the first third all state grows, until windows, a day of
        sessions and the baseline's reach are full.
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
            # Files appear a moment before Flink counts the checkpoint that closed them.
            job.wait_until(lambda: completed(job), "a checkpoint")
            details = job.job.get(f"/checkpoints/details/{completed(job)['id']}")
            for vertex, task in details["tasks"].items():
                sizes[names[vertex]].append(task["state_size"])
        # Three lines that agree on a time months later close all windows.
        job.give([line(number) for number in range(3)])
        job.wait_until(lambda: len(crawled(job)) == DAYS, "all visits of the crawler")
        return Sizes(sizes, crawled(job))


def completed(job: LiveJob) -> Row:
    latest: Row = job.job.get("/checkpoints")["latest"]["completed"]
    return latest


def crawled(job: LiveJob) -> list[Row]:
    return [row for row in job.rows("sessions") if row["host"] == CRAWLER]


def test_every_kind_of_state_is_looked_at(sizes: Sizes) -> None:
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
