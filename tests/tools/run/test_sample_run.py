"""The bundled real log, end to end, against counts made here from the raw text.

The expected values come from one loose regular expression, the standard library and the GeoIP
database's own reader, not from `udfs`.
"""

from __future__ import annotations

import gzip
import re
import shutil
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import maxminddb
import pytest

from tests.support.core import DEMO_DATABASE, SAMPLE
from tests.support.rows import Row
from tests.support.running import Run, only, run_as_user

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

LINE = re.compile(r'(\S+) \S+ \S+ \[(.+?)\] "(.*?)" (\d{3}) (\S+) "(.*?)" "(.*)"\n')
# All kinds of assets in the sample's requests.
ASSETS = {"css", "gif", "ico", "jpeg", "jpg", "js", "png", "svg", "ttf", "woff"}
MINUTE = timedelta(minutes=1)
SESSION_GAP = timedelta(minutes=30)


class Seen:
    """A good line of the sample, read in the simplest way."""

    def __init__(self, line: str, database: maxminddb.Reader) -> None:
        match = LINE.fullmatch(line)
        assert match is not None, line
        self.host, time, self.request, status, size, self.referer, self.agent = match.groups()
        self.time = datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        self.window = self.time.replace(second=0)
        self.status = int(status)
        self.size = 0 if size == "-" else int(size)
        record = database.get(self.host)
        assert isinstance(record, dict)
        self.country = record["country"]["names"]["en"]  # type: ignore[index, call-overload]
        target = self.request.split(" ")[1]
        path = path_of(target)
        self.webpage = page_of(path) if path.startswith("/") else None
        self.is_asset = path.rpartition(".")[2].lower() in ASSETS


def path_of(target: str) -> str:
    return re.split("[?#;]", target)[0]


def page_of(path: str) -> str:
    segments = [one for one in path.split("/") if one]
    if not segments:
        return "index"
    last = unquote(segments[-1])
    if path.endswith("/"):
        return last
    # Letters and digits after the last dot, up to eight and not only digits.
    return re.sub(r"(?<=.)[.](?![0-9]+$)[A-Za-z0-9]{1,8}$", "", last)


@pytest.fixture(scope="module")
def sample() -> list[str]:
    with gzip.open(SAMPLE, "rt", encoding="ascii", newline="\n") as stream:
        return list(stream)


@pytest.fixture(scope="module")
def seen(sample: list[str]) -> list[Seen]:
    with maxminddb.open_database(DEMO_DATABASE) as database:
        return [Seen(line, database) for line in sample if LINE.fullmatch(line)]


@pytest.fixture(scope="module")
def result(sample_run: Run) -> Run:
    return sample_run


def iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def window_rows(rows: list[Row], *columns: str) -> dict[tuple[object, ...], Row]:
    """Returns rows by window start and key columns; each key must be there once."""
    keyed = {(row["window_start"], *(row[column] for column in columns)): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def test_every_line_is_accounted_for(result: Run, sample: list[str]) -> None:
    assert result.status == 0
    assert len(sample) == 10_000
    summary = result.summary
    assert summary["lines_in"] == 10_000
    assert summary["enriched"] == 9_999
    assert summary["filtered"] == {}
    assert summary["dead_lettered"] == {"parse/unterminated_quote": 1}
    assert summary["late"] == 0
    assert "9,999 + 0 + 1 = 10,000" in result.printed


def test_the_dead_letter_holds_the_original_line(result: Run, sample: list[str]) -> None:
    (letter,) = result.rows("dead_letters")
    (broken,) = [line for line in sample if not LINE.fullmatch(line)]
    assert letter["raw"] == broken.rstrip("\n")
    assert (letter["stage"], letter["raw_encoding"]) == ("parse", "utf-8")


def test_enriched_records_keep_the_log_fields_and_the_order(result: Run, seen: list[Seen]) -> None:
    contract = [
        "host", "datetime", "request", "response", "bytes", "referer", "agent", "city",
        "country", "location", "os", "browser", "webpage", "refering_page",
    ]  # fmt: skip
    rows = result.rows("enriched")
    assert all(list(row)[:14] == contract for row in rows)
    written = Counter(
        (row["host"], row["request"], row["response"], row["referer"], row["agent"], row["country"])
        for row in rows
    )
    assert written == Counter(
        (one.host, one.request, str(one.status), one.referer, one.agent, one.country)
        for one in seen
    )


def test_webpage_is_the_last_path_segment(result: Run, seen: list[Seen]) -> None:
    written = Counter((row["request"], row["webpage"]) for row in result.rows("enriched"))
    assert written == Counter((one.request, one.webpage) for one in seen)


def test_errors_per_page(result: Run, seen: list[Seen]) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in seen:
        counts = expected[iso(one.window), one.webpage]
        counts[0] += 1
        counts[1] += 400 <= one.status < 500
        counts[2] += one.status >= 500
    rows = window_rows(result.rows("errors_per_page"), "webpage")
    assert {
        key: [row["requests"], row["client_errors"], row["server_errors"]]
        for key, row in rows.items()
    } == expected
    assert all(
        row["error_rate"]
        == pytest.approx((row["client_errors"] + row["server_errors"]) / row["requests"])
        for row in rows.values()
    )


def test_errors_per_page_over_sliding_windows(result: Run, seen: list[Seen]) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in seen:
        for minutes in range(5):
            start = one.window - minutes * MINUTE
            counts = expected[iso(start), iso(start + 5 * MINUTE), one.webpage]
            counts[0] += 1
            counts[1] += 400 <= one.status < 500
            counts[2] += one.status >= 500
    rows = result.rows("errors_per_page_sliding")
    assert len(rows) == len(expected)
    assert {
        (row["window_start"], row["window_end"], row["webpage"]): [
            row["requests"], row["client_errors"], row["server_errors"], row["error_rate"],
        ]
        for row in rows
    } == {
        key: [requests, client, server, (client + server) / requests]
        for key, (requests, client, server) in expected.items()
    }  # fmt: skip


def test_traffic_per_country(result: Run, seen: list[Seen]) -> None:
    requests: Counter[tuple[object, ...]] = Counter()
    sizes: Counter[tuple[object, ...]] = Counter()
    hosts: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for one in seen:
        key = (iso(one.window), one.country)
        requests[key] += 1
        sizes[key] += one.size
        hosts[key].add(one.host)
    rows = window_rows(result.rows("traffic_per_country"), "country")
    assert {
        key: (row["requests"], row["bytes_sent"], row["distinct_hosts"])
        for key, row in rows.items()
    } == {key: (requests[key], sizes[key], len(hosts[key])) for key in requests}


def test_traffic_overview(result: Run, seen: list[Seen]) -> None:
    classes: Counter[tuple[str, int]] = Counter((iso(o.window), o.status // 100) for o in seen)
    bots = Counter(
        row["event_time"][:17] + "00Z" for row in result.rows("enriched") if row["is_bot"]
    )
    sizes: Counter[str] = Counter()
    for one in seen:
        sizes[iso(one.window)] += one.size
    names = ("informational", "successes", "redirections", "client_errors", "server_errors")
    rows = window_rows(result.rows("traffic_overview"))
    assert set(rows) == {(start,) for start, _ in classes}
    for (start,), row in rows.items():
        assert [row[name] for name in names] == [classes[str(start), n] for n in range(1, 6)]
        assert row["requests"] == sum(row[name] for name in names)
        assert row["bytes_sent"] == sizes[str(start)]
        assert row["error_rate"] == sum(row[name] for name in names[3:]) / row["requests"]
        assert row["bot_requests"] == bots[str(start)]
        assert row["bot_share"] == row["bot_requests"] / row["requests"]


def test_top_pages(result: Run, seen: list[Seen]) -> None:
    pages: dict[str, Counter[str]] = defaultdict(Counter)
    for one in seen:
        if one.webpage is not None:
            pages[iso(one.window)][one.webpage] += 1
    expected = {
        (start, rank): page
        for start, counts in pages.items()
        for rank, page in enumerate(sorted(counts.items(), key=lambda p: (-p[1], p[0]))[:10], 1)
    }
    rows = window_rows(result.rows("top_pages"), "page_rank")
    assert {k: (row["webpage"], row["requests"]) for k, row in rows.items()} == expected


def test_traffic_per_client(result: Run) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0])
    for one in result.rows("enriched"):
        window = one["event_time"][:17] + "00Z"
        counts = expected[window, one["device_type"], one["os"], one["browser"]]
        counts[0] += 1
        counts[1] += 0 if one["bytes"] == "-" else int(one["bytes"])
    rows = window_rows(result.rows("traffic_per_client"), "device_type", "os", "browser")
    assert {key: [row["requests"], row["bytes_sent"]] for key, row in rows.items()} == expected


def site_of(referer: str) -> str | None:
    return urlsplit(unescaped(referer)).hostname


def unescaped(referer: str) -> str:
    # Some referrers are in Windows' Cyrillic letters, which the log has as \xNN.
    return re.sub(
        r"(?:\\x[0-9a-f]{2})+",
        lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode("utf-8", "replace"),
        referer.replace('\\"', '"'),
    )


def test_referrers(result: Run, seen: list[Seen]) -> None:
    expected = Counter(
        (one["event_time"][:17] + "00Z", one["referer_type"], site_of(one["referer"]))
        for one in result.rows("enriched")
    )
    rows = window_rows(result.rows("referrers"), "referer_type", "referring_site")
    assert {key: row["requests"] for key, row in rows.items()} == expected
    by_type: Counter[object] = Counter()
    for (_, kind, _), requests in expected.items():
        by_type[kind] += requests
    assert by_type["none"] == sum(one.referer == "-" for one in seen)
    assert by_type["internal"] == sum(
        (urlsplit(one.referer).hostname or "").endswith("semicomplete.com") for one in seen
    )


def test_bots(result: Run) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0])
    for one in result.rows("enriched"):
        if one["is_bot"]:
            counts = expected[one["event_time"][:17] + "00Z", one["bot_kind"], one["browser"]]
            counts[0] += 1
            counts[1] += 0 if one["bytes"] == "-" else int(one["bytes"])
    rows = window_rows(result.rows("bots"), "bot_kind", "bot")
    assert {key: [row["requests"], row["bytes_sent"]] for key, row in rows.items()} == expected
    by_name: Counter[str] = Counter()
    for row in rows.values():
        by_name[row["bot"]] += row["requests"]
    named = sum("Googlebot/2.1" in one["agent"] for one in result.rows("enriched"))
    assert by_name["Googlebot"] >= named > 100


def test_page_flow(result: Run, seen: list[Seen]) -> None:
    expected = Counter(
        (iso(one.window), page_of(path_of(urlsplit(unescaped(one.referer)).path)), one.webpage)
        for one in seen
        if (site_of(one.referer) or "").endswith("semicomplete.com") and not one.is_asset
    )
    rows = window_rows(result.rows("page_flow"), "refering_page", "webpage")
    assert {key: row["requests"] for key, row in rows.items()} == expected


def test_without_times_in_the_log_there_is_no_output_of_them(result: Run) -> None:
    assert "response_times" not in result.summary["outputs"]
    assert not (result.folder / "response_times").exists()


def test_sessions(result: Run, seen: list[Seen]) -> None:
    by_host: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        by_host[one.host].append(one)
    expected: Counter[tuple[str, str, str, int, int, int, int]] = Counter()
    for host, requests in by_host.items():
        requests.sort(key=lambda one: one.time)
        visits: list[list[Seen]] = []
        for one in requests:
            if not visits or one.window - visits[-1][-1].window > SESSION_GAP:
                visits.append([])
            visits[-1].append(one)
        for visit in visits:
            views = sum(not one.is_asset for one in visit)
            errors = sum(one.status >= 400 for one in visit)
            last, sent = visit[-1].time + SESSION_GAP, sum(one.size for one in visit)
            expected[host, iso(visit[0].time), iso(last), len(visit), views, sent, errors] += 1
    columns = (
        "host", "window_start", "window_end", "requests", "page_views", "bytes_sent", "errors",
    )  # fmt: skip
    written = Counter(tuple(row[name] for name in columns) for row in result.rows("sessions"))
    assert written == expected


def test_the_default_alerts(result: Run, seen: list[Seen]) -> None:
    requests = Counter(one.window for one in seen)
    errors = Counter(one.window for one in seen if one.status >= 400)
    hosts = Counter((one.window, one.host) for one in seen)
    pages = Counter((one.window, one.webpage) for one in seen if one.status >= 400)
    breaches = {
        ("site_errors", "", window, errors[window] / count)
        for window, count in requests.items()
        if count >= 100 and errors[window] >= 10 and errors[window] / count > 0.01
    } | {
        ("host_spike", host, window, count)
        for (window, host), count in hosts.items()
        if count > 100
    }
    # The default rules give no other alert: no page has as many errors, and an hour between bursts
    # leaves no baseline to exceed.
    assert max(pages.values()) < 10
    quiet = timedelta(minutes=5)
    expected = {
        (name, subject, state, iso(window), iso(changed), value)
        for name, subject, window, value in breaches
        for state, changed in (("started", window + MINUTE), ("ended", window + MINUTE + quiet))
    }
    rows = result.rows("alerts")
    assert len(rows) == len(expected) == 4
    assert {
        (
            r["alert"],
            r["subject"],
            r["state"],
            r["window_start"],
            r["changed_at"],
            r["metric_value"],
        )
        for r in rows
    } == expected


def test_a_second_run_replaces_the_first(result: Run, tmp_path: Path) -> None:
    # Two workers in the other execution mode write the same results into the same folder.
    before = sorted(result.lines("enriched"))
    aggregates = sorted(result.lines("traffic_per_country"))
    # The run writes into a copy, as other tests look at the first run.
    output = tmp_path / "out"
    shutil.copytree(result.folder, output)
    stale = output / "sessions" / "part-99999.jsonl"
    stale.touch()
    again = run_as_user(
        output,
        *("--parallelism", "2", "--set", "weblog.job:execution.mode=thread"),
        *only("traffic_per_country"),
    )
    assert again.status == 0, again.errors
    assert not stale.exists()
    assert sorted(again.lines("enriched")) == before
    assert sorted(again.lines("traffic_per_country")) == aggregates
    assert len(again.rows("dead_letters")) == 1
