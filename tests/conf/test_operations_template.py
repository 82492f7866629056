"""The template of dashboards and further alarms: valid, and about metrics that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]
from moto import mock_aws

from lambda_app.log import Invocation, invocation_line
from lambda_app.tally import Tally
from tests.conf.test_job_template import Resolver, computed, metrics_of, resources
from tests.support.deploy import REGION
from udfs.config.core import CoreSettings
from udfs.config.root import ROOT
from udfs.enrichment import Enricher

FOLDER = ROOT / "conf" / "cloudformation"
TEMPLATE = FOLDER / "operations.yaml"
ALL_TEMPLATES = sorted(FOLDER.glob("*.yaml"))
RUNBOOK = ROOT / "docs" / "runbook.md"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:ops"
GIVEN = {"FunctionName": "weblog-lambda", "AlarmTopicArn": TOPIC}
ELSEWHERE = {"SourceStreamName": "lines", "DeliveryStreamName": "lake"}

# What AWS documents for its namespaces, as far as we use it.
DOCUMENTED = {
    "AWS/Kinesis": {
        "GetRecords.IteratorAgeMilliseconds",
        "IncomingRecords",
        "ReadProvisionedThroughputExceeded",
        "SubscribeToShardEvent.MillisBehindLatest",
        "WriteProvisionedThroughputExceeded",
    },
    "AWS/KinesisAnalytics": {
        "backPressuredTimeMsPerSecond",
        "containerCPUUtilization",
        "containerMemoryUtilization",
        "cpuUtilization",
        "failingTime",
        "heapMemoryUtilization",
        "lastCheckpointDuration",
        "lastCheckpointSize",
        "millisBehindLatest",
        "numRestarts",
        "numberOfFailedCheckpoints",
        "oldGenerationGCTime",
        "restartingTime",
        "threadsCount",
    },
    "AWS/Lambda": {
        "ConcurrentExecutions",
        "DestinationDeliveryFailures",
        "Duration",
        "Errors",
        "Invocations",
        "IteratorAge",
        "Throttles",
    },
    "AWS/Firehose": {
        "DeliveryToS3.DataFreshness",
        "IncomingRecords",
        "KinesisMillisBehindLatest",
    },
    "AWS/SQS": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
    "AWS/EventBridge/Pipes": {"ExecutionFailed"},
}


@cache
def job_metrics() -> frozenset[str]:
    """The names under which the Python function counts."""
    source = (ROOT / "udfs" / "flink" / "function.py").read_text("utf-8")
    named = re.findall(r'\.(?:counter|gauge|meter)\(\s*"(\w+)"', source)
    caches = Enricher.create(CoreSettings.load({})).cache_use()
    assert '"{name}_cache_hit_percent"' in source
    return frozenset(named) | {f"{name}_cache_hit_percent" for name in caches}


@cache
def function_metrics() -> frozenset[str]:
    """The names in the embedded metrics of the function's log line."""
    tally = Tally(records=1, enriched=1)
    ended = Invocation(0, "1", "weblog-lambda", "firehose", 1.0, tally, cache_hit_percent=1.0)
    line = json.loads(invocation_line(ended, "WebLog/Lambda"))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return frozenset(one["Name"] for one in directive["Metrics"])


def exists(namespace: str, metric: str) -> bool:
    if namespace == "WebLog/Lambda":
        return metric in function_metrics()
    own = job_metrics() if namespace == "AWS/KinesisAnalytics" else frozenset()
    return metric in DOCUMENTED[namespace] | own


def loaded(path: Path) -> Mapping[str, Any]:
    template: Mapping[str, Any] = cfn_yaml.load(str(path))
    return template


def dashboards(**given: str) -> dict[str, Any]:
    """The bodies as they would be deployed."""
    template = loaded(TEMPLATE)
    resolve = Resolver(template, GIVEN | given)
    return {
        resolve(one["DashboardName"]): json.loads(resolve(one["DashboardBody"]))
        for _, one in resources(template, "AWS::CloudWatch::Dashboard")
    }


def dashboard_metrics(**given: str) -> Iterator[tuple[str, str, list[str]]]:
    """Namespace, metric and dimensions of everything that a dashboard draws."""
    for body in dashboards(**given).values():
        for widget in body["widgets"]:
            for metric in widget["properties"].get("metrics", []):
                match metric:
                    case [str(namespace), str(name), *rest]:
                        yield namespace, name, [one for one in rest if isinstance(one, str)]
                    case [{"expression": str(expression)}] if expression.startswith("SELECT "):
                        found = re.fullmatch(
                            r"SELECT (?:MAX|SUM|AVG)\((\w+)\) FROM \"(.+?)\""
                            r" WHERE Application = 'weblog'(?: GROUP BY (?:stage|reason))?",
                            expression,
                        )
                        assert found, expression
                        yield found[2], found[1], ["Application", "weblog"]
                    case [{"expression": str(expression)}]:
                        assert re.fullmatch(r"\w+ / 4", expression), expression
                    case _:
                        raise AssertionError(metric)


LAMBDA_CONSUMER = {
    "Shape": "consumer",
    "SourceStreamArn": f"arn:aws:kinesis:{REGION}:123456789012:stream/lines",
}


def alarms(path: Path, **given: str) -> dict[str, Any]:
    """Alarms of a stack by their names without the part that a parameter gives."""
    template = loaded(path)
    resolve = Resolver(template, given)
    return {
        re.sub(r"^\$\{\w+\}-", "", one["AlarmName"]["Fn::Sub"]): resolve(one)
        for logical, one in resources(template, "AWS::CloudWatch::Alarm")
        if resolve.is_made(logical)
    }


# Settings with which alarms are about other metrics.
VARIANTS: list[tuple[Path, dict[str, str]]] = [
    *((path, {}) for path in ALL_TEMPLATES),
    (FOLDER / "weblog.yaml", {"EnhancedFanOut": "yes"}),
    (FOLDER / "lambda.yaml", LAMBDA_CONSUMER),
    (TEMPLATE, GIVEN | ELSEWHERE),
]


def test_cfn_lint_finds_nothing() -> None:
    regions = ManualArgs(regions=[REGION, "us-east-1"])
    assert [str(match) for match in lint_file(TEMPLATE, regions)] == []
    assert TEMPLATE.stat().st_size <= 51_200


def every_alarm(path: Path) -> set[str]:
    """The names of all alarms that a template can make."""
    return {
        re.sub(r"^\$\{\w+\}-", "", one["AlarmName"]["Fn::Sub"])
        for _, one in resources(loaded(path), "AWS::CloudWatch::Alarm")
    }


@pytest.mark.parametrize(("path", "given"), VARIANTS)
def test_alarms_are_about_metrics_that_exist(path: Path, given: dict[str, str]) -> None:
    checked = 0
    for name, alarm in alarms(path, **given).items():
        if "Namespace" in alarm:
            assert exists(alarm["Namespace"], alarm["MetricName"]), name
            checked += 1
        for one in alarm.get("Metrics", []):
            if "MetricStat" in one:
                metric = one["MetricStat"]["Metric"]
                assert exists(metric["Namespace"], metric["MetricName"]), name
                checked += 1
            elif "SELECT" in one["Expression"]:
                (selected,) = metrics_of({"Metrics": [one]})
                assert exists("AWS/KinesisAnalytics", selected), name
                checked += 1
    assert checked >= len(alarms(path)) > 0


def test_the_check_would_find_a_wrong_name() -> None:
    assert exists("AWS/KinesisAnalytics", "lines_dead_lettered")
    assert not exists("AWS/KinesisAnalytics", "lines_deadlettered")
    assert not exists("AWS/KinesisAnalytics", "fullRestarts")
    assert not exists("WebLog/Lambda", "lines_in_error")


@pytest.mark.parametrize("path", ALL_TEMPLATES, ids=lambda path: path.stem)
def test_every_alarm_has_a_place_in_the_runbook(path: Path) -> None:
    headings = set(re.findall(r"`([a-z-]+)`", "".join(runbook_headings())))
    assert every_alarm(path) <= headings, "give it a heading in docs/runbook.md"


def test_the_runbook_is_about_alarms_that_there_are() -> None:
    there = set().union(*map(every_alarm, ALL_TEMPLATES))
    assert set(re.findall(r"`([a-z-]+)`", "".join(runbook_headings()))) <= there


def runbook_headings() -> list[str]:
    return re.findall(r"^### .*$", RUNBOOK.read_text("utf-8"), re.MULTILINE)


def test_data_outlives_a_stack_but_not_one_that_could_not_be_made() -> None:
    # What a failed first try left there would be in the way of the second.
    kept: set[str] = set()
    for path in ALL_TEMPLATES:
        for one in loaded(path)["Resources"].values():
            if "DeletionPolicy" in one:
                kept.add(one["Type"])
                assert one["DeletionPolicy"] == "RetainExceptOnCreate"
                assert one["UpdateReplacePolicy"] == "Retain"
    assert {"AWS::Kinesis::Stream", "AWS::SQS::Queue", "AWS::S3::Bucket"} <= kept


def test_alarms_go_to_the_topic_both_ways() -> None:
    for name, alarm in alarms(TEMPLATE, AlarmTopicArn=TOPIC).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC], name
        assert len(alarm["AlarmDescription"]) > 30, name
        assert alarm["TreatMissingData"] == "notBreaching", name


def read(alarm: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What an alarm's expression is made of: by id the namespace and what it is of."""
    metrics = {
        one["Id"]: one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one
    }
    return {
        name: (metric["Namespace"], metric["Dimensions"][0]["Value"])
        for name, metric in metrics.items()
    }


def test_no_output_looks_where_enriched_records_go() -> None:
    stream = alarms(TEMPLATE)["no-output"]
    firehose = alarms(TEMPLATE, **ELSEWHERE)["no-output"]

    assert read(stream) == {
        "records": ("AWS/Kinesis", "weblog-input"),
        "enriched": ("AWS/Kinesis", "weblog-enriched"),
    }
    assert read(firehose) == {
        "records": ("AWS/Kinesis", "lines"),
        "enriched": ("AWS/Firehose", "lake"),
    }
    assert computed(stream, records=100, enriched=0) > stream["Threshold"]
    assert computed(stream, records=100, enriched=1) <= stream["Threshold"]
    assert computed(stream, records=0, enriched=0) <= stream["Threshold"]


def test_no_output_is_not_made_where_nothing_counts_enriched_records() -> None:
    there, without = alarms(TEMPLATE), alarms(TEMPLATE, EnrichedCounted="no")

    assert there.keys() - without.keys() == {"no-output"}
    # Nothing else waits for records in a stream that then gets none.
    watched = {dimension for one in without.values() if "Metrics" in one for dimension in
               read(one).values()}  # fmt: skip
    assert watched == {("AWS/Kinesis", "weblog-input"), ("AWS/Kinesis", "weblog-late")}


@pytest.mark.parametrize(
    ("lines_per_record", "late", "rings"), [("1", 50, False), ("1", 51, True), ("10", 51, False)]
)
def test_late_is_a_share_of_the_lines_that_come_in(
    lines_per_record: str, late: int, rings: bool
) -> None:
    alarm = alarms(TEMPLATE, LinesPerRecord=lines_per_record)["late"]

    assert (computed(alarm, late=late, records=1_000) > float(alarm["Threshold"])) is rings


def test_a_job_that_reads_and_writes_elsewhere_is_drawn_there() -> None:
    kinesis = {
        dimensions[1]
        for namespace, _, dimensions in dashboard_metrics(**ELSEWHERE)
        if namespace == "AWS/Kinesis"
    }
    delivered = [
        dimensions
        for namespace, metric, dimensions in dashboard_metrics(**ELSEWHERE)
        if (namespace, metric) == ("AWS/Firehose", "IncomingRecords")
    ]

    assert "lines" in kinesis
    assert "weblog-input" not in kinesis
    assert delivered == [["DeliveryStreamName", "lake"]]


def test_dashboards_draw_metrics_that_exist() -> None:
    drawn = [*dashboard_metrics(), *dashboard_metrics(**ELSEWHERE)]
    assert len(drawn) > 40
    for namespace, metric, _ in drawn:
        assert exists(namespace, metric), metric
    # Everything that we count ourselves can be seen.
    names = {metric for _, metric, _ in drawn}
    assert {"lines_dead_lettered", "lines_filtered", "enrichment_micros_per_line"} <= names


def test_sums_of_counters_are_drawn_as_what_was_counted() -> None:
    # Managed Flink reports each counter four times a minute.
    summed = 0
    for widget in dashboards()["weblog"]["widgets"]:
        expressions = [one[0] for one in widget["properties"].get("metrics", []) if len(one) == 1]
        drawn = {one["expression"] for one in expressions if one.get("visible", True)}
        for one in expressions:
            if one["expression"].startswith("SELECT SUM("):
                assert one["expression"] not in drawn
                assert f"{one['id']} / 4" in drawn
                summed += 1
    assert summed == 2


def test_every_metric_with_an_alarm_is_on_a_dashboard() -> None:
    drawn = {metric for _, metric, _ in dashboard_metrics()}
    for path, given in VARIANTS:
        for name, alarm in alarms(path, **given).items():
            elsewhere = {"ExecutionFailed", "DestinationDeliveryFailures"}
            assert set(metrics_of(alarm)) - elsewhere <= drawn, name


def test_dashboards_name_what_the_other_templates_make() -> None:
    weblog = Resolver(loaded(FOLDER / "weblog.yaml"), {})
    streams = {
        weblog(one["Name"]) for _, one in resources(loaded(FOLDER / "weblog.yaml"),
                                                    "AWS::Kinesis::Stream")
    }  # fmt: skip
    found = {
        dimensions[1]
        for namespace, _, dimensions in dashboard_metrics()
        if namespace == "AWS/Kinesis"
    }
    assert found == streams
    queues = {
        dimensions[1] for namespace, _, dimensions in dashboard_metrics() if namespace == "AWS/SQS"
    }
    assert queues == {"weblog-dead-letters", "weblog-lambda-dead-letters"}
    log_queries = [
        widget["properties"]["query"]
        for widget in dashboards()["weblog"]["widgets"]
        if widget["type"] == "log"
    ]
    (group,) = resources(loaded(FOLDER / "weblog.yaml"), "AWS::Logs::LogGroup")
    assert all(weblog(group[1]["LogGroupName"]) in query for query in log_queries)


def test_widgets_do_not_overlap() -> None:
    for body in dashboards().values():
        taken: set[tuple[int, int]] = set()
        for widget in body["widgets"]:
            cells = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            assert not cells & taken, widget["properties"]["title"]
            assert widget["x"] + widget["width"] <= 24
            taken |= cells


@pytest.mark.usefixtures("credentials")
def test_cloudwatch_takes_the_dashboards() -> None:
    with mock_aws():
        client = boto3.client("cloudwatch", region_name=REGION)
        for name, body in dashboards().items():
            answer = client.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))
            assert not answer.get("DashboardValidationMessages")
        listed = client.list_dashboards()["DashboardEntries"]
        assert {one["DashboardName"] for one in listed} == {"weblog", "weblog-lambda-function"}
