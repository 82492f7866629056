"""Where a client address is, from a City database in MaxMind's format.

Three outcomes are kept apart: an address the database does not know (None), an address that can be
in no database because it is private or reserved (:func:`is_reserved`), and a database that cannot
be read (:class:`DatabaseError`).
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

import maxminddb
from geoip2.database import Reader

from udfs.enrich.file_version import file_version
from udfs.errors import DatabaseError

_CITY_TYPES = ("City", "Enterprise")


class GeoLocation(NamedTuple):
    """English names, ISO 3166-1 code and WGS 84 degrees; None where the database has nothing."""

    city: str | None
    country: str | None
    country_code: str | None
    latitude: float | None
    longitude: float | None


class _RawReader(Reader):
    """geoip2's reader plus access to the plain record.

    ``city()`` builds model objects of which five values are needed: 19 us a look-up against 8.
    """

    def record(self, address: str) -> object:
        return self._db_reader.get(address)


class GeoDatabase:
    """An open City database. The file is memory-mapped, so processes share its pages."""

    def __init__(self, path: str, reader: _RawReader) -> None:
        self._path = path
        self._reader = reader
        self.database_type: str = reader.metadata().database_type
        self.build_date = datetime.fromtimestamp(reader.metadata().build_epoch, UTC)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a database file.

        Raises:
            DatabaseError: no such file, not a MaxMind DB, or not of City type.
        """
        path = str(path)
        try:
            reader = _RawReader(path)
        except FileNotFoundError:
            raise DatabaseError(path, "no such file") from None
        except OSError as error:
            raise DatabaseError(path, error.strerror or "cannot be read") from error
        except maxminddb.InvalidDatabaseError as error:
            raise DatabaseError(path, "not a MaxMind DB file, or a corrupt one") from error
        kind = reader.metadata().database_type
        if not any(wanted in kind for wanted in _CITY_TYPES):
            reader.close()
            raise DatabaseError(path, f"of type {kind!r}, not a City database")
        return cls(path, reader)

    def try_out(self) -> None:
        """Look up addresses from all over the address space.

        Raises:
            DatabaseError: the database is corrupt.
        """
        for network in range(1, 224):
            self.lookup(f"{network}.0.0.1")
            self.lookup(f"2{network:03x}::1")

    def age(self, now: datetime) -> timedelta:
        """Time since the database was built."""
        return now - self.build_date

    def lookup(self, host: str) -> GeoLocation | None:
        """Location of an address; None for host names and for addresses without an entry.

        Raises:
            DatabaseError: the database is corrupt.
        """
        # The reader parses text itself. A plain IPv4 address needs no look of ours first, which
        # would take as long as the look-up: 2 us.
        address = host if _IPV4.fullmatch(host) else _text(parse_address(host))
        if address is None:
            return None
        try:
            record = self._reader.record(address)
            if record is None:
                return None
            return _location(record)
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError) as error:
            raise DatabaseError(self._path, "corrupt") from error
        except ValueError:
            # An IPv6 address asked of an IPv4-only database.
            return None
        except (TypeError, KeyError, AttributeError) as error:
            raise DatabaseError(self._path, "a record is not of the City schema") from error

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class GeoDatabaseFile:
    """Notices that a database file has been replaced.

    The new file must take the old one's place at once (rename it there). The old one stays mapped
    into memory, so one that is written over would change, or end, under the feet of its reader.

    Args:
        path: the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._version = file_version(self._path)

    def replaced(self) -> GeoDatabase | None:
        """The new database, if there is another one than at the last look.

        Raises:
            DatabaseError: there is, and it cannot be used. It is looked at once only.
        """
        version = file_version(self._path)
        if version == self._version:
            return None
        self._version = version
        database = GeoDatabase.open(self._path)
        try:
            database.try_out()
        except DatabaseError:
            database.close()
            raise
        return database


def _location(record: Any) -> GeoLocation:
    country = record.get("country", _NOTHING)
    location = record.get("location", _NOTHING)
    return GeoLocation(
        record.get("city", _NOTHING).get("names", _NOTHING).get("en"),
        country.get("names", _NOTHING).get("en"),
        country.get("iso_code"),
        location.get("latitude"),
        location.get("longitude"),
    )


_NOTHING: dict[str, Any] = {}


# Without leading zeros, which some take for octal numbers.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")


def _text(address: object | None) -> str | None:
    return None if address is None else str(address)


def is_reserved(host: str) -> bool:
    """True for private, loopback, link-local, multicast and otherwise reserved addresses."""
    address = parse_address(host)
    return address is not None and (not address.is_global or address.is_multicast)


def parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is: an IPv4 one inside IPv6 as IPv4, without a zone; else None."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            # The zone has meaning on the server alone and databases do not take it.
            return ipaddress.IPv6Address(int(address))
    return address
