from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path

import geoip2.database
import pytest

from tests.support.geoip_files import write_pair
from tools.geoip import demo as geoip_demo
from tools.geoip.sources import IPV4_FILE
from udfs.enrich.geo import GeoDatabase


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


def test_addresses_are_those_of_the_clients_alone(tmp_path: Path) -> None:
    log = tmp_path / "log.gz"
    log.write_bytes(
        gzip.compress(
            b'10.0.0.9 - - [x] "GET /1.1.1.1 HTTP/1.1"\n9.9.9.9 - -\n10.0.0.9 - -\n'
            b"example.com - -\n2001:db8::1 - -\n\n\xff\xfe\n"
        )
    )
    assert geoip_demo.client_addresses(log) == ["9.9.9.9", "10.0.0.9"]


def test_a_subset_keeps_networks_as_they_are_and_only_those_asked_for(tmp_path: Path) -> None:
    write_pair(tmp_path)
    output = tmp_path / "demo.mmdb"
    asked = ["1.2.3.1", "1.2.3.200", "1.2.4.1", "8.8.8.8"]
    assert geoip_demo.make_subset(tmp_path / IPV4_FILE, asked, output) == 2
    with geoip2.database.Reader(output) as reader:
        assert str(reader.city("1.2.3.77").traits.network) == "1.2.3.0/24"
        assert str(reader.city("1.2.5.1").traits.network) == "1.2.4.0/23"
        for absent in ("8.8.8.8", "9.9.9.9", "2001:db8::1"):
            with pytest.raises(geoip2.errors.AddressNotFoundError):
                reader.city(absent)


def test_a_subset_gives_the_same_answers(tmp_path: Path) -> None:
    write_pair(tmp_path, ipv6={})
    output = tmp_path / "demo.mmdb"
    asked = ["1.2.3.0", "1.2.4.255", "9.9.9.9", "203.0.113.7"]
    geoip_demo.make_subset(tmp_path / IPV4_FILE, asked, output)
    with (
        closing(GeoDatabase.open(tmp_path / IPV4_FILE)) as source,
        closing(GeoDatabase.open(output)) as subset,
    ):
        for address in [*asked, "1.2.3.255", "1.2.2.255", "9.255.0.0", "203.0.113.8", "::1"]:
            assert subset.lookup(address) == source.lookup(address)
        assert subset.build_date == source.build_date


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    write_pair(tmp_path)
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress(b"1.2.4.1 - -\n1.2.3.1 - -\n203.0.113.7 - -\n"))
    outputs = [tmp_path / name for name in ("a.mmdb", "b.mmdb")]
    for output in outputs:
        arguments = ["--from", str(tmp_path), "--log", str(log), "--output", str(output)]
        assert geoip_demo.main(arguments) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


@pytest.mark.parametrize("missing", ["log.gz", IPV4_FILE])
def test_a_missing_input_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    write_pair(tmp_path)
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress(b"1.2.4.1 - -\n"))
    (tmp_path / missing).unlink()
    output = tmp_path / "demo.mmdb"
    arguments = ["--from", str(tmp_path), "--log", str(log), "--output", str(output)]
    assert geoip_demo.main(arguments) == 1
    error = capsys.readouterr().err
    assert missing in error
    assert error.count("\n") == 1
    assert not output.exists()
