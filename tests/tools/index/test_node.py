"""`./build.sh index` into a real node: the bundled log's results, queries, and errors."""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace

import pytest
from opensearchpy import OpenSearch

from flink_app.sql_files import output_files
from tests.support.rows import Row
from tests.support.running import Run
from tests.support.saved_objects import Visualisation, visualisations
from tests.tools.index.conftest import PAGE, index, shown_command
from tools.cli import run_command
from tools.index.templates import fields
from udfs.config.root import ROOT

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

PARIS = (48.8566, 2.3522)
NETWORK = ip_network("66.249.64.0/19")  # of Googlebot


def counted(client: OpenSearch, alias: str, query: Row | None = None) -> int:
    client.indices.refresh(index=alias)
    count: int = client.count(index=alias, body={"query": query} if query else {})["count"]
    return count


def counts(client: OpenSearch, run: Run, prefix: str = "weblog") -> dict[str, int]:
    return {name: counted(client, f"{prefix}-{name}") for name in run.summary["outputs"]}


def kilometres(place: tuple[float, float], location: dict[str, float]) -> float:
    (lat, lon), (other_lat, other_lon) = (
        map(math.radians, pair) for pair in (place, (location["lat"], location["lon"]))
    )
    half = (
        math.sin((other_lat - lat) / 2) ** 2
        + math.cos(lat) * math.cos(other_lat) * math.sin((other_lon - lon) / 2) ** 2
    )
    return 2 * 6371.0088 * math.asin(math.sqrt(half))


def finished(folder: Path, output: str, rows: list[Row], counted_rows: int | None = None) -> Path:
    """Writes a finished run with one output."""
    (folder / output).mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / output / "part-00000.jsonl").write_text(text, "utf-8")
    number = len(rows) if counted_rows is None else counted_rows
    (folder / "summary.json").write_text(json.dumps({"outputs": {output: number}}), "utf-8")
    return folder


# --- the bundled log ---------------------------------------------------------------------


def test_each_row_is_a_document(
    client: OpenSearch, sample_run: Run, loaded: subprocess.CompletedProcess[str]
) -> None:
    expected = sample_run.summary["outputs"]
    assert sum(expected[name] for name in ("enriched", "filtered", "dead_letters")) == 10_000
    assert counts(client, sample_run) == expected
    assert f"{expected['enriched']:>12,}  weblog-enriched  (9,999 new)\n" in loaded.stdout
    assert loaded.stderr == ""
    ignored = {"exists": {"field": "_ignored"}}
    assert counted(client, "weblog-enriched", ignored) == 0


@pytest.mark.usefixtures("loaded")
def test_lines_in_the_same_words_are_documents_of_their_own(
    client: OpenSearch, sample_run: Run
) -> None:
    repeated = Counter(row["event_id"] for row in sample_run.rows("enriched"))
    (twice, number), *_ = repeated.most_common(1)
    assert sum(repeated.values()) - len(repeated) == 19

    for position in range(1, number + 1):
        id_ = twice if position == 1 else f"{twice}-{position}"
        assert client.get(index="weblog-enriched", id=id_)["_source"]["event_id"] == twice
    assert counted(client, "weblog-enriched", {"term": {"event_id": twice}}) == number
    query = {"cardinality": {"field": "event_id", "precision_threshold": 40_000}}
    answer = client.search(index="weblog-enriched", body={"size": 0, "aggs": {"ids": query}})
    # OpenSearch estimates the number.
    assert answer["aggregations"]["ids"]["value"] == pytest.approx(len(repeated), rel=0.01)


@pytest.mark.usefixtures("loaded")
def test_a_geo_distance_query(client: OpenSearch, sample_run: Run) -> None:
    near = sum(
        row["location"] is not None and kilometres(PARIS, row["location"]) <= 100
        for row in sample_run.rows("enriched")
    )
    place = {"lat": PARIS[0], "lon": PARIS[1]}
    query = {"geo_distance": {"distance": "100km", "location": place}}
    assert counted(client, "weblog-enriched", query) == near > 0


@pytest.mark.usefixtures("loaded")
def test_an_ip_range_query(client: OpenSearch, sample_run: Run) -> None:
    of_network = sum(ip_address(row["host"]) in NETWORK for row in sample_run.rows("enriched"))
    query = {"term": {"host": str(NETWORK)}}
    assert counted(client, "weblog-enriched", query) == of_network > 0


@pytest.mark.usefixtures("loaded")
def test_a_search_by_words_and_by_time(client: OpenSearch, sample_run: Run) -> None:
    rows = sample_run.rows("enriched")
    words = {"match_phrase": {"agent": "Googlebot/2.1"}}
    bots = sum("Googlebot/2.1" in row["agent"] for row in rows)
    assert counted(client, "weblog-enriched", words) == bots > 0
    # Times in the log's notation and as instants agree.
    later = sum(row["event_time"] >= "2015-05-19" for row in rows)
    first = {"event_time": "2015-05-19T00:00:00Z", "datetime": "19/May/2015:00:00:00 +0000"}
    for name, text in first.items():
        days = {"range": {name: {"gte": text}}}
        assert counted(client, "weblog-enriched", days) == later > 0


def test_loading_again_changes_nothing_also_after_a_rollover(
    client: OpenSearch, url: str, sample_run: Run, tmp_path: Path
) -> None:
    rows = sample_run.rows("enriched")
    repeated = Counter(row["event_id"] for row in rows)
    # Identical lines, and more than a batch of others.
    some = [row for row in rows if repeated[row["event_id"]] > 1] + rows[-600:]
    records = [str(finished(tmp_path / "out", "enriched", some)), "--only", "enriched"]
    others = [str(sample_run.folder), "--only", "alerts", "--only", "page_flow"]
    expected = {
        "enriched": len(some),
        **{name: sample_run.summary["outputs"][name] for name in ("alerts", "page_flow")},
    }

    def load() -> str:
        ends = [index(*command, "--to", url, "--prefix", "again") for command in (records, others)]
        assert [(ended.returncode, ended.stderr) for ended in ends] == [(0, "")] * 2
        return "".join(ended.stdout for ended in ends)

    def there() -> dict[str, int]:
        return {name: counted(client, f"again-{name}") for name in expected}

    load()
    assert there() == expected
    assert load().count("(0 new)") == 3
    for name in expected:
        assert client.indices.rollover(alias=f"again-{name}", body={})["rolled_over"]
    assert load().count("(0 new)") == 3
    assert there() == expected


# --- the saved objects ---------------------------------------------------------------------

DASHBOARD = ROOT / "examples" / "opensearch" / "dashboard.ndjson"
VISUALISATIONS = {one.title: one for one in visualisations(DASHBOARD)}
TIMED = "Response times"


def check(client: OpenSearch, shown: Visualisation, alias: str, rows: list[Row]) -> None:
    """Compares OpenSearch's counts with the rows in the index."""
    answer = client.search(index=alias, body=shown.request())
    assert answer["_shards"]["failed"] == 0
    given, expected = shown.shown(answer), shown.expected(rows)
    assert given
    for path, numbers in given.items():
        assert numbers == pytest.approx(expected[path]), path
    (first, *_), (by, *_) = shown.buckets, shown.metrics
    if len(shown.buckets) == 1:
        # The groups shown come before the others.
        size = first["params"].get("size", len(expected))
        assert len(given) == min(size, len(expected))
        if first["type"] == "terms":
            best = sorted((numbers[by["id"]] for numbers in expected.values()), reverse=True)
            assert [numbers[by["id"]] for numbers in given.values()] == best[:size]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("title", sorted(VISUALISATIONS.keys() - {TIMED}))
def test_a_visualisation_shows_the_numbers_of_the_run(
    client: OpenSearch, sample_run: Run, title: str
) -> None:
    shown = VISUALISATIONS[title]
    check(client, shown, shown.alias, sample_run.rows(shown.alias.removeprefix("weblog-")))


def test_response_times_are_shown_where_lines_have_them(
    client: OpenSearch, url: str, sample_run: Run, tmp_path: Path
) -> None:
    rows = [
        row | {"request_time_ms": number * 37 % 5_000}
        for number, row in enumerate(sample_run.rows("enriched")[:2_000])
    ]
    out = finished(tmp_path / "out", "enriched", rows)
    assert index(str(out), "--to", url, "--prefix", "timed", "--only", "enriched").returncode == 0
    shown = VISUALISATIONS[TIMED]
    check(client, shown, shown.alias.replace("weblog", "timed"), rows)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("title", "of_summary", "name", "numbers"),
    [
        ("Countries", "traffic_per_country", "country", ["requests"]),
        ("Bots by kind", "bots", "bot_kind", ["requests"]),
        ("Errors per page", "errors_per_page", "webpage", ["client_errors", "server_errors"]),
    ],
)
def test_a_visualisation_shows_the_numbers_of_the_summary(
    client: OpenSearch,
    sample_run: Run,
    *,
    title: str,
    of_summary: str,
    name: str,
    numbers: list[str],
) -> None:
    shown = VISUALISATIONS[title]
    answer = shown.shown(client.search(index=shown.alias, body=shown.request()))
    summary = sample_run.summary[of_summary]
    assert summary
    for row in summary:
        assert list(answer[row[name],].values()) == [row[number] for number in numbers]


def test_the_saved_objects_refer_to_one_another() -> None:
    objects = [json.loads(line) for line in DASHBOARD.read_text("utf-8").splitlines()]
    known = {(one["type"], one["id"]) for one in objects}
    assert len(known) == len(objects)
    assert {(to["type"], to["id"]) for one in objects for to in one["references"]} <= known
    (dashboard,) = (one for one in objects if one["type"] == "dashboard")
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    names = [reference["name"] for reference in dashboard["references"]]
    assert [panel["panelRefName"] for panel in panels] == names
    assert len(names) == len(VISUALISATIONS)
    outputs = {output.name: output for output in output_files()}
    for one in objects:
        if one["type"] == "index-pattern":
            alias, time = one["attributes"]["title"], one["attributes"]["timeFieldName"]
            assert fields(outputs[alias.removeprefix("weblog-")])[time]["type"] == "date"


# --- rows that are odd, refused, or not there ----------------------------------------------


@pytest.fixture
def record(sample_run: Run) -> Row:
    return sample_run.rows("enriched")[0]


@pytest.mark.parametrize(
    "odd",
    [
        {"host": "crawl.example.com"},
        {"proxy": "unknown"},
        {"host": None, "location": None, "country": None},
        {"path": "/" + "\N{EURO SIGN}" * 40_000, "request": "G" * 60_000, "agent": "a " * 30_000},
        {"datetime": "17/May/2015:10:05:60 +0000"},
        {"extra": {"a": "x" * 40_000, "b..c": "", ".": None, "$d": "e"}},
        {"reference": {"owner": {"name": "x"}, "since": 3}},
        {"a_field_of_later": {"x": [1, "2"]}},
        {"webpage": "\u0000\u2028\U000e0001", "vhost": "*"},
        {"bytes_sent": 10**18 - 1},
    ],
)
def test_no_line_of_a_log_is_refused(
    client: OpenSearch, url: str, record: Row, odd: Row, tmp_path: Path
) -> None:
    out = finished(tmp_path / "out", "enriched", [record | odd])
    ended = index(str(out), "--to", url, "--prefix", "odd", "--only", "enriched")
    assert (ended.returncode, ended.stderr) == (0, "")
    source = client.get(index="odd-enriched", id=record["event_id"])["_source"]
    assert source == record | odd
    for name in ("host", "proxy"):
        if odd.get(name):
            hosts = {"term": {f"{name}.keyword": odd[name]}}
            assert counted(client, "odd-enriched", hosts) == 1


def test_refused_rows_are_reported_and_the_others_are_loaded(
    client: OpenSearch, url: str, record: Row, tmp_path: Path
) -> None:
    good = record | {"event_id": "0" * 32}
    bad = record | {"event_id": "1" * 32, "event_time": "yes\x1b[1mterday"}
    out = finished(tmp_path / "out", "enriched", [bad, good])

    ended = index(str(out), "--to", url, "--prefix", "refusing", "--only", "enriched")

    assert ended.returncode == 1
    first, second = ended.stderr.splitlines()
    assert first.startswith(f"error: refusing-enriched refused 1 rows, the first {'1' * 32}: ")
    assert "[event_time]" in first
    assert second == (
        "error: 1 times date_time_parse_exception: Failed to parse with all enclosed parsers"
    )
    assert "\x1b" not in first
    assert counted(client, "refusing-enriched") == 1


def test_a_busy_cluster_is_given_time(
    client: OpenSearch, url: str, record: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = finished(tmp_path / "out", "enriched", [record | {"event_id": "2" * 32}, record])
    command = [str(out), "--to", url, "--prefix", "busy", "--only", "enriched"]
    assert run_command("index", command[1:]) == 0

    def block(state: bool | None) -> None:
        # A blocked index answers with status 429, as a full queue does.
        settings = {"index.blocks.read_only_allow_delete": state}
        client.indices.put_settings(index="busy-enriched", body=settings)

    pauses: list[float] = []

    def load_while(after_a_pause: bool | None) -> int:
        def pause(seconds: float) -> None:
            pauses.append(seconds)
            block(after_a_pause)

        pauses.clear()
        monkeypatch.setattr("opensearchpy.helpers.actions.time", SimpleNamespace(sleep=pause))
        block(True)
        return run_command("index", command)

    assert load_while(after_a_pause=True) == 1
    assert pauses == [1, 2, 4, 8, 16]
    assert counted(client, "busy-enriched") == 0
    assert load_while(after_a_pause=None) == 0
    assert pauses == [1]
    assert counted(client, "busy-enriched") == 2


def test_a_run_that_changed_is_not_taken_for_complete(
    url: str, record: Row, tmp_path: Path
) -> None:
    out = finished(tmp_path / "out", "enriched", [record], counted_rows=2)
    ended = index(str(out), "--to", url, "--prefix", "changed", "--only", "enriched")
    assert ended.returncode == 1
    assert "holds 1 rows and summary.json says 2" in ended.stderr


def test_an_index_in_the_place_of_an_alias_is_an_error(client: OpenSearch, url: str) -> None:
    client.indices.create(index="taken-alerts")
    ended = index("--to", url, "--prefix", "taken", "--only", "alerts")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "taken-alerts" in ended.stderr


# --- the documentation ---------------------------------------------------------------------


@pytest.mark.usefixtures("loaded")
def test_the_query_of_the_documentation_gives_the_answer_shown(client: OpenSearch) -> None:
    shown = r"^(curl -s .*?)```\n```json\n(.*?)```"
    ((query, answer),) = re.findall(shown, PAGE, re.MULTILINE | re.DOTALL)
    _, _, address, *_, body = shlex.split(query.replace("\\\n", " "))
    path, _, parameters = address.removeprefix("http://localhost:9200").partition("?")
    given = client.transport.perform_request(
        "GET", path, params=dict([parameters.split("=")]), body=json.loads(body)
    )
    assert given == json.loads(answer)


def test_the_documentation_loads_as_the_tests_do(url: str) -> None:
    assert shown_command("./build.sh index out") == [
        *("./build.sh", "index", "out", "--to", "http://localhost:9200")
    ]
    assert shown_command("./build.sh run") == ["./build.sh", "run"]
    # The node listens at the next port.
    java = shown_command("java")
    assert java[java.index("-baseHttpPort") + 1] == str(9200 - 1)
    assert url.startswith("http://127.0.0.1:")
