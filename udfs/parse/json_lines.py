"""Access logs as one JSON object a line, and the objects that Kinesis Agent makes of plain lines.

A producer's names are known or named by a setting. A name may lead into the object with dots
(`request.headers.User-Agent`); of a list the first element counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from udfs.errors import ValidationError
from udfs.parse.access_log import SIZE, STATUS, LogLine, bad_status, escape, request_time

type Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Where a producer's objects hold the fields of a line; empty where they do not.

    Attributes:
        client: The server's peer.
        time: The time stamp: text of any known form, or seconds or milliseconds since 1970.
        status: The response's status.
        request: The request line; else `method`, `target` and `protocol`.
        size: Bytes of the response.
        duration: Time that the request took, in units of `duration_ms` milliseconds.
        is_logged: Texts carry the escapes of a log line, not of JSON only.
    """

    client: str
    time: str
    status: str
    request: str = ""
    method: str = ""
    target: str = ""
    protocol: str = ""
    size: str = ""
    user: str = ""
    referer: str = ""
    agent: str = ""
    forwarded: str = ""
    vhost: str = ""
    duration: str = ""
    duration_ms: float = 1000.0
    is_logged: bool = False


AGENT = FieldNames(
    client="host",
    time="datetime",
    status="response",
    request="request",
    size="bytes",
    user="authuser",
    referer="referer",
    agent="agent",
    is_logged=True,
)
"""Kinesis Agent, LOGTOJSON: COMMONAPACHELOG and COMBINEDAPACHELOG (awslabs/amazon-kinesis-agent,
ApacheLogParser.java). What is `-` in the log is null."""

_NGINX = FieldNames(
    client="remote_addr",
    time="time_iso8601",
    status="status",
    request="request",
    method="request_method",
    target="request_uri",
    protocol="server_protocol",
    size="body_bytes_sent",
    user="remote_user",
    referer="http_referer",
    agent="http_user_agent",
    forwarded="http_x_forwarded_for",
    vhost="host",
    duration="request_time",
)
_CADDY = FieldNames(
    client="request.remote_ip",
    time="ts",
    status="status",
    method="request.method",
    target="request.uri",
    protocol="request.proto",
    size="size",
    user="user_id",
    referer="request.headers.Referer",
    agent="request.headers.User-Agent",
    forwarded="request.headers.X-Forwarded-For",
    vhost="request.host",
    duration="duration",
)
_TRAEFIK = FieldNames(
    client="ClientHost",
    time="StartUTC",
    status="DownstreamStatus",
    method="RequestMethod",
    target="RequestPath",
    protocol="RequestProtocol",
    size="DownstreamContentSize",
    user="ClientUsername",
    referer="request_Referer",
    agent="request_User-Agent",
    forwarded="request_X-Forwarded-For",
    vhost="RequestHost",
    duration="Duration",
    duration_ms=1e-6,
)
_ENVOY = FieldNames(
    client="downstream_remote_address",
    time="start_time",
    status="response_code",
    method="method",
    target="path",
    protocol="protocol",
    size="bytes_sent",
    agent="user_agent",
    referer="referer",
    forwarded="x_forwarded_for",
    vhost="authority",
    duration="duration",
    duration_ms=1.0,
)
_VECTOR = FieldNames(
    client="client",
    time="timestamp",
    status="status",
    request="request",
    size="size",
    user="user",
    referer="referer",
    agent="agent",
)
"""`parse_nginx_log` of Vector's language. (`parse_apache_log` calls the request `message`, as
shippers call a whole line.)"""
KNOWN = (
    AGENT,
    _NGINX,
    replace(_NGINX, time="time_local"),
    replace(_NGINX, time="msec"),
    replace(_NGINX, time="time_iso8601", size="bytes_sent", vhost="server_name"),
    _CADDY,
    replace(_CADDY, client="request.remote_addr"),
    _TRAEFIK,
    _ENVOY,
    _VECTOR,
)
"""Names that producers use when nobody says otherwise. The first whose client, time and status an
object has is taken."""

SETTABLE = tuple(
    name for name in FieldNames.__dataclass_fields__ if name not in {"duration_ms", "is_logged"}
)
"""Fields of `FieldNames` that the setting `json.fields` may name."""


def named(members: Mapping[str, str]) -> FieldNames:
    """Returns names that a setting gives, by the fields of `FieldNames`."""
    names: dict[str, Any] = dict(members)
    return FieldNames(**names)


_STATUS = re.compile(STATUS)
_SIZE = re.compile(SIZE)
_ABSENT = object()


class ObjectReader:
    """Reads objects whose names are given, or known.

    Args:
        names: The names; empty for those of known producers.
        extra: Further members that a line keeps, by their names.
    """

    def __init__(self, names: Sequence[FieldNames] = (), extra: tuple[str, ...] = ()) -> None:
        self._names = tuple(names) or KNOWN
        self._extra = extra

    def line(self, fields: Fields) -> LogLine | None:
        """Returns the line that an object stands for; None when its names are not known.

        Raises:
            ValidationError: Stage `parse`, reason `bad_status` or `bad_size`.
        """
        for names in self._names:
            line = _line(fields, names)
            if line is not None:
                if self._extra:
                    extra = {name: _text(_member(fields, name)) for name in self._extra}
                    return line._replace(extra=extra)
                return line
        return None


def _line(fields: Fields, names: FieldNames) -> LogLine | None:
    client, time = _text(_member(fields, names.client)), _text(_member(fields, names.time))
    status = _text(_member(fields, names.status))
    if client is None or time is None or status is None:
        return None
    if _STATUS.fullmatch(status) is None:
        raise bad_status()
    logged = str if names.is_logged else escape

    def field(name: str) -> str | None:
        return _text(_member(fields, name)) if name else None

    def header(name: str) -> str | None:
        # A name that is not there is a field that the format does not have.
        value = _member(fields, name)
        return None if value is _ABSENT or not name else logged(_text(value) or "-")

    request = field(names.request)
    if request is None:
        method, target = field(names.method), field(names.target)
        if method is not None and target is not None:
            protocol = field(names.protocol)
            request = f"{method} {target}" if protocol is None else f"{method} {target} {protocol}"
    size = field(names.size) or "-"
    if _SIZE.fullmatch(size) is None:
        raise ValidationError("parse", "bad_size", "the size is not a number of at most 18 digits")
    return LogLine(
        vhost=field(names.vhost),
        host=client,
        ident="-",
        user=field(names.user) or "-",
        timestamp=time,
        request=logged(request or "-"),
        status=status,
        size=size,
        referer=header(names.referer),
        agent=header(names.agent),
        forwarded_for=field(names.forwarded),
        request_time_ms=_duration(_member(fields, names.duration), names.duration_ms),
    )


def _member(fields: Fields, name: str) -> Any:
    """Returns the value of a member; `_ABSENT` where there is none."""
    if name in fields:
        value = fields[name]
    else:
        value = fields
        for step in name.split("."):
            value = value.get(step, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value[0] if isinstance(value, list) and value else value


def _text(value: Any) -> str | None:
    """Returns a text or number as text; None for anything else, and for nothing."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return repr(value)


def _duration(value: Any, unit_ms: float) -> int | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return request_time(number * unit_ms)
