"""Event time on made lines: offsets, order, lateness, wrong dates and bad lines."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.jobs import Results, run_job
from tests.support.lines import log_line

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

DAY = "17/May/2015"
NOT_UTF8 = b"\xff\xfe\x00 garbage \xc3\x28\n"

# Out-of-orderness 60 s, windows of a minute, future tolerance 5 min.
LINES: list[bytes] = [
    # The first three agree, so they start the stream's clock.
    *(log_line(f"{DAY}:12:00:{second:02} +0000").encode() for second in (5, 10, 15)),
    # The same instant written with other offsets: 12:00:20 and 12:00:25 UTC.
    log_line(f"{DAY}:14:00:20 +0200", request="GET /offset.html HTTP/1.1").encode(),
    log_line(f"{DAY}:06:30:25 -0530", request="GET /offset.html HTTP/1.1").encode(),
    # A time ahead of the wall clock is refused.
    log_line("01/Jan/2099:00:00:00 +0000").encode(),
    # A single line a day ahead of the stream: taken, but it must not move the clock.
    log_line("18/May/2015:12:00:00 +0000", request="GET /ahead.html HTTP/1.1").encode(),
    b"not a log line\n",
    NOT_UTF8,
    log_line("31/Feb/2015:12:00:30 +0000").encode(),
    b"\n",
    # This line would be late if one of those above had moved the clock.
    log_line(f"{DAY}:12:00:30 +0000", request="GET /still-open.html HTTP/1.1").encode(),
    # After a gap, three lines that agree move the clock to 12:30:10, and the watermark to 12:29:10.
    *(log_line(f"{DAY}:12:30:{second:02} +0000").encode() for second in (0, 5, 10)),
    # This line is 50 s behind, and its window 12:29 is still open.
    log_line(f"{DAY}:12:29:20 +0000", request="GET /in-time.html HTTP/1.1").encode(),
    # Its window 12:28 closed at watermark 12:29:00.
    log_line(f"{DAY}:12:28:59 +0000", request="GET /late.html HTTP/1.1").encode(),
    log_line(f"{DAY}:12:00:40 +0000", request="GET /late.html HTTP/1.1", status=500).encode(),
]


@pytest.fixture(scope="module")
def results(cluster: SharedCluster, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("event-time")
    return run_job(cluster, folder, b"".join(LINES), "errors_per_page", "traffic_overview")


def dead_lettered(results: Results) -> Counter[tuple[str, str]]:
    return Counter((row["stage"], row["reason"]) for row in results.rows("dead_letters"))


def test_every_line_has_one_end(results: Results) -> None:
    assert len(LINES) == 18
    assert len(results.rows("enriched")) == 13
    assert [row["reason"] for row in results.rows("filtered")] == ["blank_line"]
    assert dead_lettered(results) == {
        ("decode", "invalid_utf8"): 1,
        ("parse", "bad_timestamp"): 1,
        ("parse", "malformed_line"): 1,
        ("validate", "timestamp_in_future"): 1,
    }


def test_windows_hold_what_came_in_time(results: Results) -> None:
    windows = results.rows("traffic_overview")
    assert {row["window_start"]: row["requests"] for row in windows} == {
        "2015-05-17T12:00:00Z": 6,
        "2015-05-17T12:29:00Z": 1,
        "2015-05-17T12:30:00Z": 3,
        "2015-05-18T12:00:00Z": 1,
    }


def test_offsets_are_honoured(results: Results) -> None:
    pages = {(row["window_start"], row["webpage"]) for row in results.rows("errors_per_page")}
    assert ("2015-05-17T12:00:00Z", "offset") in pages
    times = [r["event_time"] for r in results.rows("enriched") if r["webpage"] == "offset"]
    assert times == ["2015-05-17T12:00:20.000Z", "2015-05-17T12:00:25.000Z"]


def test_late_lines_are_kept_and_in_no_window(results: Results) -> None:
    late = results.rows("late")
    assert [row["event_time"] for row in late] == [
        "2015-05-17T12:28:59.000Z",
        "2015-05-17T12:00:40.000Z",
    ]
    assert all(row in results.rows("enriched") for row in late)
    assert "late" not in {row["webpage"] for row in results.rows("errors_per_page")}


def test_a_line_that_is_not_utf8_keeps_its_bytes(results: Results) -> None:
    (letter,) = [r for r in results.rows("dead_letters") if r["stage"] == "decode"]
    assert letter["raw_encoding"] == "base64"
    assert base64.b64decode(letter["raw"]) == NOT_UTF8.rstrip(b"\n")


def test_a_pause_is_taken_between_windows(cluster: SharedCluster, tmp_path: Path) -> None:
    # The gap is 30 min. The pauses of 30:20 and 30:40 lie between windows 31 and 30 min apart.
    visits = [
        ("198.51.100.2", "12:00:10"),
        ("198.51.100.1", "12:00:50"),
        ("198.51.100.9", "12:00:55"),
        ("198.51.100.2", "12:30:50"),
        ("198.51.100.1", "12:31:10"),
        ("198.51.100.9", "12:31:15"),
    ]
    log = "".join(log_line(f"{DAY}:{time} +0000", host=host) for host, time in visits)
    results = run_job(cluster, tmp_path, log, "sessions")
    sessions: dict[str, list[tuple[str, str, int]]] = {}
    for row in sorted(results.rows("sessions"), key=lambda one: str(one["window_start"])):
        times = row["window_start"][11:19], row["window_end"][11:19]
        sessions.setdefault(row["host"], []).append((*times, row["requests"]))
    assert sessions["198.51.100.1"] == [("12:00:50", "12:30:50", 1), ("12:31:10", "13:01:10", 1)]
    assert sessions["198.51.100.2"] == [("12:00:10", "13:00:50", 2)]


def test_nothing_in_nothing_out(cluster: SharedCluster, tmp_path: Path) -> None:
    # These outputs have rows of the whole site.
    results = run_job(cluster, tmp_path, b"", "alerts", "traffic_overview")
    for output in ("alerts", "traffic_overview", "enriched"):
        assert results.rows(output) == []


def test_only_bad_lines(cluster: SharedCluster, tmp_path: Path) -> None:
    log = b"bad\n" * 500 + b"\x16\x03\x01\xff"
    results = run_job(cluster, tmp_path, log, "traffic_overview")
    assert dead_lettered(results) == {
        ("parse", "malformed_line"): 500,
        ("decode", "invalid_utf8"): 1,
    }
    assert results.rows("enriched") == results.rows("traffic_overview") == []
