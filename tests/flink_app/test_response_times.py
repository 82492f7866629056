"""Response times of pages, against percentiles computed here."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.jobs import RECORDS, Results, between_files
from tests.support.lines import log_line
from tools.local.summary import summarise

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

PATTERN = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D'
CHANCE = random.Random(11)
TIMES: dict[str, Callable[[], int]] = {
    "short": lambda: CHANCE.randrange(100),
    "usual": lambda: round(CHANCE.lognormvariate(5, 1)),
    # Numbers at which a digit is added, a day, and the longest time that is taken.
    "edges": lambda: CHANCE.choice([0, 99, 100, 101, 999, 1000, 1001, 86_400_000, 10**12 - 1]),
    "rare": lambda: 101,
}

type Times = dict[tuple[str, str], list[int]]


def timed_line(minute: int, page: str, microseconds: object) -> str:
    time = f"17/May/2015:12:0{minute}:{CHANCE.randrange(60):02} +0000"
    return log_line(time, request=f"GET /{page}.html HTTP/1.1").rstrip() + f" {microseconds}\n"


@pytest.fixture(scope="module")
def times() -> Times:
    times: Times = defaultdict(list)
    for minute in range(3):
        for number in range(1500):
            page = "rare" if not number else CHANCE.choice(["short", "usual", "edges"])
            times[f"2015-05-17T12:0{minute}:00Z", page].append(TIMES[page]())
    return times


@pytest.fixture(scope="module")
def results(
    cluster: SharedCluster, tmp_path_factory: pytest.TempPathFactory, times: Times
) -> Results:
    """Runs a job of two subtasks over the lines, which are in two files."""
    folder = tmp_path_factory.mktemp("times")
    lines = [
        timed_line(int(window[15]), page, ms * 1000)
        for (window, page), of_page in times.items()
        for ms in of_page
    ]
    # Lines without a response time are in no row.
    lines += [timed_line(minute, page, "-") for minute in range(3) for page in ("usual", "none")]
    CHANCE.shuffle(lines)
    (folder / "logs").mkdir()
    for half in range(2):
        (folder / "logs" / f"{half}.log").write_text("".join(lines[half::2]), encoding="utf-8")
    outputs = (*RECORDS, "response_times")
    properties = between_files(folder / "logs", folder / "results", *outputs) | {
        "weblog.parser": {"pattern": PATTERN},
        "weblog.windows": {"out.of.orderness": "1 h"},
        "weblog.job": {"execution.mode": "thread"},
    }
    with cluster.job(folder, properties, parallelism=2) as job:
        job.finish()
    return Results(folder / "results")


def test_each_line_is_in_its_window(results: Results, times: Times) -> None:
    assert len(results.rows("enriched")) == sum(map(len, times.values())) + 6
    assert results.rows("late") == results.rows("dead_letters") == []


def test_times_of_pages(results: Results, times: Times) -> None:
    rows = {(row["window_start"], row["webpage"]): row for row in results.rows("response_times")}
    assert len(rows) == len(results.rows("response_times"))
    assert rows.keys() == times.keys()
    for key, row in rows.items():
        of_page = times[key]
        assert (row["requests"], row["max_ms"]) == (len(of_page), max(of_page))
        assert row["mean_ms"] == pytest.approx(statistics.mean(of_page))


def test_the_account_of_the_run_has_the_slowest_pages(results: Results, times: Times) -> None:
    slowest = summarise(results.folder, (*RECORDS, "response_times"), 1, 1.0).slowest_pages
    by_page: dict[str, list[int]] = defaultdict(list)
    for (_, page), of_page in times.items():
        by_page[page] += of_page
    for one in slowest:
        of_page = by_page.pop(str(one.webpage))
        assert (one.requests, one.max_ms) == (len(of_page), max(of_page))
        assert one.mean_ms == pytest.approx(statistics.mean(of_page), abs=0.1)
    assert not by_page


def test_the_percentile_is_at_most_a_twentieth_too_high(results: Results, times: Times) -> None:
    for row in results.rows("response_times"):
        of_page = times[row["window_start"], row["webpage"]]
        exact = percentile(of_page, 0.95)
        assert exact <= row["p95_ms"] * (1 + 1e-9)
        assert row["p95_ms"] <= min(1.05 * exact, max(of_page)) * (1 + 1e-9)
        if max(of_page) <= 100:
            assert row["p95_ms"] == pytest.approx(exact)


def test_times_are_counted_before_they_are_sent(cluster: SharedCluster, tmp_path: Path) -> None:
    properties = between_files(tmp_path / "log", tmp_path / "results", "response_times")
    _, _, plan = cluster.plans(properties)["outputs"].partition("== Optimized Execution Plan ==")
    (local,) = [line for line in plan.splitlines() if "LocalWindowAggregate(" in line]
    assert "PERCENTILE(rounded_ms" in local


def percentile(times: list[int], share: float) -> float:
    """Returns SQL's PERCENTILE_CONT: it interpolates between the two nearest times."""
    ranked = sorted(times)
    low, part = divmod(share * (len(ranked) - 1), 1)
    first, second = ranked[int(low)], ranked[min(int(low) + 1, len(ranked) - 1)]
    return first + part * (second - first)
