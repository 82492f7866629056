"""The resources that the command counts, against the stacks of an emulator."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support import stacks
from tests.support.deploy import write_properties
from tests.support.stacks import Stack
from tools.deploy.template import parameters
from tools.size.model import Case
from tools.size.stack import counts


def alarm_metrics(stack: Stack) -> int:
    queries = 0
    for alarm in stack.of("CloudWatch::Alarm").values():
        expressions = [metric.get("Expression", "") for metric in alarm.get("Metrics", [])]
        queries += json.dumps(alarm).count('"MetricName"')
        queries += sum("SELECT" in str(expression) for expression in expressions)
    return queries


def test_counts_of_the_default_stacks() -> None:
    job, function = stacks.job(), stacks.function()
    counted = counts()
    # aggregates, alerts, dead letters, enriched, input and late
    assert counted["streams"] == len(job.of("Kinesis::Stream")) == 6
    assert counted["pipes"] == len(job.of("Pipes::Pipe")) == 1
    assert counted["job_alarm_metrics"] == alarm_metrics(job) == 30
    assert counted["function_alarm_metrics"] == alarm_metrics(function) == 12
    for kind, stack in (("job", job), ("function", function)):
        assert counted[f"{kind}_dashboards"] == len(stack.of("CloudWatch::Dashboard")) == 1


def test_counts_follow_the_property_file(tmp_path: Path) -> None:
    groups = stacks.property_file({"weblog.outputs": {"late": "off", "dead_letters": "off"}})
    groups["weblog.source"]["stream.arn"] = "${Output.basic.EnrichedStreamArn}"
    del groups["weblog.sink.late"], groups["weblog.sink.dead-letters"]
    counted = counts(write_properties(tmp_path / "job.json", groups))
    assert counted["streams"] == 3  # aggregates, alerts and enriched
    assert counted["pipes"] == 0
    assert counted["job_alarm_metrics"] < counts()["job_alarm_metrics"]
    assert counted["function_alarm_metrics"] == counts()["function_alarm_metrics"]


def test_where_enriched_records_go(tmp_path: Path) -> None:
    assert (counts()["enriched_streams"], counts()["enriched_deliveries"]) == (1, 0)
    groups = stacks.property_file({"weblog.outputs": {"late": "off"}})
    groups["weblog.sink.enriched"] = {
        "type": "firehose",
        "stream.arn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/lake",
        "pack.kib": "5",
    }
    counted = counts(write_properties(tmp_path / "job.json", groups))
    assert (counted["enriched_streams"], counted["enriched_deliveries"]) == (0, 1)
    assert counted["packed_bytes"] == 5120


def test_the_defaults_are_those_of_the_templates() -> None:
    case = Case(1, 237, 895, job_micros=120, function_micros=23)
    job, function = parameters("job"), parameters("function")
    assert job["StreamMode"]["Default"] == case.stream_mode
    assert job["Shards"]["Default"] == job["ParallelismPerKpu"]["Default"] == 1
    assert job["RetentionHours"]["Default"] == 24  # more costs more
    assert function["MemoryMegabytes"]["Default"] == case.memory_mb
    assert (function["BatchMegabytes"]["Default"], function["BatchSeconds"]["Default"]) == (
        "0.5", 60,
    )  # fmt: skip
    assert function["ProvisionedConcurrency"]["Default"] == 0
