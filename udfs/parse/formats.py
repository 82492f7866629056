"""The log formats that lines may have, by the settings' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from udfs.errors import ValidationError
from udfs.parse import alb, cloudfront, json_lines
from udfs.parse.access_log import LineParser, LogLine, empty_line, parser_for
from udfs.parse.json_lines import ObjectReader
from udfs.parse.log_format import compile_format
from udfs.parse.timestamps import EventTime, read_any_timestamp, read_timestamp

type Preset = Literal[
    "combined", "common", "vhost_combined", "combined_xff", "alb", "cloudfront",
    "cloudfront_realtime", "json",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Format:
    """How lines of a format are read.

    Attributes:
        parse: Splits a line into its fields.
        read_time: Reads a line's time stamp.
        objects: Reads the JSON objects that stand for lines.
        has_request_time: Lines may say how long their requests took.
    """

    parse: LineParser
    read_time: Callable[[str], EventTime]
    objects: ObjectReader
    has_request_time: bool = False


_AGENT_OBJECTS = ObjectReader((json_lines.AGENT,))


def preset(
    name: Preset,
    *,
    fields: tuple[str, ...] = (),
    members: Mapping[str, str] | None = None,
    extra: tuple[str, ...] = (),
) -> Format:
    """Returns a known format.

    Args:
        name: Its name.
        fields: For `cloudfront_realtime`: the fields of its configuration, in their order.
        members: For `json`: names of members by the fields of `FieldNames`; none: known producers'.
        extra: Names of further fields that lines keep.
    """
    match name:
        case "alb":
            parse = alb.parser(extra)
            return Format(parse, read_any_timestamp, _AGENT_OBJECTS, has_request_time=True)
        case "cloudfront":
            return _cloudfront(cloudfront.STANDARD_FIELDS, extra)
        case "cloudfront_realtime":
            return _cloudfront(fields or cloudfront.REALTIME_FIELDS, extra)
        case "json":
            names = (json_lines.named(members),) if members else ()
            objects = ObjectReader(names, extra)
            has_request_time = not members or "duration" in members
            return Format(_json_parser(objects), read_any_timestamp, objects, has_request_time)
        case _:
            return Format(parser_for(name), read_timestamp, _AGENT_OBJECTS)


def own_format(pattern: str, extra: tuple[str, ...] = ()) -> Format:
    """Returns the format of a server's own pattern.

    Raises:
        FormatError: The pattern can't be used.
    """
    compiled = compile_format(pattern, extra)
    return Format(compiled.parse, compiled.read_time, _AGENT_OBJECTS, compiled.has_request_time)


def _cloudfront(fields: tuple[str, ...], extra: tuple[str, ...]) -> Format:
    parse = cloudfront.parser(fields, extra)
    has_request_time = cloudfront.REQUEST_TIME in fields
    return Format(parse, read_any_timestamp, _AGENT_OBJECTS, has_request_time)


def _json_parser(objects: ObjectReader) -> LineParser:
    def parse(line: str) -> LogLine:
        try:
            document: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            if not line or line.isspace():
                raise empty_line()
            raise ValidationError("parse", "malformed_line", "the line is no JSON object")
        fields = objects.line(document)
        if fields is None:
            raise unknown_object()
        return fields

    return parse


def unknown_object() -> ValidationError:
    """Returns the problem of a JSON object that holds neither a line nor a line's fields."""
    return ValidationError(
        "parse", "unknown_object", "the JSON object has neither a line nor the fields of one"
    )
