"""The one log line of an invocation. It carries the metrics too, in CloudWatch's embedded form.

Every value is a number or a code of this project: no text of a record gets here. JSON escapes
line breaks and control characters, so nothing can pass for a second line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_app.tally import Tally
from udfs.log_line import Level, LogHead, log_line


@dataclass(frozen=True, slots=True)
class Invocation:
    """The content of the log line of one invocation.

    Attributes:
        timestamp_ms: Its end, in milliseconds since 1970-01-01 UTC.
        request_id: Lambda's id of it.
        event_type: `firehose`, `kinesis` or `init`.
        function_name: The metrics' one dimension.
        duration_ms: How long it took, in milliseconds.
        tally: What was counted.
        error: Type of the exception that ended it, None when it ended well.
        cache_hit_percent: Percent of parts found in the core's caches, None without look-ups.
    """

    timestamp_ms: int
    request_id: str
    function_name: str
    event_type: str
    duration_ms: float
    tally: Tally
    error: str | None = None
    cache_hit_percent: float | None = None


def invocation_line(invocation: Invocation, namespace: str) -> str:
    """Returns the log line of an invocation, without its line break."""
    tally = invocation.tally
    metrics = _metrics(invocation)
    units = {
        "duration_ms": "Milliseconds",
        "records_processed": "Count",
        "records_failed": "Count",
        **{name: unit for name, (_, unit) in metrics.items()},
    }
    fields: dict[str, Any] = {
        "function_name": invocation.function_name,
        **{name: value for name, (value, _) in metrics.items()},
        "dead_letter_reasons": dict(tally.dead_lettered),
        "delivery_problems": dict(tally.undelivered),
        # aws-lambda-powertools would write this too. It would nearly double the package and cost
        # 13 ms of a cold start of 300, measured; it does not know what must not be logged.
        "_aws": {
            "Timestamp": invocation.timestamp_ms,
            "CloudWatchMetrics": [
                {
                    "Namespace": namespace,
                    "Dimensions": [["function_name"]],
                    "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
                }
            ],
        },
    }
    if invocation.error is not None:
        fields["error"] = invocation.error
    return log_line(_head(invocation, _level(invocation)), fields)


def init_line(invocation: Invocation, level: Level, **details: str) -> str:
    """Returns the log line of a cold start."""
    fields = {"function_name": invocation.function_name, **details}
    return log_line(_head(invocation, level), fields)


def _head(invocation: Invocation, level: Level) -> LogHead:
    return LogHead(
        invocation.timestamp_ms,
        level,
        invocation.request_id,
        invocation.event_type,
        invocation.duration_ms,
        invocation.tally.records,
        invocation.tally.failed,
    )


def _level(invocation: Invocation) -> Level:
    if invocation.error is not None or invocation.tally.outage:
        return "ERROR"
    return "WARNING" if invocation.tally.failed else "INFO"


def _metrics(invocation: Invocation) -> Mapping[str, tuple[float, str]]:
    """Returns the value and unit of each metric. Those of what is rare are there when not zero."""
    tally = invocation.tally
    by_stage: dict[str, int] = {}
    for code, count in tally.dead_lettered.items():
        stage = code.partition("/")[0]
        by_stage[stage] = by_stage.get(stage, 0) + count
    counts = {
        "records_deferred": tally.deferred,
        "lines_enriched": tally.enriched,
        "lines_filtered": tally.filtered.total(),
        "lines_dead_lettered": tally.dead_lettered.total(),
        "messages_undelivered": tally.undelivered.total(),
        "delivery_retries": tally.retries,
        "outages": int(tally.outage),
        **{f"filtered_{reason}": count for reason, count in tally.filtered.items()},
        **{f"dead_lettered_{stage}": count for stage, count in by_stage.items()},
    }
    if tally.misfiled:
        counts["lines_misfiled"] = tally.misfiled
    metrics: dict[str, tuple[float, str]] = {
        name: (count, "Count") for name, count in counts.items()
    }
    if tally.lines:
        micros = tally.enrichment_seconds * 1e6 / tally.lines
        metrics["enrichment_micros_per_line"] = (round(micros, 1), "Microseconds")
    if invocation.cache_hit_percent is not None:
        metrics["cache_hit_percent"] = (round(invocation.cache_hit_percent, 2), "Percent")
    return metrics
