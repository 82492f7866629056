"""Alerts on one made log, in which each scenario has its own pages and hosts."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from flink_app.alerts import DEFAULT_RULES
from tests.support.cluster import SharedCluster
from tests.support.jobs import Results, run_job
from tests.support.lines import log_line
from tests.support.rows import Row

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

RULES = {
    # The default rules would see all scenarios together.
    **dict.fromkeys(DEFAULT_RULES, "off"),
    "lasting": "error_rate per page > 10 %, at least 10 requests, for 3 min",
    "at_once": "server_errors per page > 5",
    "spike": "requests per page > 3 x baseline, at least 30 requests",
    "busy_host": "requests per host > 20",
    "probing": "probes per host > 2",
    "bad_feed": "dead_letter_share > 50 %, at least 20 lines",
    "whole_site": "error_rate > 95 %, at least 30 requests, at least 30 errors",
}
SETTINGS = {
    "weblog.alerts.rules": RULES,
    "weblog.alerts": {
        "quiet.windows": "3",
        "baseline.windows": "20",
        "baseline.minimum.windows": "5",
    },
}

type Event = tuple[float, bytes]


def at(minute: float) -> str:
    """Returns the time so many minutes after noon, as an alert writes it."""
    return f"2015-05-17T{12 + int(minute) // 60:02}:{int(minute) % 60:02}:00Z"


class Log:
    """Log lines with the second of their arrival."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._random = random.Random(5)
        self._hosts = 0

    def requests(
        self,
        page: str,
        minutes: Iterable[int],
        count: int,
        *,
        errors: int = 0,
        status: int = 404,
        host: str | None = None,
        request: str | None = None,
        arrival: int | None = None,
    ) -> None:
        """Adds `count` requests in each of the minutes after noon, of which the first are errors.

        The requests are spread over the minute. They arrive up to 40 seconds late, in any order,
        or all at the minute `arrival`.
        """
        for minute in minutes:
            for number in range(count):
                second = minute * 60 + number * 60 // count
                if host is None:
                    # Each request has its own client, so that the rules about hosts don't see them.
                    self._hosts += 1
                line = log_line(
                    f"17/May/2015:{12 + second // 3600:02}:{second // 60 % 60:02}"
                    f":{second % 60:02} +0000",
                    host=host or f"198.51.{self._hosts // 250 % 250}.{self._hosts % 250}",
                    request=f"GET {request or f'/{page}.html'} HTTP/1.1",
                    status=status if number < errors else 200,
                )
                come = second + 40 * self._random.random() if arrival is None else arrival * 60
                self._events.append((come, line.encode()))

    def line(self, minute: float, line: bytes) -> None:
        self._events.append((minute * 60, line))

    def to_bytes(self) -> bytes:
        return b"".join(line for _, line in sorted(self._events))


def scenarios() -> bytes:
    log = Log()
    # Requests come in each minute to the end, but for the gap from 22 to 29.
    log.requests("other", (*range(22), *range(30, 60)), 2)

    # `lasting`: three breaches in a row start it, the quiet time after the last ends it.
    log.requests("long", (0, 1, 6, 7, 8, 9), 10)
    log.requests("long", range(2, 6), 10, errors=2)
    # A longer alert at the same time: pages do not affect each other.
    log.requests("beside", range(2, 8), 20, errors=10)
    # Two breaches in a row do not start it, and neither do more with a hole: a window without
    # traffic, without errors or below the minimum.
    log.requests("short", (2, 3), 10, errors=10)
    log.requests("holes", (2, 3, 5, 6, 8, 9, 11, 12), 10, errors=10)
    log.requests("holes", (7,), 10)
    log.requests("holes", (10,), 9, errors=9)
    # `exactly` does not exceed the threshold; `few` has fewer requests than the minimum.
    log.requests("exactly", range(5), 10, errors=1)
    log.requests("few", range(5), 9, errors=9)
    # After more than the quiet time, three breaches in a row start another alert.
    log.requests("again", (0, 1, 2, 5, 6, 7), 10, errors=5)
    # The alert ends even without any more traffic, also in the gap of the whole log.
    log.requests("silent", (10, 11, 12), 10, errors=10)
    log.requests("last", (19, 20, 21), 10, errors=10)

    # `at_once`: breaches three windows apart are one alert, four windows apart two alerts.
    log.requests("now", (0, 3, 7), 6, errors=6, status=500)
    # Client errors don't count as server errors.
    log.requests("client", (0,), 6, errors=6, status=404)
    # The sixth error comes after its window has closed.
    log.requests("late", (5,), 5, errors=5, status=500)
    log.requests("late", (5,), 1, errors=1, status=500, arrival=40)

    # `spike`: the fourth window has too short a baseline; a high window raises the baseline of
    # later windows.
    log.requests("popular", (*range(4), *range(5, 10), 11), 10)
    log.requests("popular", (4, 10), 40)
    log.requests("popular", (12,), 39)
    # Windows without traffic don't count.
    log.requests("sometimes", (0, 2, 4, 6, 8), 10)
    log.requests("sometimes", (10,), 40)
    # Below the minimum; never seen before; seen too long ago.
    log.requests("rare", range(8), 1)
    log.requests("rare", (8,), 29)
    log.requests("new", (6,), 100)
    log.requests("forgotten", range(6), 10)
    log.requests("forgotten", (30,), 40)

    # The rules about hosts count requests to any page.
    log.requests("a", (1,), 11, host="192.0.2.1")
    log.requests("b", (1,), 10, host="192.0.2.1")
    log.requests("a", (1,), 20, host="192.0.2.2")
    log.requests("p", (3,), 3, host="192.0.2.3", request="/../../etc/passwd")
    log.requests("p", (3, 4), 2, host="192.0.2.4", request="/../../etc/passwd")

    # 5 good lines, 5 blank ones, 30 bad ones.
    log.requests("feed", (31,), 3)
    for number in range(30):
        log.line(31.9 + number / 1000, b"bad\n")
    for number in range(5):
        log.line(31.9 + number / 1000, b"\n")

    # `endless` goes on to the end of the log, beyond the start of the next alert.
    log.requests("endless", range(33, 60), 6, errors=6, status=500)
    # The whole site: 46 errors of 48 requests.
    log.requests("down", (35,), 40, errors=40, status=403)
    return log.to_bytes()


@pytest.fixture(scope="module")
def results(cluster: SharedCluster, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("alerts")
    return run_job(cluster, folder, scenarios(), "alerts", settings=SETTINGS)


def alerts(results: Results, name: str) -> list[Row]:
    return [row for row in results.rows("alerts") if row["alert"] == name]


def times(rows: list[Row]) -> list[tuple[str, ...]]:
    return [
        (row["subject"], row["state"], row["window_start"], row["window_end"], row["changed_at"])
        for row in sorted(rows, key=lambda row: (row["subject"], row["changed_at"]))
    ]


def alert(subject: str, start: int, started: int, last: int) -> list[tuple[str, ...]]:
    """Returns the two rows of an alert.

    Args:
        subject: The page or host.
        start: The start of its first window, in minutes after noon.
        started: The end of the window that started it.
        last: The end of its last window.
    """
    return [
        (subject, "started", at(start), at(started), at(started)),
        (subject, "ended", at(start), at(last), at(last + 3)),
    ]


def test_nothing_is_late_but_what_is_meant_to_be(results: Results) -> None:
    assert len(results.rows("late")) == 1
    letters = results.rows("dead_letters")
    assert [letter["reason"] for letter in letters] == ["malformed_line"] * 30


def test_a_rate_has_to_last(results: Results) -> None:
    assert times(alerts(results, "lasting")) == [
        *alert("again", 0, 3, 3),
        *alert("again", 5, 8, 8),
        *alert("beside", 2, 5, 8),
        *alert("last", 19, 22, 22),
        *alert("long", 2, 5, 6),
        *alert("silent", 10, 13, 13),
    ]


def test_what_an_alert_says(results: Results) -> None:
    rows = [row for row in alerts(results, "lasting") if row["subject"] == "beside"]
    # Starts and ends come from two operators, and so in any order in a replay.
    started, ended = sorted(rows, key=lambda row: str(row["changed_at"]))
    common = {
        "alert": "lasting",
        "metric": "error_rate",
        "subject_type": "page",
        "subject": "beside",
        "subject_text": "beside",
        "threshold": 0.1,
        "metric_value": 0.5,
        "dead_letters": 0,
        "server_errors": 0,
        "probes": 0,
    }
    times = ("window_start", "window_end", "changed_at")
    # The start has the figures of one window, the end those of all since the start.
    assert {k: v for k, v in started.items() if k not in times} == common | {
        "state": "started", "lines": 20, "requests": 20, "errors": 10,
    }  # fmt: skip
    assert {k: v for k, v in ended.items() if k not in times} == common | {
        "state": "ended", "lines": 80, "requests": 80, "errors": 40,
    }  # fmt: skip


def test_alerts_that_follow_soon_are_one(results: Results) -> None:
    assert times(alerts(results, "at_once")) == [
        *alert("endless", 33, 34, 60),
        *alert("now", 0, 1, 4),
        *alert("now", 7, 8, 8),
    ]


def test_a_spike_is_one_against_the_recent_past(results: Results) -> None:
    rows = alerts(results, "spike")
    assert times(rows) == [*alert("popular", 10, 11, 11), *alert("sometimes", 10, 11, 11)]
    # The baseline of `popular` is nine windows of 10 and one of 40. Rows of one instant come in
    # no promised order.
    assert sorted((row["subject"], row["metric_value"], row["threshold"]) for row in rows) == [
        *[("popular", 40.0, 39.0)] * 2,
        *[("sometimes", 40.0, 30.0)] * 2,
    ]


def test_busy_hosts(results: Results) -> None:
    assert times(alerts(results, "busy_host")) == alert("192.0.2.1", 1, 2, 2)


def test_probes(results: Results) -> None:
    rows = alerts(results, "probing")
    assert times(rows) == alert("192.0.2.3", 3, 4, 4)
    assert [row["probes"] for row in rows] == [3, 3]


def test_dead_letters_count_against_all_lines(results: Results) -> None:
    rows = alerts(results, "bad_feed")
    assert times(rows) == alert("", 31, 32, 32)
    assert {(r["dead_letters"], r["requests"], r["lines"], r["metric_value"]) for r in rows} == {
        (30, 5, 40, 0.75)
    }


def test_the_whole_site(results: Results) -> None:
    rows = alerts(results, "whole_site")
    assert times(rows) == alert("", 35, 36, 36)
    assert {(row["subject_type"], row["errors"]) for row in rows} == {("site", 46)}


def test_there_are_no_other_alerts(results: Results) -> None:
    assert {row["alert"] for row in results.rows("alerts")} == set(RULES) - {
        name for name, text in RULES.items() if text == "off"
    }


def test_an_alert_is_reported_when_it_starts_and_not_when_it_is_over(results: Results) -> None:
    # Starts come from one operator in order. One of them starts an alert that lasts beyond the
    # others.
    starts = [row["changed_at"] for row in results.rows("alerts") if row["state"] == "started"]
    assert starts == sorted(starts)
    assert starts.index(at(34)) < starts.index(at(36))
