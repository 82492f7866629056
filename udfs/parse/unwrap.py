"""Records as producers on AWS put them, taken apart into the events inside.

A record is one line, several lines, or something wrapped around lines: an aggregate of the Kinesis
Producer Library, gzip, an event of CloudWatch Logs, a JSON object of a log shipper. Wrappings nest.
They are recognised by their first bytes. What can't be unwrapped is one failure with its bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from udfs.errors import ValidationError

type Fields = dict[str, Any]
"""A JSON object that holds the fields of a line by themselves."""

KPL_MAGIC = b"\xf3\x89\x9a\xc2"
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

FIRST_BYTES = frozenset(
    magic[:1] for magic in (KPL_MAGIC, GZIP_MAGIC, ZSTD_MAGIC, BYTE_ORDER_MARK, b"{")
)
"""How a record begins that may be wrapped; any other is lines."""

# An aggregate of gzip of an event of CloudWatch Logs of Docker's JSON; one to spare.
MAX_DEPTH = 5

# The service takes records of 1 MiB, now also of 10 MiB; a small compressed one can hold a thousand
# times as much.
MAX_UNPACKED_BYTES = 16 * 1024 * 1024

# An outcome costs some hundred bytes even where its line has none, so a small gzip record of line
# breaks would fill the memory. No plain record holds a quarter as many log lines; a gzip one that
# unpacks to 16 MiB holds fewer, unless they are shorter than 168 bytes.
MAX_EVENTS = 100_000

# JSON objects are kept as they are read, 100 bytes an element: 16 MiB of `[],[],` would take half
# a gigabyte. Objects that hold log lines have some ten elements a line.
MAX_ELEMENTS = 20 * MAX_EVENTS

LINE_MEMBERS = ("log", "message", "MESSAGE")
"""Where a shipper's JSON object holds the line: Fluent Bit and Docker, Vector and Filebeat, the
journal."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a record.

    Attributes:
        raw: Its bytes: the line, or the JSON object that stands for it.
        fields: The object, where it may hold a line's fields by themselves; None for a line.
    """

    raw: bytes
    fields: Fields | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a record that is meant to be no event.

    Attributes:
        raw: Its bytes.
        reason: Code of the filtered outcome.
    """

    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A record, or a part of it, that can't be unwrapped.

    Attributes:
        raw: Its bytes.
        problem: Why, of stage `decode`.
    """

    raw: bytes
    problem: ValidationError


type Content = Event | Skipped | Failed


def unwrap(
    data: bytes, maximum: int = MAX_UNPACKED_BYTES, *, objects: bool = True
) -> list[Content]:
    """Returns what a record holds, in order.

    Args:
        data: The record.
        maximum: Bytes that it may unpack to, over all wrappings.
        objects: Look into lines that are JSON objects; else they are events as they are.
    """
    contents: list[Content] = []
    unpacker = _Unpacker(maximum, objects=objects)
    try:
        for content in unpacker.contents(data, 0):
            if len(contents) >= MAX_EVENTS:
                return [Failed(data, too_many_lines())]
            contents.append(content)
    except _TooManyElementsError:
        message = f"the record has JSON of more than {MAX_ELEMENTS} elements"
        return [Failed(data, _problem("too_many_lines", message))]
    return contents or [Skipped(data, "no_events")]


def too_many_lines() -> ValidationError:
    """Returns the problem of a record with more events than are taken."""
    return ValidationError(
        "decode", "too_many_lines", f"the record has more than {MAX_EVENTS} lines"
    )


class _TooManyElementsError(Exception):
    """The JSON objects of a record would take too much memory."""


class _Unpacker:
    """Takes one record apart within bounds."""

    def __init__(self, maximum: int, *, objects: bool) -> None:
        self._left = maximum
        self._elements = 0
        self._objects = objects

    def contents(self, data: bytes, depth: int) -> Iterator[Content]:
        if data[:1] in FIRST_BYTES and depth > MAX_DEPTH:
            yield Failed(data, _problem("nested_too_deep", "the record is wrapped too often"))
        elif data.startswith(KPL_MAGIC):
            yield from self._inside(data, kpl_records, depth)
        elif data.startswith(GZIP_MAGIC):
            yield from self._inside(data, self._gunzipped, depth)
        elif data.startswith(ZSTD_MAGIC):
            yield Failed(data, _problem("zstd", "the record is compressed with zstd"))
        elif data.startswith(BYTE_ORDER_MARK):
            yield from self.contents(data[len(BYTE_ORDER_MARK) :], depth + 1)
        else:
            yield from self._lines(data, depth)

    def _inside(
        self, data: bytes, take_apart: Callable[[bytes], Iterable[bytes]], depth: int
    ) -> Iterator[Content]:
        try:
            parts = take_apart(data)
        except ValidationError as error:
            yield Failed(data, error)
            return
        for part in parts:
            yield from self.contents(part, depth + 1)

    def _gunzipped(self, data: bytes) -> Iterable[bytes]:
        plain = gunzip(data, self._left)
        self._left -= len(plain)
        return (plain,)

    def _lines(self, data: bytes, depth: int) -> Iterator[Content]:
        body = data.removesuffix(b"\n")
        if body.count(b"\n") >= MAX_EVENTS:
            yield Failed(data, too_many_lines())
            return
        for line in body.split(b"\n"):
            if self._objects and line.startswith(b"{"):
                yield from self._object(line.removesuffix(b"\r"), depth)
            else:
                yield Event(line.removesuffix(b"\r"))

    def _object(self, raw: bytes, depth: int) -> Iterator[Content]:
        """Yields the content of a line that begins like a JSON object."""
        self._elements += raw.count(b"{") + raw.count(b"[") + raw.count(b",")
        if self._elements > MAX_ELEMENTS:
            raise _TooManyElementsError
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            yield Event(raw)
            return
        match document:
            case {"messageType": "DATA_MESSAGE", "logEvents": list(events)}:
                yield from self._log_events(raw, events, depth)
                return
            case {"messageType": "CONTROL_MESSAGE"}:
                yield Skipped(raw, "control_message")
                return
        line = line_in(document)
        if line is None:
            yield Event(raw, document)
        else:
            yield from self._text(raw, line, depth)

    def _log_events(self, raw: bytes, events: list[Any], depth: int) -> Iterator[Content]:
        for event in events:
            message = event.get("message") if isinstance(event, dict) else None
            if not isinstance(message, str):
                problem = _problem("bad_log_event", "an event of CloudWatch Logs has no message")
                yield Failed(raw if event is None else orjson.dumps(event), problem)
            else:
                yield from self._text(raw, message, depth)

    def _text(self, raw: bytes, text: str, depth: int) -> Iterator[Content]:
        """Yields the content of a text inside a JSON object."""
        if depth >= MAX_DEPTH:
            yield Failed(raw, _problem("nested_too_deep", "the line is wrapped too often"))
        else:
            yield from self._lines(text.encode("utf-8", "surrogatepass"), depth + 1)


def line_in(document: Fields) -> str | None:
    """Returns the line that a shipper's JSON object holds; None when it holds none."""
    for member in LINE_MEMBERS:
        line = document.get(member)
        if isinstance(line, str):
            return line
    return None


def without_json_escapes(text: str) -> str | None:
    r"""Returns a text with one level of JSON's escapes undone; None when it has none.

    Fluent Bit's Kinesis plugin with `log_key` writes the value as JSON and strips only the outer
    quotes (plugins/out_kinesis_streams/kinesis_api.c), so `"GET /` arrives as `\"GET /`.
    """
    if '\\"' not in text:
        return None
    try:
        plain = orjson.loads(f'"{text}"')
    except orjson.JSONDecodeError:
        return None
    return plain if isinstance(plain, str) else None


def gunzip(data: bytes, maximum: int) -> bytes:
    """Returns the plain bytes of gzip data, of all its members.

    Args:
        data: The compressed bytes.
        maximum: Plain bytes that may come out; no more are ever made, so that small data can't
            fill the memory.

    Raises:
        ValidationError: Stage `decode`, reason `corrupt_gzip` or `gzip_too_large`.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(maximum + 1)
    except (OSError, EOFError, zlib.error):
        raise _problem("corrupt_gzip", "the gzip data is corrupt") from None
    if len(plain) > maximum:
        raise _problem("gzip_too_large", "the record unpacks to more than gzip.maximum.bytes")
    return plain


# --- aggregates of the Kinesis Producer Library -------------------------------------------------

_DIGEST_BYTES = 16
_LENGTH_DELIMITED = 2
_RECORDS = 3
_DATA = 3


def kpl_records(data: bytes) -> list[bytes]:
    """Returns the user records of an aggregate.

    The frame is the magic number, a protobuf message AggregatedRecord, and the MD5 of the message
    (awslabs/kinesis-aggregation, KPL_AGGREGATION_FORMAT.md).

    Raises:
        ValidationError: Stage `decode`, reason `corrupt_kpl`: the digest or the message is wrong.
    """
    message, digest = data[len(KPL_MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        raise _corrupt_kpl()
    return [data for record in _delimited(message, _RECORDS) for data in _delimited(record, _DATA)]


def _delimited(message: bytes, wanted: int) -> Iterator[bytes]:
    """Gives the bytes of a protobuf message's length-delimited fields of a number.

    Raises:
        ValidationError: Reason `corrupt_kpl`.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            _, at = _varint(message, at)
            continue
        if wire_type != _LENGTH_DELIMITED:
            raise _corrupt_kpl()
        length, at = _varint(message, at)
        if at + length > len(message):
            raise _corrupt_kpl()
        if number == wanted:
            yield message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise _corrupt_kpl()


def _problem(reason: str, message: str) -> ValidationError:
    return ValidationError("decode", reason, message)


def _corrupt_kpl() -> ValidationError:
    return _problem(
        "corrupt_kpl",
        "the record looks like an aggregate of the Kinesis Producer Library, but is not",
    )
