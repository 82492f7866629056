"""Envelopes in which dead letters come back to the input, with the number of the attempt."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import orjson

from udfs.errors import ValidationError
from udfs.letters.dead_letter import text_of

SCHEMA = "weblog.replay/1"
PREFIX = b'{"schema":"weblog.replay/1"'
"""How an envelope starts. No log line starts so: its first field holds no quotation mark."""


class Replayed(NamedTuple):
    """A line, or a record that could not be unwrapped, that is tried again."""

    raw: bytes
    attempts: int
    """Which attempt this is; the first one was the line or record itself."""


def envelope(raw: bytes, attempts: int) -> bytes:
    """Puts a line into an envelope, as one line of JSON.

    Args:
        raw: The line without its line break, or the record.
        attempts: Which attempt it will be, at least 2.
    """
    text, encoding = text_of(raw)
    return orjson.dumps(
        {"schema": SCHEMA, "raw": text, "raw_encoding": encoding, "attempts": attempts}
    )


def read_envelope(data: bytes) -> Replayed:
    """Reads an envelope.

    Raises:
        ValidationError: Stage `decode`, reason `bad_replay`.
    """
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _bad_replay() from None
    match body:
        case {
            "schema": "weblog.replay/1",
            "raw": str(raw),
            "raw_encoding": "utf-8" | "base64" as encoding,
            "attempts": int(attempts),
        } if attempts >= 2:
            data = raw.encode() if encoding == "utf-8" else _bytes_of(raw)
            return Replayed(data, attempts)
    raise _bad_replay()


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _bad_replay() from None


def _bad_replay() -> ValidationError:
    return ValidationError("decode", "bad_replay", "the envelope of a replayed line is not valid")
