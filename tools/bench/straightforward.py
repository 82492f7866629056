"""The yardstick: the same record as one would write it down without a thought to speed.

A regular expression with named groups, `urlsplit`, `strptime`, `geoip2`'s `city()`,
`user_agents.parse`, results of look-ups kept by `lru_cache`, and `json.dumps`. It is a fixed
point to measure against: leave it as it is, whatever the core learns. It even has less to do
than the core: quoted quotation marks, log escapes, addresses in brackets, kinds of referrers,
quality, ids and checks of any sort are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import geoip2.database
import geoip2.errors
from user_agents import parse as parse_agent

_LINE = re.compile(
    r"(?P<host>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<datetime>[^\]]+)\] "
    r'"(?P<request>[^"]*)" (?P<response>\d{3}) (?P<bytes>\d+|-) '
    r'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)
_CACHED = 65_536

type Record = dict[str, Any]


def parse(line: str) -> Record | None:
    """Returns the fields of a line as the log has them, None for one that is malformed."""
    match = _LINE.match(line)
    return match.groupdict() if match else None


@lru_cache(maxsize=_CACHED)
def locate(database: Path, host: str) -> Record:
    """Returns city, country, code and coordinates of an address."""
    try:
        place = reader(database).city(host)
    except (geoip2.errors.AddressNotFoundError, ValueError):
        return {"city": None, "country": None, "country_code": None, "location": None}
    return {
        "city": place.city.name,
        "country": place.country.name,
        "country_code": place.country.iso_code,
        "location": {"lat": place.location.latitude, "lon": place.location.longitude},
    }


@cache
def reader(database: Path) -> geoip2.database.Reader:
    """Returns the open database."""
    return geoip2.database.Reader(database)


@lru_cache(maxsize=_CACHED)
def describe_agent(agent: str) -> Record:
    """Returns families, versions and kind of device of a user agent."""
    parsed = parse_agent(agent)
    return {
        "os": parsed.os.family,
        "browser": parsed.browser.family,
        "os_version": parsed.os.version_string,
        "browser_version": parsed.browser.version_string,
        "is_bot": parsed.is_bot,
        "device_type": _device(parsed),
    }


def _device(parsed: Any) -> str:
    if parsed.is_bot:
        return "bot"
    if parsed.is_tablet:
        return "tablet"
    if parsed.is_mobile:
        return "mobile"
    return "desktop" if parsed.is_pc else "other"


def page(url: str) -> str | None:
    """Returns the name of the page that a path or URL leads to."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    name = unquote(path.rstrip("/").rpartition("/")[2])
    return name.partition(".")[0] or "index"


def instant(timestamp: str) -> str:
    """Returns a log's time in ISO 8601 and UTC."""
    return datetime.strptime(timestamp, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC).isoformat()


def enricher(database: Path) -> Callable[[bytes], str | None]:
    """Returns the function from the bytes of a line to its record as JSON."""

    def enrich(data: bytes) -> str | None:
        record = parse(data.decode())
        if record is None:
            return None
        del record["ident"], record["user"]
        words = record["request"].split()
        method, path, protocol = words if len(words) == 3 else (None, None, None)
        place = locate(database, record["host"])
        agent = describe_agent(record["agent"])
        record |= {
            "city": place["city"],
            "country": place["country"],
            "location": place["location"],
            "os": agent["os"],
            "browser": agent["browser"],
            "webpage": page(path) if path else None,
            "refering_page": None if record["referer"] == "-" else page(record["referer"]),
            "device_type": agent["device_type"],
            "os_version": agent["os_version"],
            "browser_version": agent["browser_version"],
            "is_bot": agent["is_bot"],
            "country_code": place["country_code"],
            "method": method,
            "path": path,
            "protocol": protocol,
            "event_time": instant(record["datetime"]),
            "status_class": record["response"][0] + "xx",
        }
        return json.dumps(record)

    return enrich
