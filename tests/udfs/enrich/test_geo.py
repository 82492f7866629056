import ipaddress
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.core import CITY_DATABASE, DATA
from tests.support.geoip_files import write_city
from udfs.enrich.geo import GeoDatabase, is_reserved
from udfs.enrich.geo_schema import CITY, GeoLocation
from udfs.errors import DatabaseError

type Places = GeoDatabase[GeoLocation]


@pytest.fixture(scope="module")
def city() -> Iterator[Places]:
    database = GeoDatabase.open(CITY_DATABASE, CITY)
    yield database
    database.close()


type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV4_IN_IPV6 = ipaddress.IPv6Network("::/96")


def source_networks() -> dict[Network, dict[str, Any]]:
    """Returns MaxMind's own table of the records in its test database."""
    listed = json.loads((DATA / "GeoIP2-City-Test.json").read_text("utf-8"))
    records: dict[Network, dict[str, Any]] = {}
    for entry in listed:
        for text, record in entry.items():
            network = ipaddress.ip_network(text)
            if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(IPV4_IN_IPV6):
                # The table has IPv4 as the IPv6 networks of the database's tree.
                start = int(network.network_address)
                records[ipaddress.IPv4Network((start, network.prefixlen - 96))] = record
            else:
                records[network] = record
    return records


NETWORKS = source_networks()


def expected_location(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> GeoLocation:
    """Returns the table's record of the narrowest network with an address."""
    holding = [network for network in NETWORKS if address in network]
    record = NETWORKS[max(holding, key=lambda network: network.prefixlen)]
    location = record.get("location", {})
    regions = [region["names"]["en"] for region in record.get("subdivisions", [])]
    return GeoLocation(
        city=record.get("city", {}).get("names", {}).get("en"),
        country=record.get("country", {}).get("names", {}).get("en"),
        country_code=record.get("country", {}).get("iso_code"),
        latitude=location.get("latitude"),
        longitude=location.get("longitude"),
        region=regions[0] if regions else None,
        postal_code=record.get("postal", {}).get("code"),
        time_zone=location.get("time_zone"),
    )


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_network_of_maxminds_table(city: Places, network: Network) -> None:
    for address in (network[0], network[-1]):
        assert city.lookup(str(address)) == expected_location(address)


def test_the_table_is_not_trivial() -> None:
    locations = [expected_location(network[0]) for network in NETWORKS]
    assert len(locations) > 200
    assert sum(one.city is not None for one in locations) > 10
    assert sum(one.country is None for one in locations) > 0
    assert sum(one.region is not None for one in locations) > 5
    assert sum(one.postal_code is not None for one in locations) > 1
    assert sum(one.time_zone is not None for one in locations) > 100


def test_an_address_spelt_out(city: Places) -> None:
    assert city.lookup("81.2.69.142") == GeoLocation(
        "London", "United Kingdom", "GB", 51.5142, -0.0931, "England", None, "Europe/London"
    )


def test_country_is_where_the_address_is_not_where_it_is_registered(
    city: Places,
) -> None:
    record = NETWORKS[ipaddress.IPv4Network("2.125.160.216/29")]
    assert record["country"]["iso_code"] != record["registered_country"]["iso_code"]
    found = city.lookup("2.125.160.216")
    assert found is not None
    assert found.country_code == record["country"]["iso_code"]


def test_mapped_and_long_spellings_of_an_address(city: Places) -> None:
    assert city.lookup("::ffff:81.2.69.142") == city.lookup("81.2.69.142")
    short = city.lookup("2001:218::1")
    assert short is not None
    assert city.lookup("2001:0218:0000:0000:0000:0000:0000:0001") == short
    assert city.lookup("2001:218::1%eth0") == short


@pytest.mark.parametrize(
    "host",
    [
        "1.2.3.4",
        "10.0.0.1",
        "2600::1",
        "example.com",
        "localhost",
        "-",
        "",
        "81.2.69",
        "2130706433",
    ],
)
def test_what_is_not_in_the_database_is_none(city: Places, host: str) -> None:
    assert city.lookup(host) is None


@pytest.mark.parametrize(
    ("host", "reserved"),
    [
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("127.0.0.1", True),
        ("169.254.1.1", True),
        ("100.64.0.1", True),
        ("203.0.113.42", True),
        ("224.0.0.1", True),
        ("240.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 - an address of a client, nothing is bound
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("2001:db8::1", True),
        ("ff02::1", True),
        ("::ffff:10.0.0.1", True),
        ("8.8.8.8", False),
        ("172.32.0.1", False),
        ("2600::1", False),
        ("::ffff:8.8.8.8", False),
        ("localhost", False),
        ("10.0.0", False),
        ("-", False),
    ],
)
def test_reserved_addresses(host: str, reserved: bool) -> None:
    assert is_reserved(host) is reserved


def test_build_date_and_age(city: Places) -> None:
    assert city.database_type == "GeoIP2-City"
    assert city.build_date.tzinfo is UTC
    assert city.build_date > datetime(2020, 1, 1, tzinfo=UTC)
    assert city.age(city.build_date + timedelta(days=3)) == timedelta(days=3)


def test_a_database_of_only_ipv4_has_no_ipv6_address(tmp_path: Path) -> None:
    record = {"city": {"names": {"en": "Paris"}}}
    path = write_city(tmp_path / "city.mmdb", {"81.2.69.0/24": record}, ip_version=4)
    with closing(GeoDatabase.open(path, CITY)) as database:
        assert database.lookup("81.2.69.142") is not None
        assert database.lookup("::ffff:81.2.69.142") is not None
        assert database.lookup("2001:218::1") is None


def test_a_closed_database_answers_nothing() -> None:
    database = GeoDatabase.open(CITY_DATABASE, CITY)
    database.close()
    with pytest.raises(ValueError, match="closed"):
        database.lookup("81.2.69.142")


def check_error_and_no_miss(path: Path, address: str, problem: str) -> None:
    """Checks that an unusable record is an error, and other records still have answers."""
    with closing(GeoDatabase.open(path, CITY)) as database:
        with pytest.raises(DatabaseError, match=problem) as caught:
            database.lookup(address)
        assert caught.value.path == str(path)
        assert database.lookup("1.2.3.4") is None


def test_a_corrupt_record_is_an_error_and_not_a_miss() -> None:
    path = DATA / "GeoIP2-City-Test-Broken-Double-Format.mmdb"
    check_error_and_no_miss(path, "2001:220::", "corrupt")


def test_a_name_that_is_not_utf8_is_an_error_and_not_a_miss(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mmdb"
    damaged.write_bytes(CITY_DATABASE.read_bytes().replace(b"London", b"Lond\xff\xfe"))
    check_error_and_no_miss(damaged, "81.2.69.142", "corrupt")


@pytest.mark.parametrize(
    "record",
    ["Paris", [], {"city": "Paris"}, {"city": {"names": []}}, {"subdivisions": {"en": "x"}}],
    ids=["text", "list", "text for a map", "list for a map", "map for a list"],
)
def test_a_record_of_another_schema_is_an_error_and_not_a_miss(
    tmp_path: Path, record: object
) -> None:
    path = write_city(tmp_path / "other.mmdb", {"81.2.69.0/24": record})
    check_error_and_no_miss(path, "81.2.69.142", "not of the City schema")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("GeoIP2-City-Test-Invalid-Node-Count.mmdb", "not a MaxMind DB file, or a corrupt one"),
        ("GeoIP2-Country-Test.mmdb", "of type 'GeoIP2-Country', not a City database"),
        ("GeoIP2-City-Test.json", "not a MaxMind DB file, or a corrupt one"),
        ("missing.mmdb", "no such file"),
    ],
)
def test_unusable_files_are_refused_when_opened(name: str, problem: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        GeoDatabase.open(DATA / name, CITY)
    assert caught.value.problem == problem


def test_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        GeoDatabase.open(tmp_path, CITY)
    empty = tmp_path / "empty.mmdb"
    empty.touch()
    with pytest.raises(DatabaseError):
        GeoDatabase.open(empty, CITY)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mmdb"
    cut.write_bytes(CITY_DATABASE.read_bytes()[:10_000])
    with pytest.raises(DatabaseError):
        GeoDatabase.open(cut, CITY)


def test_a_path_may_hold_blanks_and_other_scripts(tmp_path: Path) -> None:
    copy = tmp_path / "städte und länder.mmdb"
    shutil.copy(CITY_DATABASE, copy)
    database = GeoDatabase.open(copy, CITY)
    assert database.lookup("81.2.69.142") is not None
    database.close()
