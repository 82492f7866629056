"""The flat schema: a file for IPv4 and a file for IPv6."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.core import CITY_DATABASE, DATA, NOW, combined, enriched, enricher
from tests.support.geoip_files import BOUVET, write_flat, write_pair
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from udfs.config.core import CoreSettings
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_schema import CITY, GeoLocation
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError, DatabaseError

FILES = [IPV4_FILE, IPV6_FILE]
NO_CITY = GeoLocation(None, "Bouvet Island", "BV", -54.4208, 3.3464)
# Coordinates are exact to the last digit, though the files hold 32-bit floats.
IN_PARIS = GeoLocation("Paris", "France", "FR", 48.8566, 2.3522)
IN_SEOUL = GeoLocation("Seoul", "South Korea", "KR", 37.5665, 126.978)
IN_UTRECHT = GeoLocation("Utrecht", "The Netherlands", "NL", 52.0908, 5.1124)

KNOWN = {
    "1.2.3.4": IN_PARIS,
    "1.2.5.255": IN_SEOUL,
    "9.9.9.9": NO_CITY,
    "203.0.113.7": IN_PARIS,
    "::ffff:1.2.3.4": IN_PARIS,
    "2001:db8:ffff::1": IN_SEOUL,
    "2a00:1450:47ff::": IN_UTRECHT,
    "2a00:1450:47ff::%eth0": IN_UTRECHT,
    "2a00:1450:5000::1": IN_PARIS,
}
UNKNOWN = ["1.2.2.255", "1.2.6.0", "127.0.0.1", "::1", "2001:db9::", "fe80::1", "example.com", ""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pair(tmp_path)


@pytest.mark.parametrize("named", FILES)
def test_either_file_of_a_pair_names_both(folder: Path, named: str) -> None:
    with closing(GeoDatabase.open(folder / named, CITY)) as database:
        assert {address: database.lookup(address) for address in KNOWN} == KNOWN
        assert not any(map(database.lookup, UNKNOWN))
        assert database.files == {folder / name for name in FILES}
        assert database.database_type == "dbip-city-ipv4, dbip-city-ipv6"


def test_a_pair_is_as_old_as_its_older_file(folder: Path) -> None:
    path = folder / IPV6_FILE
    content = path.read_bytes()
    # The last 4 bytes of the file are the date.
    path.write_bytes(content[:-4] + b"\x60\x00\x00\x00")
    for name in FILES:
        with closing(GeoDatabase.open(folder / name, CITY)) as database:
            assert database.build_date.timestamp() == 0x60000000


def test_what_a_record_leaves_open_is_none(tmp_path: Path) -> None:
    records = {
        "1.0.0.0/24": BOUVET,
        "1.0.1.0/24": {"city": "Nowhere", "country_code": ""},
        "1.0.2.0/24": {"country_code": "ZZ", "latitude": 0.0, "longitude": -0.5},
        "1.0.3.0/24": {"state1": "Svalbard", "postcode": "9170", "timezone": "Arctic/Longyearbyen"},
    }
    path = write_flat(tmp_path / IPV4_FILE, 4, records)
    with closing(GeoDatabase.open(path, CITY)) as database:
        assert [database.lookup(f"1.0.{number}.1") for number in range(4)] == [
            NO_CITY,
            GeoLocation("Nowhere", None, None, None, None),
            GeoLocation(None, None, "ZZ", 0.0, -0.5),
            GeoLocation(None, None, None, None, None, "Svalbard", "9170", "Arctic/Longyearbyen"),
        ]


@pytest.mark.parametrize(
    ("gone", "known", "unknown"),
    [(IPV6_FILE, "1.2.3.4", "2001:db8::1"), (IPV4_FILE, "2001:db8::1", "1.2.3.4")],
)
def test_a_file_without_the_other_knows_its_own_addresses(
    folder: Path, gone: str, known: str, unknown: str
) -> None:
    (folder / gone).unlink()
    (path,) = folder.iterdir()
    with closing(GeoDatabase.open(path, CITY)) as database:
        assert database.files == {path}
        assert database.lookup(known) is not None
        assert database.lookup(unknown) is None


@pytest.mark.parametrize("name", ["city.mmdb", IPV4_FILE])
def test_a_city_database_needs_no_other_file(tmp_path: Path, name: str) -> None:
    path = shutil.copy(CITY_DATABASE, tmp_path / name)
    (tmp_path / IPV6_FILE).write_bytes(b"no database")
    with closing(GeoDatabase.open(path, CITY)) as database:
        assert database.files == {path}
        assert database.lookup("2001:218::1") is not None


@pytest.mark.parametrize(("named", "other"), [FILES, FILES[::-1]])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no database", "not a MaxMind DB file, or a corrupt one"),
        (CITY_DATABASE, "not the file of the other IP version"),
        (None, "not the file of the other IP version"),
        (DATA / "GeoIP2-Country-Test.mmdb", "of type 'GeoIP2-Country', not a City database"),
    ],
    ids=["broken", "City schema", "same version", "country"],
)
def test_a_pair_with_a_bad_file_is_a_bad_setting(
    folder: Path, named: str, other: str, content: bytes | Path | None, problem: str
) -> None:
    path = folder / named
    source = path if content is None else content
    (folder / other).write_bytes(source if isinstance(source, bytes) else source.read_bytes())
    with pytest.raises(ConfigurationError) as refused:
        enricher({"weblog.geoip": {"database.path": str(path)}})
    assert str(refused.value) == (
        f"weblog.geoip: database.path = {str(path)!r}: expected a readable MaxMind DB file of City "
        f"type ({other}: {problem})"
    )


@pytest.mark.parametrize(
    "broken", [b"\x05Paris", b"\x45Par\xff\xfe"], ids=["unknown type", "no UTF-8"]
)
@pytest.mark.parametrize(
    ("name", "address"), [(IPV4_FILE, "1.2.3.4"), (IPV6_FILE, "2a00:1450:5000::1")]
)
def test_the_three_outcomes_stay_apart(
    folder: Path, name: str, address: str, broken: bytes
) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"\x45Paris", broken))
    with pytest.raises(ConfigurationError, match=r"City type \(corrupt\)"):
        enricher({"weblog.geoip": {"database.path": str(path)}})
    # A look-up finds damage that came after the check.
    with closing(GeoDatabase.open(path, CITY)) as database:
        core = Enricher(CoreSettings(), database, lambda: NOW)
        for _ in range(2):
            with pytest.raises(DatabaseError, match="corrupt") as caught:
                core.process(combined(host=address).encode())
            assert caught.value.path == str(path)
        assert "Seoul" in enriched(core, combined(host="1.2.4.1")).json
        assert enriched(core, combined(host="10.0.0.1")).issues == ("private_address",)
        assert not enriched(core, combined(host="8.8.8.8")).issues


@pytest.mark.parametrize("record", ["Paris", [], {"latitude": "north"}, {"country_code": []}])
def test_a_record_of_another_schema_is_an_error_and_not_a_miss(
    tmp_path: Path, record: object
) -> None:
    path = write_flat(tmp_path / IPV4_FILE, 4, {"1.2.3.0/24": record})
    with closing(GeoDatabase.open(path, CITY)) as database:
        with pytest.raises(DatabaseError, match="not of the flat schema"):
            database.lookup("1.2.3.4")
        assert database.lookup("1.2.4.4") is None
