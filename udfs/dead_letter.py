"""Dead letters: records that could not be used, kept with the reason and their very bytes."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import orjson

from udfs.timestamps import iso_utc

SCHEMA = "weblog.dead-letter/1"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be used.

    Attributes:
        stage: where it failed: decode, parse, validate, enrich or sink.
        reason: short stable code.
        message: one sentence; holds no data of the record.
        raw: the line's bytes as they came, without its line break; masked or None if the settings
            want it so.
        event_time_ms: milliseconds since 1970-01-01 UTC, None when the time is unknown.
        attempts: how often the record has been tried.
        raw_privacy: ``masked`` or ``omitted`` where raw is not what came.
    """

    stage: str
    reason: str
    message: str
    raw: bytes | None
    event_time_ms: int | None = None
    attempts: int = 1
    raw_privacy: str | None = None

    def to_json(self, failed_at: str) -> str:
        """The letter as one line of JSON.

        Args:
            failed_at: ISO 8601 time in UTC.
        """
        raw, encoding = text_of(self.raw)
        event_time = None if self.event_time_ms is None else iso_utc(self.event_time_ms)
        letter = {
            "schema": SCHEMA,
            "stage": self.stage,
            "reason": self.reason,
            "message": self.message,
            "raw": raw,
            "raw_encoding": encoding,
            "event_time": event_time,
            "failed_at": failed_at,
            "attempts": self.attempts,
        }
        if self.raw_privacy is not None:
            letter["raw_privacy"] = self.raw_privacy
        return orjson.dumps(letter).decode()


def text_of(raw: bytes | None) -> tuple[str | None, str | None]:
    """Text that stands for bytes in JSON, and how it is encoded: ``utf-8`` or ``base64``."""
    if raw is None:
        return None, None
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii"), "base64"
