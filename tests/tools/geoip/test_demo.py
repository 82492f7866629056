from __future__ import annotations

import gzip
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import geoip2.database
import pytest

from tests.support.geoip_files import write_pair
from tools.geoip import demo as geoip_demo
from tools.geoip.sources import IPV4_FILE
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_file import GeoFile
from udfs.enrich.geo_schema import CITY
from udfs.errors import DatabaseError


def test_the_bundled_database_covers_every_address_of_the_bundled_log() -> None:
    addresses = geoip_demo.client_addresses(geoip_demo.LOG_FILE)
    assert len(addresses) == 1_753
    with geoip2.database.Reader(geoip_demo.OUTPUT_FILE) as reader:
        for address in addresses:
            answer = reader.city(address)
            assert answer.city.name
            assert answer.country.name
            assert answer.country.iso_code
            assert answer.location.latitude is not None
            assert answer.location.longitude is not None


def test_the_bundled_database_is_small_and_says_whose_data_it_is() -> None:
    assert geoip_demo.OUTPUT_FILE.stat().st_size < 300_000
    with geoip2.database.Reader(geoip_demo.OUTPUT_FILE) as reader:
        metadata = reader.metadata()
    assert metadata.database_type == "DBIP-City-Lite (demo subset)"
    assert "https://db-ip.com" in metadata.description["en"]
    assert metadata.build_epoch == 1_780_666_922


def test_addresses_are_only_those_of_the_clients(tmp_path: Path) -> None:
    log = tmp_path / "log.gz"
    log.write_bytes(
        gzip.compress(
            b'10.0.0.9 - - [x] "GET /1.1.1.1 HTTP/1.1"\n9.9.9.9 - -\n10.0.0.9 - -\n'
            b"example.com - -\n2001:db8::1 - -\n\n\xff\xfe\n"
        )
    )
    assert geoip_demo.client_addresses(log) == ["9.9.9.9", "10.0.0.9"]


def test_a_subset_gives_the_same_answers_for_the_networks_asked_for(tmp_path: Path) -> None:
    source = write_pair(tmp_path) / IPV4_FILE
    outputs = [tmp_path / name for name in ("a.mmdb", "b.mmdb")]
    asked = ["1.2.3.1", "1.2.3.200", "1.2.4.1", "8.8.8.8", "9.9.9.9"]
    for output in outputs:
        assert geoip_demo.make_subset(source, asked, output) == 3
    # The same source gives the same bytes.
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    with (
        closing(GeoDatabase.open(source, CITY)) as flat,
        closing(GeoDatabase.open(outputs[0], CITY)) as subset,
    ):
        for address in [*asked, "1.2.3.255", "1.2.5.255", "1.2.6.0", "9.255.0.0"]:
            assert subset.lookup(address) == flat.lookup(address)
        assert subset.lookup("203.0.113.7") is None
        assert subset.lookup("2001:db8::1") is None
    with geoip2.database.Reader(outputs[0]) as reader:
        assert str(reader.city("1.2.3.77").traits.network) == "1.2.3.0/24"
        assert str(reader.city("1.2.5.1").traits.network) == "1.2.4.0/23"
        assert datetime.fromtimestamp(reader.metadata().build_epoch, UTC) == build_date(source)


def build_date(path: Path) -> datetime:
    with closing(GeoFile.open(path, CITY)) as file:
        return file.build_date


def test_a_source_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=IPV4_FILE):
        geoip_demo.make_subset(tmp_path / IPV4_FILE, [], tmp_path / "demo.mmdb")
    assert not list(tmp_path.iterdir())
