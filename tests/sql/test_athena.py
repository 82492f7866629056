"""The lake's tables and queries, against the outputs and their numbers."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest

from flink_app.sql_files import OutputFile, output_files
from tests.support.core import DATA, combined, dead, enriched, enricher
from tests.support.lake import QUERIES, ask, declared, opened
from tests.support.rows import Row
from tests.support.running import Run, only, run_as_user
from tools.deploy.tables import FOLDER, PARTITIONS, declaration
from tools.replay.letters import read_letter

OUTPUTS = output_files()
NAMES = [one.name for one in OUTPUTS]


@pytest.mark.parametrize("output", OUTPUTS, ids=NAMES)
def test_the_tables_are_of_the_schemas(output: OutputFile) -> None:
    written = (FOLDER / f"{output.name}.sql").read_text("utf-8")
    assert written == declaration(output), "run python -m tools.deploy.tables"


def test_each_output_has_a_table_and_there_is_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.sql")} == set(NAMES)


@pytest.mark.parametrize("path", sorted(QUERIES.glob("*.sql")), ids=lambda path: path.stem)
def test_a_query_says_what_it_answers_and_reads_only_the_days_asked_for(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("-- ")
    assert "\n-- Parameters: the first and the last day, such as " in text
    # Without the days, Athena would look into every hour since the first day of the tables.
    assert text.count("event_date BETWEEN ? AND ?") == text.count("?\n") == 1


# --- over the run of the bundled log -----------------------------------------------------------


@pytest.fixture(scope="module")
def lake(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Writes the run's outputs as Firehose does: in Parquet, with its folders and types."""
    assert sample_run.status == 0, sample_run.errors
    files = opened(sample_run.folder, *(name for name in NAMES if name in written(sample_run)))
    folder = tmp_path_factory.mktemp("lake")
    parquet = duckdb.connect()
    for name in written(sample_run):
        to = f"'{folder / name}'"
        files.execute(
            f"COPY {name} TO {to} (FORMAT parquet, PARTITION_BY ({', '.join(PARTITIONS)}))"
        )
        parquet.execute(
            f"CREATE TABLE {name} AS SELECT * FROM "  # noqa: S608
            f"read_parquet('{folder / name}/*/*/*', hive_partitioning = 1, hive_types_autocast = 0)"
        )
    return parquet


def written(run: Run) -> list[str]:
    """Returns the names of the outputs with rows."""
    return [name for name, rows in run.summary["outputs"].items() if rows]


@pytest.mark.minicluster
@pytest.mark.slow
class TestOverTheRun:
    """Each answer against the run's outputs."""

    def test_the_tables_hold_what_the_outputs_hold(
        self, lake: duckdb.DuckDBPyConnection, sample_run: Run
    ) -> None:
        assert {"enriched", "dead_letters", "sessions", "alerts"} < {*written(sample_run)}
        for name in written(sample_run):
            answered = lake.table(name)
            own = [*declared(name)]
            assert answered.columns == [*own, *PARTITIONS]
            seen = [dict(zip(answered.columns, row, strict=True)) for row in answered.fetchall()]
            # A column that a record lacks is null; every other column has the record's value.
            rows = Counter(
                json.dumps([row.get(one) for one in own]) for row in sample_run.rows(name)
            )
            assert not rows - Counter(json.dumps([row[one] for one in own]) for row in seen)
            assert len(seen) == rows.total()
            # The job's file sink and Firehose use the same folders.
            for row in seen if name != "dead_letters" else ():
                time = row["event_time" if "event_time" in row else "window_start"]
                assert (row["event_date"], row["event_hour"]) == (time[:10], time[11:13])

    def test_errors_per_page(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        columns = ("requests", "client_errors", "server_errors")
        pages = sums(sample_run.rows("errors_per_page"), ("day", "webpage"), columns)
        assert {
            (row["event_date"], row["webpage"]): tuple(row[one] for one in columns)
            for row in ask(lake, "errors_per_page")
        } == {page: counts for page, counts in pages.items() if sum(counts[1:])}
        most = sample_run.summary["errors_per_page"][0]
        rows = [row for row in ask(lake, "errors_per_page") if row["webpage"] == most["webpage"]]
        assert sum(row["client_errors"] for row in rows) == most["client_errors"] == 61

    def test_statuses_per_day(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        columns = (
            "requests", "informational", "successes", "redirections", "client_errors",
            "server_errors",
        )  # fmt: skip
        expected = sums(sample_run.rows("traffic_overview"), ("day",), columns)
        answer = ask(lake, "statuses_per_day")
        assert by(answer, ("event_date",), columns) == expected
        for row in answer:
            errors = row["client_errors"] + row["server_errors"]
            assert row["error_rate"] == errors / row["requests"]

    def test_busiest_hours(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        rows = [
            row
            | {
                "hour": row["window_start"][11:13],
                "errors": row["client_errors"] + row["server_errors"],
            }
            for row in sample_run.rows("traffic_overview")
        ]
        columns = ("requests", "bytes_sent", "errors")
        hours = sums(rows, ("day", "hour"), columns)
        answer = by(ask(lake, "busiest_hours"), ("event_date", "event_hour"), columns)
        assert len(answer) == 24
        assert answer.items() <= hours.items()
        assert (
            min(one[0] for one in answer.values()) >= sorted(one[0] for one in hours.values())[-24]
        )

    def test_bytes_per_country(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        columns = ("requests", "bytes_sent")
        answer = ask(lake, "bytes_per_country")
        expected = sums(sample_run.rows("traffic_per_country"), ("country",), columns)
        assert by(answer, ("country",), columns) == expected
        bots = sum(row["bytes_sent"] for row in sample_run.rows("bots"))
        assert sum(row["to_bots"] for row in answer) == bots

    def test_top_countries(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        people = [row for row in sample_run.rows("enriched") if not row["is_bot"]]
        requests = Counter(row["country"] for row in people)
        hosts = Counter(country for country, _ in {(r["country"], r["host"]) for r in people})
        answer = ask(lake, "top_countries")
        assert [row["requests"] for row in answer] == [n for _, n in requests.most_common(10)]
        for row in answer:
            country = row["country"]
            assert (row["requests"], row["hosts"]) == (requests[country], hosts[country])
            assert row["share"] == requests[country] / len(people)

    @pytest.mark.parametrize(("query", "kind"), [("bots", None), ("ai_crawlers", "ai")])
    def test_bots(
        self, lake: duckdb.DuckDBPyConnection, sample_run: Run, query: str, kind: str | None
    ) -> None:
        rows = [row for row in sample_run.rows("bots") if kind in {None, row["bot_kind"]}]
        keys = ("bot",) if kind else ("bot_kind", "bot")
        columns = ("requests", "bytes_sent")
        assert by(ask(lake, query), keys, columns) == sums(rows, keys, columns)

    def test_referrers(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        sites: Counter[tuple[object, ...]] = Counter(
            (row["referer_type"], urlsplit(row["referer"]).hostname)
            for row in sample_run.rows("enriched")
            if row["referer_type"] not in {"internal", "none"}
        )
        answer = by(ask(lake, "referrers"), ("referer_type", "site"), ("requests",))
        assert len(answer) == 50
        assert answer["search", "www.google.com"][0] > 100
        assert answer == {key: (sites[key],) for key in answer}

    def test_sessions(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        visits: dict[str, list[Row]] = defaultdict(list)
        for row in sample_run.rows("sessions"):
            visits[row["window_start"][:10]].append(row)
        answer = {row["event_date"]: row for row in ask(lake, "sessions")}
        assert answer.keys() == visits.keys()
        for day, of_day in visits.items():
            views = [visit["page_views"] for visit in of_day]
            assert answer[day]["visits"] == len(of_day)
            assert answer[day]["requests"] == sum(visit["requests"] for visit in of_day)
            assert answer[day]["mean_page_views"] == pytest.approx(sum(views) / len(views))
            assert answer[day]["bounce_rate"] == sum(one <= 1 for one in views) / len(views)

    def test_dead_letters(self, lake: duckdb.DuckDBPyConnection, sample_run: Run) -> None:
        (letter,) = sample_run.rows("dead_letters")
        # The line has no readable time, so that of the failure counts.
        day = letter["failed_at"][:10]
        (row,) = ask(lake, "dead_letters", day, day)
        assert (row["stage"], row["reason"]) == ("parse", "unterminated_quote")
        assert (row["letters"], row["replayable"]) == (1, 1)
        assert row["first_failed"] == row["last_failed"] == letter["failed_at"]


@pytest.mark.minicluster
@pytest.mark.slow
def test_a_run_by_hour_lies_as_the_lake_does(sample_run: Run, tmp_path: Path) -> None:
    """A local run and the job's file sink write into the folders of the tables."""
    by_hour = ("--set", "weblog.sink.files:partition.by=hour")
    run = run_as_user(tmp_path / "out", *by_hour, *only("traffic_per_country"))
    assert run.status == 0, run.errors
    names = ("enriched", "dead_letters", "traffic_per_country")
    assert run.summary["enriched"] == 9_999
    for name in names:
        folders = {path.parent.parent.parent for path in run.folder.glob(f"{name}/*/*/*.jsonl")}
        assert folders == {run.folder / name}
    hourly, flat = opened(run.folder, *names, by_hour=True), opened(sample_run.folder, *names)
    for query in ("busiest_hours", "statuses_per_day", "sessions"):
        assert ask(hourly, query) == ask(flat, query)
    per_hour = "SELECT event_date, event_hour, COUNT(*) FROM {} GROUP BY ALL ORDER BY ALL"
    of_countries = per_hour.format("traffic_per_country")
    assert hourly.sql(of_countries).fetchall() == flat.sql(of_countries).fetchall()


# --- over what the log lacks -------------------------------------------------------------------

SETTINGS = {
    "weblog.parser": {"pattern": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D'},
    "weblog.geoip": {"asn.database.path": str(DATA / "GeoLite2-ASN-Test.mmdb")},
}
DAY = ("2025-10-28", "2025-10-28")
TELSTRA, AT_AND_T = "1.128.0.1", "12.81.92.1"


def lake_of(folder: Path, output: str, rows: Iterable[str]) -> duckdb.DuckDBPyConnection:
    (folder / output).mkdir()
    (folder / output / "part.jsonl").write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return opened(folder, output)


def test_slowest_pages(tmp_path: Path) -> None:
    core = enricher(SETTINGS)
    times = {"fast": [10] * 19 + [20], "slow": [*range(100, 300, 10)], "rare": [9_000] * 9}
    records = (
        enriched(core, combined(request=f"GET /{page}.html HTTP/1.1") + f" {milliseconds * 1000}")
        for page, of_page in times.items()
        for milliseconds in of_page
    )
    slow, fast = ask(
        lake_of(tmp_path, "enriched", [one.json for one in records]), "slowest_pages", *DAY
    )
    assert slow["p95_ms"] in range(270, 291)
    assert slow | {"p95_ms": 0} == {
        "webpage": "slow", "requests": 20, "mean_ms": 195.0, "p95_ms": 0, "max_ms": 290
    }  # fmt: skip
    assert (fast["webpage"], fast["mean_ms"], fast["max_ms"]) == ("fast", 10.5, 20)


def test_probes_per_network(tmp_path: Path) -> None:
    core = enricher(SETTINGS)
    lines = [
        *(
            combined(host=host, request="GET /../../etc/passwd HTTP/1.1")
            for host in (TELSTRA, "1.128.0.2")
        ),
        combined(host=AT_AND_T, request="GET /?q=%27%20UNION%20SELECT%201 HTTP/1.1"),
        combined(host=TELSTRA),
    ]
    records = [enriched(core, f"{line} 1000").json for line in lines]
    answer = ask(lake_of(tmp_path, "enriched", records), "probes_per_network", *DAY)
    columns = ("asn", "as_org", "probe", "requests", "hosts")
    assert [tuple(row[one] for one in columns) for row in answer] == [
        (1221, "Telstra Pty Ltd", "probe_path_traversal", 2, 2),
        (7018, "AT&T Services", "probe_sql_injection", 1, 1),
    ]
    assert answer[0]["first_seen"] == answer[0]["last_seen"] == "2025-10-28T10:15:30.000Z"


def test_ai_crawlers(tmp_path: Path) -> None:
    core = enricher()
    gpt = "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)"
    lines = [
        combined(agent=gpt, size="500"),
        combined(agent=gpt, size="-", request="GET /other HTTP/1.1"),
        combined(),
    ]
    records = [enriched(core, line).json for line in lines]
    assert ask(lake_of(tmp_path, "enriched", records), "ai_crawlers", *DAY) == [
        {"bot": "GPTBot", "bytes_sent": 500, "requests": 2, "pages": 2}
    ]


def test_replayable_dead_letters_are_those_that_replay_sends(tmp_path: Path) -> None:
    bad = combined(timestamp="28/Oct/2025:10:15:30 +0000", status="999")
    letters = [
        dead(enricher({"weblog.deadletters": settings}), bad).json
        for settings in ({}, {"privacy": "omitted"})
    ]
    long = bad.replace("product", "product" * 2_000)
    letters.append(dead(enricher({"weblog.deadletters": {"max.bytes": "4096"}}), long).json)
    letters += [
        json.dumps(json.loads(letters[0]) | {"reason": reason})
        for reason in ("attempts_exhausted", "too_many_lines")
    ]
    expected = Counter(
        row["reason"] for one in letters if (row := json.loads(one)) and sendable(one)
    )
    answer = ask(
        lake_of(tmp_path, "dead_letters", letters), "dead_letters", "2025-01-01", "2099-01-01"
    )
    assert sum(row["letters"] for row in answer) == len(letters)
    assert {row["reason"]: row["replayable"] for row in answer if row["replayable"]} == expected
    assert 0 < expected.total() < len(letters)


def sendable(letter: str) -> bool:
    read = read_letter(letter)
    assert read is not None
    return read.refusal is None


def sums(
    rows: Iterable[Row], keys: tuple[str, ...], columns: tuple[str, ...]
) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Returns the sums of windows' columns by keys, of which `day` is the day of the window."""
    totals: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0] * len(columns))
    for row in rows:
        dated = row | {"day": row["window_start"][:10]}
        total = totals[tuple(dated[key] for key in keys)]
        for index, column in enumerate(columns):
            total[index] += row[column]
    return {key: tuple(total) for key, total in totals.items()}


def by(
    rows: Iterable[Row], keys: tuple[str, ...], columns: tuple[str, ...]
) -> dict[tuple[object, ...], tuple[int, ...]]:
    """Returns columns of an answer by keys; each key must be there once."""
    keyed = [(tuple(row[one] for one in keys), tuple(row[one] for one in columns)) for row in rows]
    assert len(keyed) == len(dict(keyed))
    return dict(keyed)
