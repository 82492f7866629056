"""Dead letters: records that could not be used, kept with the reason and their very bytes."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass

import orjson

from udfs.parse.timestamps import iso_utc

SCHEMA = "weblog.dead-letter/1"

# U+FFFE and U+FFFF. SQS and SNS refuse them, and what carries JSON there may undo an escape.
_REFUSED = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")

# A byte of text may take six characters in JSON, such as \u0000. Base64 takes fewer.
_GROWTH = 6


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be used.

    Attributes:
        stage: Where it failed: decode, parse, validate, enrich or sink.
        reason: Short stable code.
        message: One sentence; holds no data of the record.
        raw: The line's bytes as they came, without its line break; masked or None if the settings
            want it so.
        event_time_ms: Milliseconds since 1970-01-01 UTC, None when the time is unknown.
        attempts: How often the record has been tried.
        raw_privacy: `masked` or `omitted` where raw is not what came.
    """

    stage: str
    reason: str
    message: str
    raw: bytes | None
    event_time_ms: int | None = None
    attempts: int = 1
    raw_privacy: str | None = None

    def to_json(self, failed_at: str, max_bytes: int) -> str:
        """Returns the letter as one line of JSON.

        A letter that no sink could take would fail the job again after every restart. So of a
        line that is too long for one only the start is kept, and `raw_bytes` says how long all
        of it was.

        Args:
            failed_at: ISO 8601 time in UTC.
            max_bytes: Most bytes of the JSON, at least 4096.
        """
        whole = self._encode(failed_at, self.raw)
        if self.raw is None or len(whole) <= max_bytes:
            return whole.decode()
        length = len(self.raw)
        room = max_bytes - len(self._encode(failed_at, b"", length))
        return self._encode(failed_at, _start(self.raw, room // _GROWTH), length).decode()

    def _encode(self, failed_at: str, shown: bytes | None, raw_bytes: int | None = None) -> bytes:
        raw, encoding = text_of(shown)
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
        if raw_bytes is not None:
            letter["raw_bytes"] = raw_bytes
        return orjson.dumps(letter)


def _start(raw: bytes, length: int) -> bytes:
    """Returns the first bytes, without half a character at their end if raw is UTF-8."""
    start = raw[:length]
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return start
    return start.decode("utf-8", "ignore").encode()


def text_of(raw: bytes | None) -> tuple[str | None, str | None]:
    """Returns text that stands for bytes in JSON, and how it is encoded: `utf-8` or `base64`."""
    if raw is None:
        return None, None
    if not any(refused in raw for refused in _REFUSED):
        with suppress(UnicodeDecodeError):
            return raw.decode("utf-8"), "utf-8"
    return base64.b64encode(raw).decode("ascii"), "base64"
