"""One structured log line: the same first fields wherever the core runs.

JSON escapes line breaks, control characters and everything beyond ASCII, so no value can pass for
a second line or for a field of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from udfs.parse.timestamps import iso_utc

type Level = Literal["INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True)
class LogHead:
    """The fields that every line has, in this order.

    Attributes:
        timestamp_ms: When, in milliseconds since 1970-01-01 UTC.
        level: WARNING when some records failed, ERROR when the work as a whole did.
        request_id: What the line is about: an invocation, or an interval of a worker.
        event_type: Kind of work.
        duration_ms: Time spent on it, in milliseconds.
        records_processed: Source records; one may hold several lines.
        records_failed: How many of them, or of their lines, ended as dead letters or failures.
    """

    timestamp_ms: int
    level: Level
    request_id: str
    event_type: str
    duration_ms: float
    records_processed: int
    records_failed: int


def log_line(head: LogHead, more: Mapping[str, Any]) -> str:
    """Returns the line, without its line break.

    Args:
        head: The fields that every line has.
        more: Further fields; they cannot replace those of the head.
    """
    fields = {
        "timestamp": iso_utc(head.timestamp_ms),
        "level": head.level,
        "request_id": head.request_id,
        "event_type": head.event_type,
        "duration_ms": round(head.duration_ms, 3),
        "records_processed": head.records_processed,
        "records_failed": head.records_failed,
    }
    return json.dumps(fields | {name: value for name, value in more.items() if name not in fields})
