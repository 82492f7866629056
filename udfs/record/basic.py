"""Records between the two stages: a line that is parsed, filtered and checked, not yet enriched.

The basic stage writes them, the advanced stage reads them as its input lines. The client's address
comes first and the event id last, as in an enriched record. The address is still the client's own,
because its location is looked up in the advanced stage; the authenticated user is not part of a
record at all, and personal values inside texts are masked already.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson

from udfs.errors import ValidationError
from udfs.parse.access_log import LogLine
from udfs.quality import PRIVATE_ADDRESS, STATUSES, quality_member, status_of
from udfs.record.encode import ClientPart, ReferrerPart, RequestPart, StatusPart

SCHEMA = "weblog.basic/1"

_NO_ISSUES: tuple[str, ...] = ()


class BasicRecord(NamedTuple):
    """A basic record, as the advanced stage takes it over."""

    line: LogLine
    issues: tuple[str, ...]
    """Without those that follow only from the address, which is judged again."""
    event_id: str
    masked: bool
    """Personal values inside texts are masked already."""


def encode_basic(  # noqa: PLR0917 - as for the enriched record
    client: ClientPart,
    timestamp: str,
    event_time: str,
    request: RequestPart,
    status: StatusPart,
    size_text: str,
    referer: ReferrerPart,
    json_agent: str,
    more: str,
    issues: tuple[str, ...],
    masked: bool,
    event_id: str,
) -> str:
    """Puts a basic record together; the arguments are those of `udfs.record.encode.encode`."""
    return (
        f'{{{client.json_host}"datetime":"{timestamp}",{request.json_line}{status.json_response}'
        f'"bytes":"{size_text}",{referer.json_referer}{json_agent}{request.json_request}'
        f'"event_time":"{event_time}",{status.json_class}{more}{quality_member(issues)}'
        f'"masked":{"true" if masked else "false"},"schema":"{SCHEMA}","event_id":"{event_id}"}}'
    )


_HOST = re.compile(r'[^\s"]+')
_STATUS = re.compile("[1-5][0-9][0-9]")
_SIZE = re.compile("-|[0-9]{1,18}")
_EVENT_ID = re.compile("[0-9a-f]{32}")


def read_basic(text: str) -> BasicRecord:
    """Reads what the basic stage wrote.

    Raises:
        ValidationError: Stage `decode`, reason `not_json`; or stage `parse`, reason
            `not_a_basic_record`.
    """
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValidationError("decode", "not_json", "the line is not JSON") from None
    match record:
        case {
            "schema": "weblog.basic/1",
            "host": str(host),
            "datetime": str(timestamp),
            "request": str(request),
            "response": str(status),
            "bytes": str(size),
            "referer": str() | None as referer,
            "agent": str() | None as agent,
            "quality": {"issues": list(issues)},
            "masked": bool(masked),
            "event_id": str(event_id),
        } if (
            _HOST.fullmatch(host)
            and _STATUS.fullmatch(status)
            and _SIZE.fullmatch(size)
            and _EVENT_ID.fullmatch(event_id)
            and _are_known(issues)
        ):
            line = LogLine(
                vhost=_optional_text(record, "vhost"),
                host=host,
                ident="-",
                user="-",
                timestamp=timestamp,
                request=request,
                status=status,
                size=size,
                referer=referer,
                agent=agent,
                forwarded_for=None,
                proxy=_optional_text(record, "proxy"),
                request_time_ms=_optional_time(record),
                extra=_optional_extra(record),
            )
            carried = tuple(code for code in issues if code != PRIVATE_ADDRESS)
            return BasicRecord(line, carried or _NO_ISSUES, event_id, masked)
    raise ValidationError("parse", "not_a_basic_record", "the line is no record of the basic stage")


def rewrite_basic(record: BasicRecord) -> str:
    """Returns a basic record with what the advanced stage reads, and no more; for dead letters."""
    line = record.line
    return orjson.dumps(
        {
            "host": line.host,
            "datetime": line.timestamp,
            "request": line.request,
            "response": line.status,
            "bytes": line.size,
            "referer": line.referer,
            "agent": line.agent,
            "request_time_ms": line.request_time_ms,
            "vhost": line.vhost,
            "proxy": line.proxy,
            "extra": line.extra,
            "quality": {"status": status_of(record.issues), "issues": record.issues},
            "masked": record.masked,
            "schema": SCHEMA,
            "event_id": record.event_id,
        }
    ).decode()


def _are_known(issues: list[Any]) -> bool:
    return all(isinstance(code, str) and code in STATUSES for code in issues)


def _optional_text(record: dict[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) else None


def _optional_time(record: dict[str, Any]) -> int | None:
    value = record.get("request_time_ms")
    return value if isinstance(value, int) and 0 <= value < 2**63 else None


def _optional_extra(record: dict[str, Any]) -> dict[str, str | None] | None:
    extra = record.get("extra")
    if not isinstance(extra, dict):
        return None
    return {name: value if isinstance(value, str) else None for name, value in extra.items()}
