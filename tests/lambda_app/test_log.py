from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_app.deadline import Deadline
from lambda_app.errors import OutageError
from lambda_app.function import Function
from lambda_app.log import Invocation, invocation_line
from lambda_app.records import RecordProcessor
from lambda_app.settings import Settings
from lambda_app.tally import Tally
from tests.support.core import LOG_HEAD, NOW, combined, enricher
from tests.support.functions import (
    BAD,
    GOOD,
    FakeContext,
    FakeDestination,
    firehose_event,
    transformation,
)
from udfs.config.root import ROOT


def function(lines: list[str], dead_letters: FakeDestination | None = None) -> Function:
    core = enricher()
    work = transformation(
        dead_letters or FakeDestination(), of=RecordProcessor(core, Settings.load({}))
    )
    return Function(work, core, "WebLog/Test", clock=lambda: NOW, write=lines.append)


def logged(records: list[bytes]) -> dict[str, Any]:
    lines: list[str] = []
    function(lines)(firehose_event(records), FakeContext())
    (line,) = lines
    found: dict[str, Any] = json.loads(line)
    return found


def test_one_line_for_each_invocation() -> None:
    line = logged([GOOD, GOOD, BAD, b"\n"])

    assert list(line)[: len(LOG_HEAD)] == LOG_HEAD
    assert line["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert line["level"] == "WARNING"
    assert line["request_id"] == FakeContext.aws_request_id
    assert line["event_type"] == "firehose"
    assert line["records_processed"] == 4
    assert line["records_failed"] == 1
    assert 0 < line["duration_ms"] < 10_000
    assert line["dead_letter_reasons"] == {"parse/malformed_line": 1}
    assert "error" not in line


def test_a_good_batch_is_an_information() -> None:
    assert logged([GOOD])["level"] == "INFO"


def check_embedded_metrics(line: Mapping[str, Any]) -> dict[str, str]:
    """Checks a line against CloudWatch's embedded metric format, and returns the units by name."""
    metadata = line["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert metadata["Timestamp"] == int(NOW * 1000)
    (directive,) = metadata["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == "WebLog/Test"
    for dimensions in directive["Dimensions"]:
        assert all(isinstance(line[name], str) and line[name] for name in dimensions)
    assert 0 < len(directive["Metrics"]) <= 100
    units: dict[str, str] = {one["Name"]: one["Unit"] for one in directive["Metrics"]}
    assert len(units) == len(directive["Metrics"])
    for name, unit in units.items():
        assert isinstance(line[name], int | float)
        assert unit in {"Count", "Milliseconds", "Microseconds", "Percent"}
    return units


def test_metrics() -> None:
    line = logged([GOOD, GOOD + b"\n" + BAD, b"\n", b"\xff", GOOD])

    units = check_embedded_metrics(line)

    assert units["records_processed"] == "Count"
    assert units["duration_ms"] == "Milliseconds"
    assert line["lines_enriched"] == 3
    assert line["lines_filtered"] == line["filtered_blank_line"] == 1
    assert line["lines_dead_lettered"] == 2
    assert line["dead_lettered_parse"] == line["dead_lettered_decode"] == 1
    assert line["outages"] == line["messages_undelivered"] == line["records_deferred"] == 0
    assert {"lines_enriched", "filtered_blank_line", "dead_lettered_parse"} <= set(units)
    # The caches hold all four parts of the second and the third line.
    assert line["cache_hit_percent"] == pytest.approx(66.67)
    assert units["cache_hit_percent"] == "Percent"
    assert 0 < line["enrichment_micros_per_line"] < 1e6
    assert line["function_name"] == "weblog-transform"


def test_the_page_names_the_fields_and_the_metrics() -> None:
    page = (ROOT / "docs" / "lambda.md").read_text("utf-8")
    table = page.partition("| field | metric | what |")[2].partition("\n\n")[0]
    documented = {
        name: metric.strip() == "yes"
        for fields, metric in re.findall(r"^\| (`.*?`) \|(.*?)\|", table, re.MULTILINE)
        for name in re.findall(r"`(.*?)`", fields)
    }
    line = logged([GOOD, BAD, b"\n"])
    units = check_embedded_metrics(line)
    # Fields of every line, and of lines about errors, starts and partitions.
    others = {"timestamp", "request_id", "function_name", "_aws"}
    elsewhere = {"error", "geoip", "ignored_groups", "lines_misfiled"}

    written = {
        re.sub(r"^(filtered_|dead_lettered_).*", r"\1<>", name): name in units
        for name in line.keys() - others
    }
    assert written == {
        re.sub("<.*>", "<>", name): is_metric
        for name, is_metric in documented.items()
        if name not in elsewhere
    }
    assert elsewhere <= documented.keys()


def test_lines_in_the_folder_of_another_time_are_a_metric_where_there_are_any() -> None:
    lines: list[str] = []
    later = combined(timestamp="28/Oct/2025:11:00:00 +0000").encode()
    core = enricher()
    of = RecordProcessor(core, Settings.load({}))
    work = transformation(of=of, partition_by="hour")
    under_test = Function(work, core, "WebLog/Test", clock=lambda: NOW, write=lines.append)

    for records in ([GOOD, later], [GOOD + b"\n" + later]):
        under_test(firehose_event(records), FakeContext())

    first, second = map(json.loads, lines)
    assert "lines_misfiled" not in first
    assert second["lines_misfiled"] == 1
    assert check_embedded_metrics(second)["lines_misfiled"] == "Count"


def test_cache_hits_are_those_of_the_invocation() -> None:
    lines: list[str] = []
    under_test = function(lines)
    for records in ([GOOD], [GOOD], [b"\n"]):
        under_test(firehose_event(records), FakeContext())

    first, second, third = map(json.loads, lines)
    assert first["cache_hit_percent"] == 0
    assert second["cache_hit_percent"] == 100
    assert "cache_hit_percent" not in third


def test_an_outage_is_an_error() -> None:
    lines: list[str] = []

    with pytest.raises(OutageError):
        function(lines)(firehose_event([BAD] * 20), FakeContext())

    line = json.loads(lines[0])
    check_embedded_metrics(line)
    assert line["level"] == "ERROR"
    assert line["error"] == "OutageError"
    assert line["outages"] == 1
    assert line["records_failed"] == line["records_processed"] == 20


def test_an_unexpected_error_is_logged_only_by_its_type() -> None:
    class Broken:
        event_type = "firehose"

        def run(self, event: Mapping[str, Any], deadline: Deadline, tally: Tally) -> Any:
            raise KeyError("203.0.113.42 alice")

    lines: list[str] = []
    with pytest.raises(KeyError):
        Function(Broken(), enricher(), "N", write=lines.append)({}, FakeContext())

    assert json.loads(lines[0])["error"] == "KeyError"
    assert "alice" not in lines[0]


SECRETS = ("203.0.113.42", "alice", "hunter2", "SecretAgent")


@given(st.text(max_size=60))
def test_no_text_of_a_record_gets_into_the_log(text: str) -> None:
    line = combined(
        host=SECRETS[0],
        user=SECRETS[1],
        request=f"GET /x?password={SECRETS[2]} HTTP/1.1",
        agent=f"{SECRETS[3]} {text}",
    )
    lines: list[str] = []

    function(lines)(firehose_event([line.encode(), f"{line} {text}".encode(), GOOD]), FakeContext())

    assert len(lines) == 1
    assert lines[0].isprintable()
    assert not [secret for secret in SECRETS if secret in lines[0]]


@given(st.text())
def test_no_name_can_break_a_line(text: str) -> None:
    tally = Tally()
    tally.filtered[text] += 1
    tally.dead_lettered[f"parse/{text}"] += 1
    tally.undelivered[text] += 1

    line = invocation_line(
        Invocation(
            timestamp_ms=0,
            request_id=text,
            function_name=text,
            event_type=text,
            duration_ms=1,
            tally=tally,
            error=text,
        ),
        text,
    )

    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert line.isascii()
    assert json.loads(line)["request_id"] == text
