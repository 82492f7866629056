"""The enriched record as JSON.

A record is put together from parts: what a client address, a request line, a referrer and a user
agent each contribute. A part holds its values and their JSON text, so that a part seen before costs
no work but joining texts (`encode`), half of what `orjson.dumps` takes for a dict of values.

Parts are shared by records: treat them as constants. They are slotted but not frozen, because
a frozen part takes longer to make, and URLs with ids make new parts all the time (hot path).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from udfs.check.filters import FilterRule
from udfs.enrich.bots import BotKind
from udfs.enrich.geo_schema import AutonomousSystem, GeoLocation
from udfs.enrich.referrer import Referrer
from udfs.enrich.user_agent import UserAgent
from udfs.parse.request import Page, Request
from udfs.privacy.identities import Searchable
from udfs.quality import quality_member
from udfs.record.keys import keys


@dataclass(slots=True)
class ClientPart:
    """The part of a client's address."""

    host: str | None
    """As the record shows it."""
    issues: tuple[str, ...]
    keys: str
    """`host` and `country` as keys."""
    json_host: str
    json_location: str
    """`city` to `location`."""
    json_country_code: str
    json_network: str
    """`region` to `as_org`."""


@dataclass(slots=True)
class RequestPart:
    """The part of a request line."""

    field: str
    """As the log has it, with personal values masked."""
    searchable: Searchable
    """The same, to be searched for identities; nothing if none is hidden."""
    rule: FilterRule
    issues: tuple[str, ...]
    webpage: str | None
    keys: str
    """`webpage` and `is_static` (1 or 0) as keys."""
    largest_answer: int
    """More bytes of an answer than this are odd."""
    json_line: str
    json_webpage: str
    json_request: str
    """`method` to `protocol`."""
    json_depth: str
    json_static: str


@dataclass(slots=True)
class ReferrerPart:
    """The part of a referrer."""

    field: str | None
    searchable: Searchable
    issues: tuple[str, ...]
    keys: str
    """`type`, `site` and `page` as keys."""
    json_referer: str
    json_page: str
    json_type: str


@dataclass(slots=True)
class AgentPart:
    """The part of a user agent."""

    field: str | None
    searchable: Searchable
    rule: FilterRule
    issues: tuple[str, ...]
    keys: str
    """`device_type`, `browser`, `os` and `bot_kind` as keys."""
    bot_kind: BotKind | None
    json_agent: str
    json_families: str
    """`os` and `browser`."""
    json_device: str
    """`device_type` to `bot_kind`."""


@dataclass(slots=True)
class StatusPart:
    """The part of a response's status."""

    status: int
    rule: FilterRule
    largest_body: int
    """More bytes than this are odd."""
    json_response: str
    json_class: str
    json_error: str


def client_part(
    host: str | None,
    location: GeoLocation | None,
    network: AutonomousSystem | None,
    issues: tuple[str, ...],
) -> ClientPart:
    """Returns the part of a client as the record shows it.

    Args:
        host: The client.
        location: Where it is, if that is known.
        network: Whose network it is in, if that is known.
        issues: What is odd.
    """
    city = country = code = coordinates = region = postal_code = time_zone = None
    if location is not None:
        city, country, code, latitude, longitude, region, postal_code, time_zone = location
        if latitude is not None and longitude is not None:
            coordinates = {"lat": latitude, "lon": longitude}
    return ClientPart(
        host,
        issues,
        keys(host, country),
        f'"host":{_value(host)},',
        _members({"city": city, "country": country, "location": coordinates}),
        _kept_member("country_code", code),
        _members(
            {
                "region": region,
                "postal_code": postal_code,
                "time_zone": time_zone,
                "asn": None if network is None else network.number,
                "as_org": None if network is None else network.organization,
            }
        ),
    )


def request_part(
    field: str,
    request: Request,
    page: Page,
    rule: FilterRule,
    issues: tuple[str, ...],
    *,
    largest_answer: int,
    searchable: Searchable,
) -> RequestPart:
    """Returns the part of a request line, given as the record shows it."""
    name, depth, is_static = page
    method, path, protocol = request
    return RequestPart(
        field,
        searchable,
        rule,
        issues,
        name,
        keys(name, "1" if is_static else "0"),
        largest_answer,
        f'"request":{_value(field)},',
        f'"webpage":{_value(name)},',
        _members({"method": method, "path": path, "protocol": protocol}),
        _kept_member("path_depth", depth),
        _kept_member("is_static", is_static),
    )


def referrer_part(
    field: str | None,
    shown: str | None,
    referrer: Referrer,
    issues: tuple[str, ...],
    *,
    searchable: Searchable,
) -> ReferrerPart:
    """Returns the part of a referrer; None where the format has none, or where it is not shown."""
    kind, site, page = referrer
    return ReferrerPart(
        field,
        searchable,
        issues,
        keys(kind, site, page),
        f'"referer":{_value(shown)},',
        f'"refering_page":{_value(page)},',
        _kept_member("referer_type", kind),
    )


def agent_part(
    field: str | None,
    shown: str | None,
    agent: UserAgent,
    rule: FilterRule,
    issues: tuple[str, ...],
    *,
    searchable: Searchable,
) -> AgentPart:
    """Returns the part of a user agent; None where the format has none or it is not shown."""
    return AgentPart(
        field,
        searchable,
        rule,
        issues,
        keys(agent.device_type, agent.browser, agent.os, agent.bot_kind),
        agent.bot_kind,
        f'"agent":{_value(shown)},',
        _members({"os": agent.os, "browser": agent.browser}),
        _members(
            {
                "device_type": agent.device_type,
                "os_version": agent.os_version,
                "browser_version": agent.browser_version,
                "is_bot": agent.is_bot,
                "bot_kind": agent.bot_kind,
            }
        ),
    )


def status_part(status: str, rule: FilterRule, largest_body: int) -> StatusPart:
    """Returns the part of a status of three digits."""
    return StatusPart(
        int(status),
        rule,
        largest_body,
        f'"response":"{status}",',
        f'"status_class":"{status[0]}xx",',
        _kept_member("is_error", status[0] in "45"),
    )


def encode(  # noqa: PLR0917 - keywords take longer (hot path)
    client: ClientPart,
    timestamp: str,
    event_time: str,
    request: RequestPart,
    status: StatusPart,
    size_text: str,
    size: int | None,
    referrer: ReferrerPart,
    agent: AgentPart,
    more: str,
    issues: tuple[str, ...],
    event_id: str,
) -> str:
    """Puts a record together as one line of compact JSON.

    The fields and their order are a contract with the record's readers
    (`conf/schema/enriched.json`).

    Args:
        client: The client's part.
        timestamp: As the log has it; a valid one needs no escaping.
        event_time: The instant it means, in ISO 8601.
        request: The request line's part.
        status: The status' part.
        size_text: As the log has it, digits or `-`.
        size: The same as a number of bytes, None when absent.
        referrer: The referrer's part.
        agent: The user agent's part.
        more: Members of the line that are no part's; see `line_members`.
        issues: Quality codes of the record.
        event_id: Hexadecimal id.
    """
    return (
        f'{{{client.json_host}"datetime":"{timestamp}",{request.json_line}{status.json_response}'
        f'"bytes":"{size_text}",{referrer.json_referer}{agent.json_agent}{client.json_location}'
        f"{agent.json_families}{request.json_webpage}{referrer.json_page}{agent.json_device}"
        f'{client.json_country_code}{request.json_request}"event_time":"{event_time}",'
        f'{status.json_class}{referrer.json_type}"bytes_sent":{"null" if size is None else size},'
        f"{request.json_depth}{status.json_error}{request.json_static}{more}{client.json_network}"
        f'{quality_member(issues)}"event_id":"{event_id}"}}'
    )


def line_members(
    request_time_ms: int | None,
    vhost: str | None,
    proxy: str | None,
    extra: Mapping[str, str | None] | None,
    *,
    has_extra: bool,
) -> str:
    """Returns what most formats do not have, as members of the record's JSON.

    Args:
        request_time_ms: Time that the request took.
        vhost: The site asked for.
        proxy: The address in the log where it is not the client's.
        extra: Further fields by name.
        has_extra: The record has `extra`, be it null.
    """
    return (
        f'"request_time_ms":{"null" if request_time_ms is None else request_time_ms},'
        f"{_kept_member('vhost', vhost)}{_kept_member('proxy', proxy)}"
        f"{_members({'extra': extra}) if has_extra else ''}"
    )


@lru_cache(maxsize=1024)
def _kept_member(name: str, value: str | int | None) -> str:
    """Returns a member of few values, one text for all parts that hold it.

    Parts then share these texts, so that fewer are made and more of them are in the processor's
    caches (hot path).
    """
    return _members({name: value})


def _value(value: str | None) -> str:
    return "null" if value is None else orjson.dumps(value).decode()


def _members(values: dict[str, object]) -> str:
    """Returns the members of a JSON object, each with a comma behind it."""
    return f"{orjson.dumps(values)[1:-1].decode()},"
