"""Access logs of Application Load Balancers, as they lie in S3.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from udfs.errors import ValidationError
from udfs.parse.access_log import (
    ANYTHING,
    QUOTED,
    SIZE,
    STATUS,
    LineParser,
    LogLine,
    bad_status,
    empty_line,
    present,
    request_time,
)

FIELDS = (
    "type", "time", "elb", "client:port", "target:port", "request_processing_time",
    "target_processing_time", "response_processing_time", "elb_status_code", "target_status_code",
    "received_bytes", "sent_bytes", "request", "user_agent", "ssl_cipher", "ssl_protocol",
    "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority",
    "request_creation_time", "actions_executed", "redirect_url", "error_reason",
    "target:port_list", "target_status_code_list", "classification", "classification_reason",
    "conn_trace_id",
)  # fmt: skip
"""Names of the documentation, in order."""

_QUOTED_FIELDS = frozenset(
    {
        "request", "user_agent", "trace_id", "domain_name", "chosen_cert_arn", "actions_executed",
        "redirect_url", "error_reason", "target:port_list", "target_status_code_list",
        "classification", "classification_reason",
    }
)  # fmt: skip
# Older lines end earlier: https://docs.aws.amazon.com calls what was added since "new fields".
_LEAST_FIELDS = FIELDS.index("user_agent") + 1


def parser(extra: tuple[str, ...] = ()) -> LineParser:
    """Returns a function that reads a line.

    The line's `request_time_ms` is the sum of its three processing times; a time of -1 (the target
    did not answer) counts as none. `referer` is absent.

    Args:
        extra: Names of `FIELDS` that the line keeps besides.
    """
    fullmatch = re.compile(_pattern(STATUS, SIZE), re.DOTALL).fullmatch
    any_result = re.compile(_pattern(ANYTHING, ANYTHING), re.DOTALL)
    indexes = {name: FIELDS.index(name) for name in extra}

    def parse(line: str) -> LogLine:
        match = fullmatch(line)
        if match is None:
            raise _problem(line, any_result.fullmatch)
        fields = match.groups()
        return LogLine(
            vhost=present(fields[18]),
            host=_without_port(fields[3]),
            ident="-",
            user="-",
            timestamp=fields[1],
            request=fields[12].strip(),
            status=fields[8],
            size=fields[11],
            referer=None,
            agent=fields[13],
            forwarded_for=None,
            request_time_ms=_milliseconds(fields[5], fields[6], fields[7]),
            extra={name: present(fields[index]) for name, index in indexes.items()}
            if indexes
            else None,
        )

    return parse


def _pattern(status: str, size: str) -> str:
    pieces = {"elb_status_code": status, "sent_bytes": size}
    fields = [
        pieces.get(name) or (QUOTED if name in _QUOTED_FIELDS else r"(\S++)") for name in FIELDS
    ]
    least, later = fields[:_LEAST_FIELDS], fields[_LEAST_FIELDS:]
    optional = "".join(f"(?: {field}" for field in later) + ")?+" * len(later)
    return " ".join(least) + optional + r"(?: .*+)?+"


def _without_port(client: str) -> str:
    # An IPv6 address stands without brackets before its port.
    host, _, port = client.rpartition(":")
    return host.strip("[]") if host and port.isdigit() else client


def _milliseconds(*seconds: str) -> int | None:
    try:
        known = [value for text in seconds if (value := float(text)) >= 0]
    except ValueError:
        return None
    return request_time(sum(known) * 1000) if known else None


def _problem(line: str, any_result: Callable[[str], re.Match[str] | None]) -> ValidationError:
    if not line or line.isspace():
        return empty_line()
    match = any_result(line)
    if match is None:
        return ValidationError("parse", "malformed_line", "the line is not of the format alb")
    if re.fullmatch(STATUS, match[9]) is None:
        return bad_status()
    return ValidationError("parse", "bad_size", "the size is not a number of at most 18 digits")
