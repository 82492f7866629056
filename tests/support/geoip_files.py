"""Small databases in MaxMind's format, for the GeoIP tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from tools.geoip.sources import IPV4_FILE, IPV6_FILE

type Flat = Mapping[str, object]

PARIS: Flat = {"city": "Paris", "country_code": "FR", "latitude": 48.8566, "longitude": 2.3522}
SEOUL: Flat = {"city": "Seoul", "country_code": "KR", "latitude": 37.5665, "longitude": 126.978}
BOUVET: Flat = {"city": "", "country_code": "BV", "latitude": -54.4208, "longitude": 3.3464}
UTRECHT: Flat = {"city": "Utrecht", "country_code": "NL", "latitude": 52.0908, "longitude": 5.1124}

IPV4 = {
    "1.2.3.0/24": PARIS,
    "1.2.4.0/23": SEOUL,
    "9.0.0.0/8": BOUVET,
    "203.0.113.7/32": PARIS,
}
IPV6 = {"2001:db8::/32": SEOUL, "2a00:1450:4000::/37": UTRECHT, "2a00:1450:5000::1/128": PARIS}


def write_city(
    path: Path,
    networks: Mapping[str, object],
    ip_version: int = 6,
    *,
    kind: str = "Made-City",
) -> Path:
    """Writes a database of the type City, whatever its records are."""
    both = ip_version == 6
    how = {"ip_version": ip_version, "ipv4_compatible": both, "database_type": kind}
    return _write(path, networks, **how)


def write_asn(
    path: Path, networks: Mapping[str, Any], *, kind: str = "Made-ASN", ip_version: int = 6
) -> Path:
    """Writes a database of autonomous systems, given by their numbers."""
    records = {
        network: {
            "autonomous_system_number": number,
            "autonomous_system_organization": f"of {number}",
        }
        for network, number in networks.items()
    }
    return write_city(path, records, ip_version, kind=kind)


def write_flat(path: Path, ip_version: int, networks: Mapping[str, object]) -> Path:
    """Writes a flat database; numbers are stored as 32-bit floats, as in the package."""
    extra = {"state1": "", "state2": "", "postcode": "", "timezone": ""}
    records = {
        network: extra | record if isinstance(record, dict) else record
        for network, record in networks.items()
    }
    kind = f"city ipv{ip_version}"
    return _write(path, records, ip_version=ip_version, database_type=kind, float_type="f32")


def write_pair(
    folder: Path,
    ipv4: Mapping[str, object] = IPV4,
    ipv6: Mapping[str, object] = IPV6,
) -> Path:
    """Writes both files of the package into a folder, and makes the folder if it is missing."""
    folder.mkdir(exist_ok=True)
    write_flat(folder / IPV4_FILE, 4, ipv4)
    write_flat(folder / IPV6_FILE, 6, ipv6)
    return folder


def _write(path: Path, networks: Mapping[str, Any], **how: Any) -> Path:
    writer = MMDBWriter(**how)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
