"""One running job and a sequence of events.

The tests share the job, and each builds on those before it. So all of them run, in this order.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import SALT, SharedCluster
from tests.support.core import CITY_DATABASE, DEMO_DATABASE
from tests.support.lines import BAD, BOT, good, line
from tests.support.live import LiveJob, live_job

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

# Each known to only one of the two databases.
IN_TEST, IN_DEMO = "81.2.69.142", "83.149.9.216"
NEXT_HOUR = 3600
KILLED_AMONG = 60_000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("geoip") / "city.mmdb"
    shutil.copyfile(CITY_DATABASE, path)
    return path


@pytest.fixture(scope="module")
def job(
    cluster: SharedCluster, tmp_path_factory: pytest.TempPathFactory, database: Path
) -> Iterator[LiveJob]:
    settings = {
        "weblog.geoip": {"database.path": str(database), "reload.interval": "1 s"},
        "weblog.pipeline": {"log.interval": "1 s"},
        "weblog.filters": {"exclude.bots": "true"},
    }
    with live_job(
        cluster,
        tmp_path_factory.mktemp("live"),
        settings,
        outputs=["traffic_overview"],
        restart_attempts=3,
    ) as running:
        yield running


def replace(database: Path, data: bytes) -> None:
    new = database.with_suffix(".new")
    new.write_bytes(data)
    new.replace(database)


def cities(job: LiveJob, host: str) -> list[str | None]:
    return [row["city"] for row in job.rows("enriched") if row["host"] == host]


def test_the_metrics_count_the_outcomes_of_the_lines(job: LiveJob) -> None:
    lines = good(0, 500)
    # Lines of the next hour close the windows of the first 500 lines.
    lines += [*good(500, 20, NEXT_HOUR)]
    job.give([*lines, BAD, BAD, b"\xff", b"", *(line(n, agent=BOT) for n in range(3))])
    job.wait_until_accounted()
    job.wait_until(lambda: job.metrics().total("lines_in") == 527, "the counts")

    metrics = job.metrics()
    assert metrics.total("records_in") == 527
    assert metrics.total("lines_enriched") == len(job.rows("enriched")) == 520
    assert metrics.total("lines_filtered", reason="bot") == 3
    assert metrics.total("lines_filtered", reason="blank_line") == 1
    assert metrics.total("lines_filtered") == len(job.rows("filtered")) == 4
    assert metrics.total("lines_dead_lettered", stage="parse") == 2
    assert metrics.total("lines_dead_lettered", stage="decode") == 1
    assert metrics.total("lines_dead_lettered") == len(job.rows("dead_letters")) == 3
    assert metrics.total("enrichment_micros_per_line") > 0
    # The 523 lines have one client and four agents, but a request each.
    assert metrics.total("client_cache_hit_percent") >= 99
    assert metrics.total("agent_cache_hit_percent") >= 99
    assert metrics.total("request_cache_hit_percent") == 1


def test_late_lines_are_kept(job: LiveJob) -> None:
    job.wait_until(lambda: job.rows("traffic_overview") != [], "a closed window")
    job.give(good(1000, 7))
    job.wait_until_accounted()
    job.wait_until(lambda: len(job.rows("late")) == 7, "the late lines")


def test_the_log_has_a_line_an_interval_with_the_same_counts(job: LiveJob) -> None:
    total = job.interval_total
    # A worker looks at its clock at each record.
    while total("lines_in") < 527:
        job.give(good(2000 + len(job.lines), 1, NEXT_HOUR))
        job.wait_until_accounted()

    start = job.log_lines()[0]
    assert start["event_type"] == "start"
    assert start["geoip"].startswith("GeoIP2-City of ")
    assert total("records_failed") == total("lines_dead_lettered") == 3
    assert (total("dead_lettered_parse"), total("filtered_bot")) == (2, 3)
    assert min(one["interval_ms"] for one in job.intervals()) >= 1000


def test_neither_log_nor_metrics_hold_secrets_or_lines(job: LiveJob) -> None:
    log = job.log()
    assert SALT not in log
    assert "203.0.113.9" not in log
    assert "page-1.html" not in log


def test_a_replaced_database_is_taken_while_lines_go_on(job: LiveJob, database: Path) -> None:
    job.give([line(3000, NEXT_HOUR, host=IN_TEST), line(3001, NEXT_HOUR, host=IN_DEMO)])
    job.wait_until_accounted()
    assert (cities(job, IN_TEST), cities(job, IN_DEMO)) == (["London"], [None])

    replace(database, DEMO_DATABASE.read_bytes())
    while cities(job, IN_DEMO)[-1] is None:
        number = 3002 + len(job.lines)
        job.give([line(number, NEXT_HOUR, host=IN_DEMO)])
        job.wait_until_accounted()
    job.give([line(3999, NEXT_HOUR, host=IN_TEST)])
    job.wait_until_accounted()
    assert cities(job, IN_TEST) == ["London", None]
    assert set(cities(job, IN_DEMO)) == {None, "Moscow"}


def test_a_corrupt_database_is_reported_and_not_taken(job: LiveJob, database: Path) -> None:
    replace(database, DEMO_DATABASE.read_bytes()[:10_000])

    def complaints() -> list[dict[str, str]]:
        found = [one for one in job.log_lines() if one["event_type"] == "geoip_reload"]
        return [one for one in found if one["level"] == "ERROR"]

    while not complaints():
        job.give([line(4000 + len(job.lines), NEXT_HOUR, host=IN_DEMO)])
        job.wait_until_accounted()
    (complaint,) = complaints()
    assert complaint["error"] == "not a MaxMind DB file, or a corrupt one"
    assert cities(job, IN_DEMO)[-1] == "Moscow"
    # A worker that starts again must find a good one.
    replace(database, DEMO_DATABASE.read_bytes())


def test_a_clock_hours_off_destroys_no_window(job: LiveJob) -> None:
    before = {row["window_start"]: row for row in job.rows("traffic_overview")}
    day = 24 * 3600
    now = [line(5000 + n, 2 * NEXT_HOUR + n // 10) for n in range(300)]
    # The clock of one server is nine hours behind, and that of another three days ahead.
    behind = [line(6000 + n, 2 * NEXT_HOUR - 9 * 3600 + n, host="198.51.100.1") for n in range(30)]
    ahead = [line(7000 + n, 3 * day, host="198.51.100.2") for n in range(30)]
    mixed = [
        one
        for n in range(300)
        for one in (now[n], *((behind[n // 10], ahead[n // 10]) if n % 10 == 0 else ()))
    ]
    late_before = len(job.rows("late"))
    job.give(mixed)
    # Flink reads the second of two files first when it finds both at once.
    job.wait_until_accounted()
    job.give([line(8000 + n, 3 * NEXT_HOUR + n) for n in range(60)])
    job.wait_until_accounted()
    job.wait_until(
        lambda: any(
            row["window_start"] == "2025-10-28T12:00:00Z" for row in job.rows("traffic_overview")
        ),
        "the window of the good clocks",
    )
    windows = {row["window_start"]: row["requests"] for row in job.rows("traffic_overview")}
    assert windows["2025-10-28T12:00:00Z"] == 300
    assert before.keys() <= windows.keys()
    # Lines behind are late, lines ahead wait for their window, and all of them are enriched.
    job.wait_until(lambda: len(job.rows("late")) == late_before + 30, "the late lines")


def test_a_killed_worker_costs_a_restart_and_no_line(job: LiveJob) -> None:
    first = job.workers()
    assert first
    before = len(job.rows("enriched"))
    job.give(good(10_000, KILLED_AMONG, 4 * NEXT_HOUR))
    job.wait_until(lambda: job.metrics().total("lines_in") > before + 1000, "some of the lines")
    os.kill(first[0], signal.SIGKILL)
    job.wait_until_accounted()

    assert set(job.workers()).isdisjoint(first)
    assert job.job.get("/exceptions")["exceptionHistory"]["entries"]
    ids = job.event_ids()
    assert len(ids) == before + KILLED_AMONG
    assert set(ids.values()) == {1}
