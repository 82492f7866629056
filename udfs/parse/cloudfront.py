"""Access logs of CloudFront: standard logs as they lie in S3, and real-time logs out of Kinesis.

Both are lines of tab-separated fields, percent-encoded where a value holds a blank or a control
character. Standard logs have a fixed order and header lines (`#Fields:`); real-time logs have the
fields and the order that their configuration names.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from udfs.errors import ValidationError
from udfs.parse.access_log import (
    SIZE,
    STATUS,
    LineParser,
    LogLine,
    bad_status,
    empty_line,
    escape,
    present,
    request_time,
)

STANDARD_FIELDS = (
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem",
    "sc-status", "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)",
    "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes",
    "time-taken", "x-forwarded-for", "ssl-protocol", "ssl-cipher", "x-edge-response-result-type",
    "cs-protocol-version", "fle-status", "fle-encrypted-fields", "c-port", "time-to-first-byte",
    "x-edge-detailed-result-type", "sc-content-type", "sc-content-len", "sc-range-start",
    "sc-range-end",
)  # fmt: skip
"""The order of standard logs. Later fields are appended; older lines have fewer."""

REALTIME_FIELDS = (
    "timestamp", "c-ip", "time-to-first-byte", "sc-status", "sc-bytes", "cs-method", "cs-protocol",
    "cs-host", "cs-uri-stem", "cs-bytes", "x-edge-location", "x-edge-request-id", "x-host-header",
    "time-taken", "cs-protocol-version", "c-ip-version", "cs-user-agent", "cs-referer", "cs-cookie",
    "cs-uri-query", "x-edge-response-result-type", "x-forwarded-for", "ssl-protocol", "ssl-cipher",
    "x-edge-result-type", "fle-encrypted-fields", "fle-status", "sc-content-type", "sc-content-len",
    "sc-range-start", "sc-range-end", "c-port", "x-edge-detailed-result-type", "c-country",
    "cs-accept-encoding", "cs-accept", "cache-behavior-path-pattern", "cs-headers",
    "cs-header-names", "cs-headers-count", "primary-distribution-id",
    "primary-distribution-dns-name", "origin-fbl", "origin-lbl", "asn",
)  # fmt: skip
"""Every field that a real-time configuration may name, in the console's order."""

_TIME = ("timestamp", "date")
NEEDED = ("c-ip", "sc-status", "cs-method", "cs-uri-stem")
"""Without these a line is no request; `timestamp` as well."""

REQUEST_TIME = "time-taken"
_REFERRER = ("cs(Referer)", "cs-referer")
_AGENT = ("cs(User-Agent)", "cs-user-agent")
_HOST = ("x-host-header", "cs(Host)", "cs-host")
_STATUS = re.compile(STATUS)
_SIZE = re.compile(SIZE)


def parser(fields: Sequence[str], extra: tuple[str, ...] = ()) -> LineParser:
    """Returns a function that reads a line.

    A comment line (`#Version:`, `#Fields:`) is a problem of reason `comment_line`, which the core
    filters.

    Args:
        fields: Names of the fields in their order.
        extra: Names among them that the line keeps besides.
    """
    indexes = {name: index for index, name in enumerate(fields)}
    needed = 1 + max(indexes[name] for name in (*NEEDED, _first(indexes, _TIME)))
    has_date = "timestamp" not in indexes

    def parse(line: str) -> LogLine:
        values = line.rstrip(" ").split("\t")
        if len(values) < needed or line.startswith("#"):
            raise _problem(line)

        def value(*names: str) -> str | None:
            for name in names:
                index = indexes.get(name)
                if index is not None and index < len(values):
                    return present(values[index])
            return None

        status, size = value("sc-status") or "", value("sc-bytes") or "-"
        if _STATUS.fullmatch(status) is None:
            raise bad_status()
        if _SIZE.fullmatch(size) is None:
            raise ValidationError("parse", "bad_size", "the size is not a number")
        return LogLine(
            vhost=value(*_HOST),
            host=value("c-ip") or "-",
            ident="-",
            user="-",
            timestamp=f"{value('date')} {value('time')}" if has_date else value("timestamp") or "",
            request=_request(value),
            status=status,
            size=size,
            referer=_decoded(value(*_REFERRER)),
            agent=_decoded(value(*_AGENT)),
            forwarded_for=_decoded(value("x-forwarded-for")),
            request_time_ms=_milliseconds(value(REQUEST_TIME)),
            extra={name: value(name) for name in extra} if extra else None,
        )

    return parse


def _first(indexes: Mapping[str, int], names: Sequence[str]) -> str:
    return next(name for name in names if name in indexes)


def _request(value: Callable[[str], str | None]) -> str:
    path, query = value("cs-uri-stem") or "", value("cs-uri-query")
    # A real-time log may have the query in the stem's place already.
    target = path if query is None else f"{path}?{query.removeprefix('?')}"
    protocol = value("cs-protocol-version")
    line = f"{value('cs-method') or '-'} {target}"
    return escape(line if protocol is None else f"{line} {protocol}")


def _decoded(value: str | None) -> str:
    """Returns a header's value as a server would have logged it; `-` where there is none."""
    if value is None:
        return "-"
    # Standard logs encode the percent sign of an encoding again (%2520).
    return escape(unquote(value.replace("%25", "%") if "%25" in value else value))


def _milliseconds(seconds: str | None) -> int | None:
    try:
        return None if seconds is None else request_time(float(seconds) * 1000)
    except ValueError:
        return None


def _problem(line: str) -> ValidationError:
    if not line or line.isspace():
        return empty_line()
    if line.startswith("#"):
        return ValidationError("parse", "comment_line", "the line is a comment")
    return ValidationError("parse", "malformed_line", "the line has too few fields for CloudFront")
