from __future__ import annotations

from ipaddress import IPv4Network, ip_network
from pathlib import Path

import geoip2.database
import maxminddb
import pytest
from geoip2.errors import AddressNotFoundError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.geoip_files import BOUVET, PARIS, SEOUL, UTRECHT, Flat, write_flat, write_pair
from tools.geoip import city as geoip_city
from tools.geoip.city import CitySection, Place, convert_pair
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from udfs.errors import DatabaseError


@pytest.fixture
def city_file(tmp_path: Path) -> Path:
    output = tmp_path / "city.mmdb"
    convert_pair(write_pair(tmp_path), output, samples=500)
    return output


@pytest.mark.parametrize(
    ("address", "network", "place", "country"),
    [
        ("1.2.3.4", "1.2.3.0/24", PARIS, "France"),
        ("1.2.5.255", "1.2.4.0/23", SEOUL, "South Korea"),
        ("203.0.113.7", "203.0.113.7/32", PARIS, "France"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.0/120", PARIS, "France"),
        ("2001:db8:ffff::1", "2001:db8::/32", SEOUL, "South Korea"),
        ("2a00:1450:47ff::", "2a00:1450:4000::/37", UTRECHT, "The Netherlands"),
        ("2a00:1450:5000::1", "2a00:1450:5000::1/128", PARIS, "France"),
    ],
)
def test_the_city_reader_gives_the_same_answer(
    city_file: Path, address: str, network: str, place: Flat, country: str
) -> None:
    with geoip2.database.Reader(city_file) as reader:
        answer = reader.city(address)
    assert answer.city.name == place["city"]
    assert answer.country.iso_code == place["country_code"]
    assert answer.country.name == country
    assert answer.location.latitude == place["latitude"]
    assert answer.location.longitude == place["longitude"]
    assert answer.traits.network == ip_network(network)


def test_a_network_without_a_city_has_none(city_file: Path) -> None:
    with geoip2.database.Reader(city_file) as reader:
        answer = reader.city("9.9.9.9")
    assert answer.city.name is None
    assert answer.country.iso_code == BOUVET["country_code"]


@pytest.mark.parametrize(
    "address", ["1.2.2.255", "1.2.6.0", "203.0.113.6", "127.0.0.1", "::1", "2001:db9::", "fe80::1"]
)
def test_an_address_outside_is_not_found(city_file: Path, address: str) -> None:
    with geoip2.database.Reader(city_file) as reader, pytest.raises(AddressNotFoundError):
        reader.city(address)


def test_the_metadata_names_type_date_and_attribution(city_file: Path, tmp_path: Path) -> None:
    with maxminddb.open_database(tmp_path / IPV4_FILE) as reader:
        source = reader.metadata()
    with maxminddb.open_database(city_file) as reader:
        metadata = reader.metadata()
    assert "City" in metadata.database_type
    assert metadata.ip_version == 6
    assert metadata.build_epoch >= source.build_epoch
    assert geoip_city.ATTRIBUTION in metadata.description["en"]


def test_every_network_can_be_listed(city_file: Path) -> None:
    with maxminddb.open_database(city_file) as reader:
        cities = [Place.from_city(record).city for _, record in reader if isinstance(record, dict)]
    assert sorted(cities) == ["", "Paris", "Paris", "Paris", "Seoul", "Seoul", "Utrecht"]


def test_ipv6_data_around_the_ipv4_part_stays(tmp_path: Path) -> None:
    output = tmp_path / "city.mmdb"
    convert_pair(write_pair(tmp_path, ipv6={"::/16": UTRECHT}), output, samples=0)
    with geoip2.database.Reader(output) as reader:
        assert reader.city("0:1::").city.name == "Utrecht"
        assert reader.city("1.2.3.4").city.name == "Paris"
        with pytest.raises(AddressNotFoundError):
            reader.city("1.2.2.4")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    networks=st.dictionaries(
        st.integers(0, 0xFFFF).map(lambda high: f"{high >> 8}.{high & 0xFF}.0.0/16"),
        st.sampled_from([PARIS, SEOUL, BOUVET, UTRECHT]),
        min_size=1,
    )
)
def test_any_set_of_networks_keeps_its_answers(tmp_path: Path, networks: dict[str, Flat]) -> None:
    output = tmp_path / "city.mmdb"
    convert_pair(write_pair(tmp_path, ipv4=networks), output, samples=50)
    with (
        maxminddb.open_database(tmp_path / IPV4_FILE) as old,
        maxminddb.open_database(output) as new,
    ):
        for name in networks:
            network = IPv4Network(name)
            for number in (int(network[0]) - 1, int(network[0]), int(network[-1]) + 1):
                address = IPv4Network((max(number, 0) % 2**32, 32))[0]
                was, now = old.get(address), new.get(address)
                assert (was is None) == (now is None)
                if isinstance(was, dict) and isinstance(now, dict):
                    assert Place.from_flat(was) == Place.from_city(now)


def test_a_missing_half_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (tmp_path / IPV6_FILE).unlink()
    with pytest.raises(DatabaseError, match=IPV6_FILE):
        convert_pair(tmp_path, tmp_path / "city.mmdb")
    assert not (tmp_path / "city.mmdb").exists()


def test_swapped_halves_are_refused(tmp_path: Path) -> None:
    write_flat(tmp_path / IPV4_FILE, 6, {"2001:db8::/32": PARIS})
    write_flat(tmp_path / IPV6_FILE, 6, {"2001:db8::/32": PARIS})
    with pytest.raises(DatabaseError, match="not an IPv4 database"):
        convert_pair(tmp_path, tmp_path / "city.mmdb")


def test_a_wrong_conversion_is_noticed_and_the_old_file_stays(
    city_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = city_file.read_bytes()
    files = sorted(tmp_path.iterdir())
    right = CitySection.add

    def wrong(self: CitySection, place: Place) -> int:
        moved = Place("Atlantis", place.country_code, place.latitude, place.longitude)
        return right(self, moved if place.city == "Seoul" else place)

    monkeypatch.setattr(CitySection, "add", wrong)
    with pytest.raises(DatabaseError, match="answers differ"):
        convert_pair(tmp_path, city_file)
    assert city_file.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == files
