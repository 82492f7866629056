"""The metrics of alarms and dashboards, and whether anything reports them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from lambda_app.log import Invocation, invocation_line
from lambda_app.settings import FunctionSettings
from lambda_app.tally import Tally
from udfs.config.core import CoreSettings
from udfs.enrichment import Enricher
from udfs.flink.function import report_metrics
from udfs.flink.metrics import OutcomeCounts
from udfs.flink.worker_log import WorkerLog
from udfs.letters.dead_letter import DeadLetter
from udfs.outcomes import DeadLettered, Filtered

# The documented metrics that the templates use, by namespace and dimensions.
DOCUMENTED = {
    ("AWS/Kinesis", "StreamName"): """
        GetRecords.IteratorAgeMilliseconds IncomingRecords
        ReadProvisionedThroughputExceeded WriteProvisionedThroughputExceeded
    """,
    ("AWS/Kinesis", "StreamName", "ConsumerName"): "SubscribeToShardEvent.MillisBehindLatest",
    ("AWS/KinesisAnalytics", "Application"): """
        containerCPUUtilization containerMemoryUtilization cpuUtilization heapMemoryUtilization
        lastCheckpointDuration lastCheckpointSize numRestarts numberOfFailedCheckpoints
        oldGenerationGCTime threadsCount
    """,
    # AWS reports these by stream, task or flow too, so only a query finds them.
    ("AWS/KinesisAnalytics",): "failingTime millisBehindLatest restartingTime",
    ("AWS/Lambda", "FunctionName"): """
        ConcurrentExecutions DestinationDeliveryFailures Duration Errors Invocations IteratorAge
        Throttles
    """,
    ("AWS/Firehose", "DeliveryStreamName"): """
        DeliveryToAmazonOpenSearchService.DataFreshness DeliveryToAmazonOpenSearchService.Success
        DeliveryToS3.DataFreshness FailedConversion.Records IncomingRecords
        KinesisMillisBehindLatest
    """,
    ("AWS/SQS", "QueueName"): "ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesVisible",
    ("AWS/EventBridge/Pipes", "PipeName"): "ExecutionFailed",
}

QUERY = re.compile(
    r"SELECT (?:AVG|MAX|SUM)\((\w+)\) FROM \"(AWS/KinesisAnalytics)\""
    r" WHERE Application = 'weblog'(?: GROUP BY (?:stage|reason))?"
)


class Metric(NamedTuple):
    """A metric; one without dimensions is the query over those of the application `weblog`."""

    namespace: str
    name: str
    dimensions: Mapping[str, str] = {}

    @property
    def exists(self) -> bool:
        """Returns whether AWS, the job or the function reports it with these dimensions."""
        place = (self.namespace, *self.dimensions)
        own = job_metrics() | function_metrics()
        return self.name in DOCUMENTED.get(place, "").split() or (*place, self.name) in own


def of_alarm(alarm: Mapping[str, Any]) -> Iterator[Metric]:
    """Yields the metrics of an alarm."""
    for one in alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}]):
        if "MetricStat" in one:
            metric = one["MetricStat"]["Metric"]
            pairs = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
            yield Metric(metric["Namespace"], metric["MetricName"], pairs)
        else:
            yield from _queried(one["Expression"])


def of_dashboard(body: Mapping[str, Any]) -> Iterator[Metric]:
    """Yields the metrics that the widgets of a dashboard draw."""
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], str):
                namespace, name, *rest = (text for text in metric if isinstance(text, str))
                yield Metric(namespace, name, dict(zip(rest[::2], rest[1::2], strict=True)))
            else:
                yield from _queried(metric[0]["expression"])


def _queried(expression: str) -> Iterator[Metric]:
    if expression.startswith("SELECT "):
        matched = QUERY.fullmatch(expression)
        assert matched, expression
        yield Metric(matched[2], matched[1])


def computed(alarm: Mapping[str, Any], **metrics: float) -> float:
    """Returns the value of an alarm's expression, which has to use all its metrics."""
    (expression,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert {one["Id"] for one in alarm["Metrics"] if "MetricStat" in one} == metrics.keys()
    functions = {"IF": lambda holds, yes, no: yes if holds else no, "FILL": lambda value, _: value}
    return float(eval(expression.replace(" AND ", " and "), functions, metrics))  # noqa: S307


@dataclass(frozen=True, slots=True)
class CountOf:
    """A stand-in for Flink's counter, which keeps its sum under its name."""

    counts: Counter[str]
    name: str

    def inc(self, n: int = 1) -> None:
        self.counts[self.name] += n


class MetricGroup:
    """A stand-in for Flink's group of metrics, which keeps the names of its metrics."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.counts: Counter[str] = Counter()

    def add_group(self, name: str, value: str | None = None) -> MetricGroup:
        return self

    def counter(self, name: str) -> CountOf:
        self.names.add(name)
        return CountOf(self.counts, name)

    def gauge(self, name: str, value: object) -> None:
        self.names.add(name)


@cache
def job_metrics() -> frozenset[tuple[str, ...]]:
    """Returns the metrics of the job's Python function. Their dimensions depend on the level."""
    counts = OutcomeCounts()
    letter = DeadLetter("parse", "reason", "message", b"raw", None)
    counts.add([Filtered(1, "bot", "{}"), DeadLettered(letter, "{}")], 0.001)
    group: Any = MetricGroup()
    log = WorkerLog(lambda level, line: None)
    report_metrics(group, counts, Enricher.create(CoreSettings.load({})), log)()
    return frozenset(("AWS/KinesisAnalytics", name) for name in group.names)


@cache
def function_metrics() -> frozenset[tuple[str, ...]]:
    """Returns the embedded metrics in the log line of the Lambda function."""
    tally = Tally(records=1, enriched=1)
    ended = Invocation(0, "1", "weblog-lambda", "firehose", 1.0, tally, cache_hit_percent=1.0)
    line = json.loads(invocation_line(ended, FunctionSettings().metrics_namespace))
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    ((dimension,),) = directive["Dimensions"]
    namespace = directive["Namespace"]
    return frozenset((namespace, dimension, one["Name"]) for one in directive["Metrics"])
