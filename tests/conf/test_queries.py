"""The queries for CloudWatch Logs Insights, against log lines of job and function."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lambda_app.errors import OutageError
from lambda_app.function import Function
from lambda_app.records import RecordProcessor
from lambda_app.settings import Settings
from tests.support.core import NOW, enricher
from tests.support.functions import (
    BAD,
    GOOD,
    FakeContext,
    FakeDestination,
    firehose_event,
    transformation,
)
from tests.support.stacks import job
from udfs.config.root import ROOT
from udfs.flink.metrics import OutcomeCounts
from udfs.flink.worker_log import WorkerLog

FILES = {path.stem: path.read_text("utf-8") for path in ROOT.glob("conf/logs_insights/*.query")}
DRAWN = {
    # Behind its log group, which test_monitoring.py looks at.
    f"job_widget_{number}": widget["properties"]["query"].partition("' | ")[2]
    for dashboard in job().of("CloudWatch::Dashboard").values()
    for number, widget in enumerate(json.loads(dashboard["DashboardBody"])["widgets"])
    if widget["type"] == "log"
}
QUERIES: dict[str, str] = FILES | DRAWN
SCHEMA = ROOT / "conf" / "schema" / "dead_letter.json"
STAGES = json.loads(SCHEMA.read_text("utf-8"))["properties"]["stage"]["enum"]
# Lines have only the stages that occurred.
OCCASIONAL = {f"dead_lettered_{stage}" for stage in STAGES}
ALWAYS_THERE = {"@timestamp", "@message", "@logStream"}
WORDS = {
    "fields", "filter", "parse", "stats", "sort", "limit", "display", "by", "as", "and", "or",
    "not", "like", "in", "desc", "asc",
}  # fmt: skip
COMMANDS = ("fields", "filter", "parse", "stats", "sort", "limit", "display")
# A name before a bracket is a function.
_REGEX = re.compile(r"/((?:\\.|[^/\\])+)/")
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'")
_NAME = re.compile(r"(?<![\w.@])@?[a-zA-Z_][\w.]*(?!\w*\()")


def commands(query: str) -> list[str]:
    text = "\n".join(line for line in query.splitlines() if not line.startswith("#"))
    # A | inside of a regular expression separates alternatives.
    hidden = _REGEX.sub(lambda found: found[0].replace("|", "\0"), text)
    return [one.strip().replace("\0", "|") for one in re.split(r"\|", hidden)]


def job_events() -> list[dict[str, Any]]:
    """Returns a job's events in CloudWatch: the lines of a worker in the service's envelope."""
    lines: list[str] = []
    log = WorkerLog(lambda _, line: lines.append(line), lambda: NOW)
    core = enricher({"weblog.validation": {"reject": "size_impossible", "max.bytes": "1"}})
    log.event("start", "INFO", geoip="City of 2026-01-01")
    counts = OutcomeCounts()
    for records in ([GOOD, BAD, b"\xff", b"\n"], [BAD] * 20):
        for record in records:
            counts.add(core.process(record), 0.0001)
        log.add(counts.take())
        log.interval({"client": 90, "request": 20, "referrer": 80, "agent": 95})
    log.event("geoip_reload", "ERROR", geoip="City of 2026-01-01", error="corrupt")
    return [
        {
            "applicationARN": "arn:aws:kinesisanalytics:eu-west-1:123456789012:application/weblog",
            "applicationVersionId": "1",
            "locationInformation": "flink.py",
            "logger": "weblog.worker",
            "message": line,
            "messageSchemaVersion": "1",
            "messageType": "INFO",
            "threadName": "grpc",
            "throwableInformation.0": "java.lang.Exception",
        }
        for line in lines
    ]


def function_events() -> list[dict[str, Any]]:
    lines: list[str] = []
    core = enricher()
    work = transformation(FakeDestination(), of=RecordProcessor(core, Settings.load({})))
    function = Function(work, core, "WebLog/Test", clock=lambda: NOW, write=lines.append)
    function(firehose_event([GOOD, GOOD, BAD, b"\xff"]), FakeContext())
    with pytest.raises(OutageError):
        function(firehose_event([BAD] * 100), FakeContext())
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module", params=sorted(QUERIES))
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def query(name: str) -> str:
    return QUERIES[name]


@pytest.fixture(scope="module")
def events(name: str) -> list[dict[str, Any]]:
    return job_events() if name.startswith("job_") else function_events()


def test_there_are_queries_for_both() -> None:
    assert len([name for name in FILES if name.startswith("job_")]) >= 5
    assert len([name for name in FILES if name.startswith("lambda_")]) >= 5
    assert len(DRAWN) == 3


def test_every_query_says_what_it_is_for(name: str, query: str) -> None:
    assert name in DRAWN or query.startswith(("# Job: ", "# Lambda: "))
    for command in commands(query):
        assert command.startswith(COMMANDS), command


def test_every_pattern_finds_something(query: str, events: list[dict[str, Any]]) -> None:
    texts = [event.get("message", "") for event in events]
    for one in commands(query):
        for pattern in _REGEX.findall(one):
            python = re.compile(pattern.replace("(?<", "(?P<"))
            found = [match for text in texts if (match := python.search(text))]
            assert found or OCCASIONAL & {*re.findall(r"\w+", pattern)}, pattern


def test_every_field_exists(query: str, events: list[dict[str, Any]]) -> None:
    known = ALWAYS_THERE | OCCASIONAL | {name for event in events for name in event}
    for one in commands(query):
        known |= set(re.findall(r"\(\?<(\w+)>", one)) | set(re.findall(r"\bas (\w+)", one))
    for one in commands(query):
        bare = _TEXT.sub(" ", _REGEX.sub(" ", one))
        used = {name for name in _NAME.findall(bare) if name not in WORDS}
        assert used - {"1m", "5m"} <= known, used - known


@pytest.mark.parametrize("text", [FILES["job_failures"], FILES["lambda_failures"]])
def test_failures_are_counted_by_every_stage(text: str) -> None:
    assert {*re.findall(r"dead_lettered_[a-z]+(?=[\")])", text)} == OCCASIONAL
    assert {*re.findall(r" as at_([a-z]+)", text)} == {*STAGES}


def test_a_field_that_no_line_has_would_be_found() -> None:
    names = _NAME.findall("stats avg(duratoin_ms) as mean by bin(5m)")
    assert "duratoin_ms" in names
    assert "avg" not in names
