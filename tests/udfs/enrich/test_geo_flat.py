"""The flat schema: a file for IPv4 and a file for IPv6."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.core import CITY_DATABASE, DATA, combined, enriched, enricher
from tests.support.geoip_files import BOUVET, PARIS, SEOUL, UTRECHT, Flat, write_flat, write_pair
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_file import GeoLocation
from udfs.errors import ConfigurationError, DatabaseError

FILES = [IPV4_FILE, IPV6_FILE]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pair(tmp_path)


@pytest.mark.parametrize("named", FILES)
@pytest.mark.parametrize(
    ("address", "place", "country"),
    [
        ("1.2.3.4", PARIS, "France"),
        ("1.2.5.255", SEOUL, "South Korea"),
        ("203.0.113.7", PARIS, "France"),
        ("::ffff:1.2.3.4", PARIS, "France"),
        ("2001:db8:ffff::1", SEOUL, "South Korea"),
        ("2a00:1450:47ff::", UTRECHT, "The Netherlands"),
        ("2a00:1450:47ff::%eth0", UTRECHT, "The Netherlands"),
        ("2a00:1450:5000::1", PARIS, "France"),
    ],
)
def test_either_file_of_a_pair_names_both(
    folder: Path, named: str, address: str, place: Flat, country: str
) -> None:
    with closing(GeoDatabase.open(folder / named)) as database:
        # To the last digit: the files hold 32-bit floats.
        assert database.lookup(address) == GeoLocation(country=country, **place)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    ["1.2.2.255", "1.2.6.0", "127.0.0.1", "::1", "2001:db9::", "fe80::1", "example.com", ""],
)
def test_an_address_outside_is_a_miss(folder: Path, address: str) -> None:
    with closing(GeoDatabase.open(folder / IPV4_FILE)) as database:
        assert database.lookup(address) is None


def test_what_a_record_lacks_is_none(tmp_path: Path) -> None:
    records = {
        "1.0.0.0/24": BOUVET,
        "1.0.1.0/24": {"city": "Nowhere", "country_code": ""},
        "1.0.2.0/24": {"country_code": "ZZ", "latitude": 0.0, "longitude": -0.5},
    }
    path = write_flat(tmp_path / IPV4_FILE, 4, records)
    with closing(GeoDatabase.open(path)) as database:
        found = [database.lookup(f"1.0.{number}.1") for number in range(3)]
    assert found == [
        GeoLocation(None, "Bouvet Island", "BV", -54.4208, 3.3464),
        GeoLocation("Nowhere", None, None, None, None),
        GeoLocation(None, None, "ZZ", 0.0, -0.5),
    ]


def test_a_database_names_its_files_and_the_earlier_date(folder: Path) -> None:
    with closing(GeoDatabase.open(folder / IPV6_FILE)) as database:
        assert database.files == {folder / name for name in FILES}
        assert database.database_type == "dbip-city-ipv4, dbip-city-ipv6"
        older, newer = (GeoDatabase.open(folder / name).build_date for name in FILES)
        assert database.build_date == min(older, newer)


@pytest.mark.parametrize(
    ("kept", "known", "unknown"),
    [(IPV4_FILE, "1.2.3.4", "2001:db8::1"), (IPV6_FILE, "2001:db8::1", "1.2.3.4")],
)
def test_a_file_without_the_other_knows_its_own_addresses(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, kept: str, known: str, unknown: str
) -> None:
    path = tmp_path_factory.mktemp("one") / kept
    shutil.copy(folder / kept, path)
    with closing(GeoDatabase.open(path)) as database:
        assert database.lookup(known) is not None
        assert database.lookup(unknown) is None
        assert database.database_type == Path(kept).stem


def test_a_name_without_a_version_is_a_database_of_its_own(folder: Path) -> None:
    path = (folder / IPV4_FILE).rename(folder / "city.mmdb")
    with closing(GeoDatabase.open(path)) as database:
        assert database.files == {path}


def test_a_city_database_needs_no_other_file(tmp_path: Path) -> None:
    path = shutil.copy(CITY_DATABASE, tmp_path / IPV4_FILE)
    (tmp_path / IPV6_FILE).write_bytes(b"no database")
    with closing(GeoDatabase.open(path)) as database:
        assert database.files == {path}
        assert database.lookup("2001:218::1") is not None


def test_files_whose_names_are_swapped_are_read_for_what_they_are(folder: Path) -> None:
    ipv4, ipv6, aside = folder / IPV4_FILE, folder / IPV6_FILE, folder / "aside"
    ipv4.rename(aside)
    ipv6.rename(ipv4)
    aside.rename(ipv6)
    with closing(GeoDatabase.open(ipv4)) as database:
        assert database.lookup("1.2.3.4") is not None
        assert database.lookup("2001:db8::1") is not None


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def same_version(path: Path) -> None:
    write_flat(path, 4 if path.name == IPV6_FILE else 6, {})


def city(path: Path) -> None:
    shutil.copy(CITY_DATABASE, path)


def country(path: Path) -> None:
    shutil.copy(DATA / "GeoIP2-Country-Test.mmdb", path)


@pytest.mark.parametrize(("named", "other"), [FILES, FILES[::-1]])
@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (damaged, "not a MaxMind DB file, or a corrupt one"),
        (same_version, "not the file of the other IP version"),
        (city, "not the file of the other IP version"),
        (country, "of type 'GeoIP2-Country', not a City database"),
    ],
)
def test_a_pair_with_a_bad_file_is_a_bad_setting(
    folder: Path, named: str, other: str, spoil: Callable[[Path], None], problem: str
) -> None:
    spoil(folder / other)
    with pytest.raises(DatabaseError) as caught:
        GeoDatabase.open(folder / named)
    assert caught.value.problem == f"{other}: {problem}"
    path = str(folder / named)
    with pytest.raises(ConfigurationError) as refused:
        enricher({"weblog.geoip": {"database.path": path}})
    assert str(refused.value) == (
        f"weblog.geoip: database.path = {path!r}: expected a readable MaxMind DB file of City type "
        f"({other}: {problem})"
    )


@pytest.mark.parametrize(
    ("whole", "broken"),
    [(b"\x45Paris", b"\x05Paris"), (b"Paris", b"Par\xff\xfe")],
    ids=["type", "no UTF-8"],
)
@pytest.mark.parametrize(
    ("name", "address"), [(IPV4_FILE, "1.2.3.4"), (IPV6_FILE, "2a00:1450:5000::1")]
)
def test_a_corrupt_record_is_an_error_and_not_a_miss(
    folder: Path, name: str, address: str, whole: bytes, broken: bytes
) -> None:
    path = folder / name
    content = path.read_bytes()
    assert content.count(whole) == 1
    path.write_bytes(content.replace(whole, broken))
    core = enricher({"weblog.geoip": {"database.path": str(path)}})
    for _ in range(2):
        with pytest.raises(DatabaseError, match="corrupt") as caught:
            core.process(combined(host=address).encode())
        assert caught.value.path == str(path)
    # Other addresses go on being answered, with a place or without.
    assert "Seoul" in enriched(core, combined(host="1.2.4.1")).json
    assert enriched(core, combined(host="10.0.0.1")).issues == ("private_address",)
    assert not enriched(core, combined(host="8.8.8.8")).issues


@pytest.mark.parametrize(
    "record", ["Paris", [], {"latitude": "north"}, {"country_code": []}, {"country_code": {"a": 1}}]
)
def test_a_record_of_another_schema_is_an_error_and_not_a_miss(
    tmp_path: Path, record: object
) -> None:
    path = write_flat(tmp_path / IPV4_FILE, 4, {"1.2.3.0/24": record})
    with closing(GeoDatabase.open(path)) as database:
        with pytest.raises(DatabaseError, match="not of the flat schema") as caught:
            database.lookup("1.2.3.4")
        assert caught.value.path == str(path)
        assert database.lookup("1.2.4.4") is None
