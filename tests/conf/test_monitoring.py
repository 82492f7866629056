"""Alarms and dashboards: their metrics exist, and the runbook explains each alarm."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any

import pytest

from tests.support.metrics import Metric, computed, of_alarm, of_dashboard
from tests.support.stacks import (
    CONSUMER,
    DELIVERED,
    FAN_OUT,
    FILES,
    OTHER_SOURCE,
    TOPICS,
    WEBHOOK,
    Groups,
    Stack,
    examples,
    function,
    job,
)
from udfs.config.root import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"

# The metrics with alarms, and their thresholds.
ALARMED: dict[str, set[float]] = {
    # The job and its streams.
    "millisBehindLatest": {60_000}, "GetRecords.IteratorAgeMilliseconds": {60_000},
    "SubscribeToShardEvent.MillisBehindLatest": {60_000}, "lastCheckpointDuration": {1, 60_000},
    "numberOfFailedCheckpoints": {0}, "numRestarts": {0}, "restartingTime": {60_000},
    "failingTime": {60_000}, "heapMemoryUtilization": {90}, "containerCPUUtilization": {80},
    "containerMemoryUtilization": {85},
    "threadsCount": {1000}, "oldGenerationGCTime": {60}, "ReadProvisionedThroughputExceeded": {0},
    "WriteProvisionedThroughputExceeded": {0}, "ExecutionFailed": {0},
    # The function and its delivery stream.
    "Errors": {0}, "Throttles": {0}, "Duration": {0}, "IteratorAge": {60_000},
    "DestinationDeliveryFailures": {0}, "KinesisMillisBehindLatest": {60_000},
    "DeliveryToS3.DataFreshness": {900, 1800}, "FailedConversion.Records": {0},
    "outages": {0}, "messages_undelivered": {0},
    "records_deferred": {0}, "lines_dead_lettered": {1}, "lines_enriched": {1},
    "lines_filtered": {1},
    # The delivery into OpenSearch.
    "DeliveryToAmazonOpenSearchService.DataFreshness": {900},
    "DeliveryToAmazonOpenSearchService.Success": {1},
    # Job and function: the error rate, late lines, no output, and the queues.
    "IncomingRecords": {0, 1, 5}, "ApproximateAgeOfOldestMessage": {86_400},
    "ApproximateNumberOfMessagesVisible": {0, 1000},
}  # fmt: skip
# Metrics that are only of interest as alarms.
NOT_DRAWN = {
    *("ExecutionFailed", "DestinationDeliveryFailures", "FailedConversion.Records"),
    *(name for name in ALARMED if name.startswith("DeliveryToAmazonOpenSearchService.")),
}


def alarms(made: Stack) -> dict[str, Any]:
    """Returns the alarms of a stack by their headings in the runbook."""
    return {
        re.sub(r"^weblog-(lambda-|search-)?", "", alarm["AlarmName"]): alarm
        for alarm in made.of("CloudWatch::Alarm").values()
    }


def watched(made: Stack) -> list[Metric]:
    return [metric for alarm in alarms(made).values() for metric in of_alarm(alarm)]


def test_an_alarm_says_what_it_is_about_and_goes_to_the_topic_both_ways(example: Stack) -> None:
    topic = example.parameters["AlarmTopicArn"]
    for name, alarm in alarms(example).items():
        assert len(alarm["AlarmDescription"]) > 30, name
        actions = [topic] if topic else []
        assert alarm.get("AlarmActions", []) == alarm.get("OKActions", []) == actions, name
        # Missing data means trouble only for the alarm on checkpoints.
        missing = "breaching" if name == "no-checkpoint" else "notBreaching"
        assert alarm["TreatMissingData"] == missing, name


def test_alarms_are_about_metrics_that_exist(example: Stack) -> None:
    assert all(list(of_alarm(alarm)) for alarm in alarms(example).values())
    assert [metric for metric in watched(example) if not metric.exists] == []


def test_the_check_would_find_a_wrong_metric() -> None:
    application = {"Application": "weblog"}
    assert Metric("AWS/KinesisAnalytics", "lines_dead_lettered").exists
    assert not Metric("AWS/KinesisAnalytics", "lines_deadlettered").exists
    assert not Metric("AWS/KinesisAnalytics", "fullRestarts", application).exists
    assert not Metric("AWS/KinesisAnalytics", "millisBehindLatest", application).exists
    assert not Metric("WebLog/Lambda", "outages", {"FunctionName": "weblog-lambda"}).exists


def test_an_operator_hears_of_what_matters() -> None:
    values: dict[str, set[float]] = {}
    for alarm in chain.from_iterable(alarms(made).values() for made in examples()):
        for metric in of_alarm(alarm):
            values.setdefault(metric.name, set()).add(alarm["Threshold"])
    assert values == ALARMED


def test_the_runbook_has_a_heading_for_each_alarm_and_no_other() -> None:
    headings = re.findall(r"^### .*$", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    there = set(chain.from_iterable(alarms(made) for made in examples()))
    assert set(re.findall(r"`([a-z_-]+)`", "".join(headings))) == there


def test_a_consumer_of_its_own_is_watched_by_its_own_metric() -> None:
    (polling,) = of_alarm(job()["UnreadInputAlarm"])
    (fan_out,) = of_alarm(job(FAN_OUT)["UnreadInputAlarm"])
    assert polling.name == "GetRecords.IteratorAgeMilliseconds"
    assert fan_out.name == "SubscribeToShardEvent.MillisBehindLatest"
    # The job registers this name, and the rights name it.
    assert fan_out.dimensions == {**polling.dimensions, "ConsumerName": "weblog"}


@pytest.mark.parametrize(
    ("changes", "source"), [([], "weblog-input"), ([OTHER_SOURCE, FILES], "lines")]
)
def test_each_stream_is_watched_for_throttling(changes: list[Groups], source: str) -> None:
    made = job(*changes)
    written = {one["Name"] for one in made.of("Kinesis::Stream").values()} - {source}
    assert {
        (metric.name.removesuffix("ProvisionedThroughputExceeded"), metric.dimensions["StreamName"])
        for metric in watched(made)
        if "ThroughputExceeded" in metric.name
    } == {("Read", source), ("Write", source), *(("Write", name) for name in written)}
    read = list(of_alarm(made["UnreadInputAlarm"])) + list(of_alarm(made["ErrorRateAlarm"]))
    assert {one.dimensions["StreamName"] for one in read} == {source, "weblog-dead-letters"}


def test_a_pipe_that_is_the_only_way_is_watched() -> None:
    made = job(**TOPICS, **WEBHOOK)
    metrics = watched(made)
    # The pipe to the topic of dead letters needs no alarm: the letters are in the queue too.
    pipes = {one.dimensions["PipeName"] for one in metrics if one.name == "ExecutionFailed"}
    assert pipes == {"weblog-dead-letters", "weblog-alerts", "weblog-alert-webhook"}
    (failures,) = of_alarm(made["PipeFailuresAlarm"])
    assert failures.dimensions == {"QueueName": "weblog-pipe-failures"}


@pytest.mark.parametrize(
    ("lines_per_record", "dead", "rings"),
    [("1", 10, False), ("1", 11, True), ("50", 500, False), ("50", 501, True), ("2.5", 26, True)],
)
def test_the_error_rate_is_a_share_of_lines(lines_per_record: str, dead: int, rings: bool) -> None:
    alarm = job(LinesPerRecord=lines_per_record)["ErrorRateAlarm"]
    assert (computed(alarm, dead=dead, records=1_000) > alarm["Threshold"]) is rings


@pytest.mark.parametrize(
    ("lines_per_record", "late", "rings"), [("1", 50, False), ("1", 51, True), ("10", 51, False)]
)
def test_late_is_a_share_of_lines(lines_per_record: str, late: int, rings: bool) -> None:
    alarm = job(LinesPerRecord=lines_per_record)["LateAlarm"]
    assert (computed(alarm, late=late, records=1_000) > alarm["Threshold"]) is rings


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ([], {("AWS/Kinesis", "weblog-input"), ("AWS/Kinesis", "weblog-enriched")}),
        ([OTHER_SOURCE, DELIVERED], {("AWS/Kinesis", "lines"), ("AWS/Firehose", "lake")}),
    ],
)
def test_no_output_looks_where_enriched_records_go(
    changes: list[Groups], places: set[tuple[str, str]]
) -> None:
    alarm = job(*changes)["NoOutputAlarm"]
    assert {(one.namespace, *one.dimensions.values()) for one in of_alarm(alarm)} == places
    for records, enriched, rings in ((100, 0, True), (100, 1, False), (0, 0, False)):
        value = computed(alarm, records=records, enriched=enriched)
        assert (value > alarm["Threshold"]) is rings


OFF: Groups = {"weblog.outputs": {"enriched": "off"}}
SHARED: Groups = {"weblog.outputs": {"enriched": "aggregates"}}


@pytest.mark.parametrize("change", [FILES, OFF, SHARED])
def test_nothing_waits_for_enriched_records_where_nothing_counts_them(change: Groups) -> None:
    made = job(change)
    assert "no-output" in alarms(job())
    assert "no-output" not in alarms(made)
    assert "weblog-enriched" not in values("StreamName", watched(made))


def test_a_job_without_windows_has_no_late_lines() -> None:
    shape: Groups = {"weblog.pipeline": {"stage": "records"}, "weblog.outputs": {"late": "off"}}
    without = (
        alarms(job()).keys() - alarms(job(shape, {"weblog.outputs": {"alerts": "off"}})).keys()
    )
    assert without == {"late", "late-throttled", "aggregates-throttled", "alerts-throttled"}


def test_the_duration_that_alarms_is_the_timeout_minus_the_reserve() -> None:
    alarm = function(TimeoutSeconds="100", ReserveSeconds="30")["DurationAlarm"]
    assert computed(alarm, duration=70_000) == alarm["Threshold"] == 0


@pytest.mark.parametrize(
    ("batch_seconds", "age", "rings"),
    [("0", 61_000, True), ("60", 61_000, False), ("60", 121_000, True), ("300", 301_000, False)],
)
def test_collecting_a_batch_is_not_being_behind(batch_seconds: str, age: int, rings: bool) -> None:
    made = function(**CONSUMER, BatchSeconds=batch_seconds)
    mapping, alarm = made.only("Lambda::EventSourceMapping"), made["IteratorAgeAlarm"]
    assert mapping["MaximumBatchingWindowInSeconds"] == int(batch_seconds)
    assert (computed(alarm, age=age) > alarm["Threshold"]) is rings


# --- dashboards --------------------------------------------------------------------------------


def dashboards(made: Stack) -> dict[str, Any]:
    """Returns the bodies of the dashboards of a stack by their names."""
    resources = made.of("CloudWatch::Dashboard").values()
    return {one["DashboardName"]: json.loads(one["DashboardBody"]) for one in resources}


def drawn(made: Stack) -> list[Metric]:
    return [metric for body in dashboards(made).values() for metric in of_dashboard(body)]


def values(dimension: str, metrics: list[Metric]) -> set[str]:
    return {one.dimensions[dimension] for one in metrics if dimension in one.dimensions}


def test_dashboards_draw_metrics_that_exist(example: Stack) -> None:
    assert [metric for metric in drawn(example) if not metric.exists] == []


def test_what_has_an_alarm_or_is_counted_is_drawn() -> None:
    names = {metric.name for metric in (*drawn(job(FAN_OUT)), *drawn(function()))}
    counted = {"lines_dead_lettered", "lines_filtered", "enrichment_micros_per_line"}
    assert (ALARMED.keys() | counted) - NOT_DRAWN <= names


def test_dashboards_name_what_the_stacks_make() -> None:
    made, of_function = job(), function()
    streams = {one["Name"] for one in made.of("Kinesis::Stream").values()}
    assert values("StreamName", drawn(made)) == streams
    assert values("QueueName", drawn(made)) == {made["DeadLetterQueue"]["QueueName"]}
    queue = of_function.only("SQS::Queue")["QueueName"]
    assert values("QueueName", drawn(of_function)) == {queue}
    name = of_function["Function"]["FunctionName"]
    assert values("FunctionName", drawn(of_function)) == {name}
    logs = [one for one in dashboards(made)["weblog"]["widgets"] if one["type"] == "log"]
    source = f"SOURCE '{made['LogGroup']['LogGroupName']}'"
    assert logs
    assert all(log["properties"]["query"].startswith(source) for log in logs)


def test_a_job_that_reads_elsewhere_is_drawn_there() -> None:
    metrics = drawn(job(OTHER_SOURCE, FAN_OUT))
    assert "lines" in values("StreamName", metrics)
    assert "weblog-input" not in values("StreamName", metrics)
    assert values("ConsumerName", metrics) == {"weblog"}


def test_sums_of_counters_are_drawn_as_what_was_counted() -> None:
    # Managed Flink reports each counter four times a minute.
    summed = 0
    for widget in dashboards(job())["weblog"]["widgets"]:
        expressions = [one[0] for one in widget["properties"].get("metrics", []) if len(one) == 1]
        shown = {one["expression"] for one in expressions if one.get("visible", True)}
        for one in expressions:
            if one["expression"].startswith("SELECT SUM("):
                assert one["expression"] not in shown
                assert f"{one['id']} / 4" in shown
                summed += 1
    assert summed == 2


def test_widgets_do_not_overlap(example: Stack) -> None:
    for body in dashboards(example).values():
        cells = [
            (widget["x"] + column, widget["y"] + row)
            for widget in body["widgets"]
            for column in range(widget["width"])
            for row in range(widget["height"])
        ]
        assert len(set(cells)) == len(cells)
        assert max(cells)[0] < 24
