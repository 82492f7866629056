"""What the stacks of a job and of a function hold, counted in the templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flink_app.settings import JobSettings
from flink_app.sinks.firehose import FirehoseSink
from flink_app.sinks.kinesis import KinesisSink
from lambda_app.log import Invocation, invocation_line
from lambda_app.tally import Tally
from tools.deploy.job import StackLocation, needs, resolved
from tools.deploy.template import Kind, parameters, render
from udfs.config.file import load_properties
from udfs.config.root import ROOT

DEFAULT_CONFIG = ROOT / "conf" / "managed_flink_properties.json"

_LOCATION = StackLocation("weblog", "us-east-1", "123456789012")
# Lambda's own lines of an invocation (START, END, REPORT), and CloudWatch's 26 bytes for each.
_LAMBDA_LOG_BYTES = 400


class _OtherStack(dict[str, str]):
    """Outputs of another stack: whichever the property file names, it is a stream."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        return _LOCATION.arn("kinesis", f"stream/{key}")


@cache
def counts(config: Path = DEFAULT_CONFIG) -> Mapping[str, int]:
    """Returns how many things that cost something the stacks hold, by name.

    Args:
        config: The property file of the job.

    Raises:
        WebLogError: The property file cannot be used.
    """
    groups = load_properties(config)
    settings = JobSettings.load(resolved(groups, _LOCATION, lambda _: _OtherStack()))
    needed = needs(settings, groups, _LOCATION)
    job = _resources("job", needed.repeated, needed.parameters)
    function = _resources("function", {"Version": ["1"]}, {})
    metrics, log_bytes = _of_an_invocation()
    enriched = settings.sinks.get(settings.outputs.get("enriched", ""))
    delivery = enriched if isinstance(enriched, FirehoseSink) else None
    return {
        "streams": len(_of_type(job, "Kinesis::Stream")),
        "enriched_streams": int(isinstance(enriched, KinesisSink)),
        "enriched_deliveries": int(delivery is not None),
        "packed_bytes": 0 if delivery is None else delivery.pack_kib * 1024,
        "pipes": len(_of_type(job, "Pipes::Pipe")),
        "job_alarm_metrics": _alarm_metrics(job),
        "job_dashboards": len(_of_type(job, "CloudWatch::Dashboard")),
        "function_alarm_metrics": _alarm_metrics(function),
        "function_dashboards": len(_of_type(function, "CloudWatch::Dashboard")),
        "own_metrics": metrics,
        "log_bytes": log_bytes,
    }


def _resources(
    kind: Kind, repeated: Mapping[str, list[str]], chosen: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """Returns the resources that a stack makes with its parameters' defaults."""
    template = render(kind, repeated)
    declared = parameters(kind).items()
    values = {name: str(entry.get("Default", "")) for name, entry in declared} | dict(chosen)

    def holds(condition: Any) -> bool:
        ((function, operands),) = condition.items()
        if function == "Condition":
            return holds(template["Conditions"][operands])
        if function == "Fn::Equals":
            left, right = (str(_value(operand, values)) for operand in operands)
            return left == right
        truths = [holds(operand) for operand in operands]
        return {"Fn::Not": not truths[0], "Fn::And": all(truths), "Fn::Or": any(truths)}[function]

    return [
        resource
        for resource in template["Resources"].values()
        if "Condition" not in resource or holds({"Condition": resource["Condition"]})
    ]


def _value(node: Any, values: Mapping[str, str]) -> Any:
    """Returns what a condition compares: a constant, a parameter, or a list of them joined."""
    match node:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Join": [_, of]}:
            return _value(of, values)
        case _:
            return node


def _of_type(resources: list[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [resource["Properties"] for resource in resources if resource["Type"] == f"AWS::{kind}"]


def _alarm_metrics(resources: list[Mapping[str, Any]]) -> int:
    # An alarm is billed by the metrics that it looks at. A query looks at one or more.
    return sum(
        sum(
            "MetricStat" in metric or "SELECT" in json.dumps(metric.get("Expression"))
            for metric in alarm.get("Metrics", [{"MetricStat": alarm}])
        )
        for alarm in _of_type(resources, "CloudWatch::Alarm")
    )


def _of_an_invocation() -> tuple[int, int]:
    """Returns how many metrics and bytes the log has of an invocation that went well."""
    tally = Tally(records=1, enriched=1)
    invocation = Invocation(0, "0" * 36, "weblog", "firehose", 1, tally, cache_hit_percent=1)
    line = invocation_line(invocation, "WebLog/Lambda")
    (listed,) = json.loads(line)["_aws"]["CloudWatchMetrics"]
    return len(listed["Metrics"]), len(line) + _LAMBDA_LOG_BYTES
