"""A database is read whole before its use, by a reader that no damage makes crash."""

from __future__ import annotations

import random
import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import maxminddb
import pytest

from tests.support.core import CITY_DATABASE, DATA, DEMO_DATABASE, combined, enriched, enricher
from tests.support.geoip_files import PARIS, write_flat
from udfs.enrich.geo_check import ALL_RECORDS, SOME_RECORDS, check_file, read_metadata
from udfs.enrich.geo_file import GeoFile
from udfs.enrich.geo_schema import CITY, GeoLocation
from udfs.errors import ConfigurationError, DatabaseError


def damaged(path: Path, offset: int, new: int, of: Path = DEMO_DATABASE) -> Path:
    data = bytearray(of.read_bytes())
    data[offset] = new
    path.write_bytes(data)
    return path


def opened(path: Path, records: int = ALL_RECORDS) -> GeoFile[GeoLocation]:
    return GeoFile.open(path, CITY, records=records)


def check(path: Path, records: int = ALL_RECORDS) -> None:
    opened(path, records).close()


def test_a_byte_that_makes_the_c_reader_crash_is_a_bad_setting(tmp_path: Path) -> None:
    assert DEMO_DATABASE.read_bytes()[119_819] == 0x0D
    # The byte makes the key of a map a map.
    path = damaged(tmp_path / "city.mmdb", 119_819, 0x75)
    with pytest.raises(ConfigurationError, match=re.escape("(corrupt)")) as caught:
        enricher({"weblog.geoip": {"database.path": str(path)}})
    assert (caught.value.key, caught.value.value) == ("database.path", str(path))


def test_such_a_file_does_not_take_the_place_of_a_sound_one(tmp_path: Path) -> None:
    path = tmp_path / "city.mmdb"
    shutil.copyfile(DEMO_DATABASE, path)
    core = enricher({"weblog.geoip": {"database.path": str(path)}})
    damaged(tmp_path / "new.mmdb", 119_819, 0x75).replace(path)
    with pytest.raises(DatabaseError, match="corrupt") as caught:
        core.reload_geo()
    assert caught.value.path == str(path)
    assert not core.reload_geo()
    assert '"city":"Moscow"' in enriched(core, combined(host="83.149.9.216")).json


@pytest.mark.parametrize("name", ["GeoIP2-City-Test.mmdb", "demo-city.mmdb"])
def test_sound_files_pass(name: str) -> None:
    path = next(path for path in (CITY_DATABASE, DEMO_DATABASE) if path.name == name)
    for records in (1, SOME_RECORDS, ALL_RECORDS):
        check(path, records)


def widened(path: Path) -> Path:
    """Writes the bundled database with 32 instead of 24 bits a number in its nodes."""
    data = DEMO_DATABASE.read_bytes()
    size = read_metadata(DEMO_DATABASE).search_tree_size
    numbers = b"".join(b"\0" + data[at : at + 3] for at in range(0, size, 3))
    marker = b"record_size\xa1"
    path.write_bytes(numbers + data[size:].replace(marker + b"\x18", marker + b"\x20"))
    return path


def test_every_width_of_a_node_is_read(tmp_path: Path) -> None:
    paths = {24: DEMO_DATABASE, 28: CITY_DATABASE, 32: widened(tmp_path / "wide.mmdb")}
    for bits, path in paths.items():
        metadata = read_metadata(path)
        assert metadata.record_size == bits
        records: list[Any] = []
        check_file(path, metadata, records.append, ALL_RECORDS)
        with maxminddb.open_database(path) as reader:
            assert set(map(str, records)) == {str(record) for _, record in reader}


def test_of_many_records_some_are_read_from_one_end_to_the_other(tmp_path: Path) -> None:
    records = {
        f"1.0.{number}.0/24": dict(PARIS) | {"postcode": str(number)} for number in range(100)
    }
    path = write_flat(tmp_path / "city.mmdb", 4, records)
    codes: list[int] = []
    check_file(path, read_metadata(path), lambda record: codes.append(int(record["postcode"])), 10)
    assert len(codes) == 10
    assert max(codes) - min(codes) >= 90


def test_a_tree_with_a_loose_node_is_corrupt(tmp_path: Path) -> None:
    metadata = read_metadata(DEMO_DATABASE)
    # The first half of the root leads to nothing, so half of all addresses would be unknown.
    nothing = metadata.node_count.to_bytes(3)
    path = tmp_path / "city.mmdb"
    path.write_bytes(nothing + DEMO_DATABASE.read_bytes()[3:])
    with pytest.raises(DatabaseError, match="corrupt"):
        check(path)


@pytest.mark.parametrize("beyond", [1, 15, 10_000_000])
def test_a_tree_that_points_outside_of_the_data_is_corrupt(tmp_path: Path, beyond: int) -> None:
    metadata = read_metadata(DEMO_DATABASE)
    data = DEMO_DATABASE.read_bytes()
    # The last number that does not lead to another node.
    numbers = range(0, metadata.search_tree_size, 3)
    at = max(at for at in numbers if int.from_bytes(data[at : at + 3]) >= metadata.node_count)
    path = tmp_path / "city.mmdb"
    path.write_bytes(data[:at] + (metadata.node_count + beyond).to_bytes(3) + data[at + 3 :])
    with pytest.raises(DatabaseError, match="corrupt"):
        check(path)


def test_any_changed_byte_is_a_clear_error_or_harmless(tmp_path: Path) -> None:
    """A file that passes the check can't crash the C reader, which would end this process."""
    whole = CITY_DATABASE.read_bytes()
    random_ = random.Random(5)
    named = []
    for number in range(300):
        path = tmp_path / f"{number}.mmdb"
        damaged(path, random_.randrange(len(whole)), random_.randrange(256), CITY_DATABASE)
        try:
            with closing(opened(path)) as file:
                for host in ("81.2.69.142", "2001:218::1", "89.160.20.112", "216.160.83.57"):
                    file.lookup(host)
        except DatabaseError as error:
            named.append(error.path == str(path))
    assert all(named)
    # The other bytes make another sound record, or are never read.
    assert len(named) > 150


def test_a_fault_of_the_c_reader_is_a_corrupt_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> object:
        raise SystemError("error return without exception set")

    with closing(opened(CITY_DATABASE)) as file:
        monkeypatch.setattr(file, "_get", fail)
        with pytest.raises(DatabaseError, match="corrupt") as caught:
            file.lookup("81.2.69.142")
    assert caught.value.path == str(CITY_DATABASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x4bbuild_epoch", b"\x4bbuild_epocH"),
        (b"\x4ddatabase_type", b"\x4ddatabase_typ\xff"),
        (b"\x42en", b"\xa1\x01\x00"),
    ],
    ids=["another name", "no UTF-8", "a number for a key"],
)
def test_damaged_metadata_is_no_database(tmp_path: Path, old: bytes, new: bytes) -> None:
    head, mark, metadata = CITY_DATABASE.read_bytes().rpartition(b"\xab\xcd\xefMaxMind.com")
    assert old in metadata
    path = tmp_path / "city.mmdb"
    path.write_bytes(head + mark + metadata.replace(old, new, 1))
    with pytest.raises(DatabaseError, match="not a MaxMind DB file, or a corrupt one"):
        check(path)


def test_a_version_of_a_file_is_checked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from udfs.enrich import geo_file

    checked: list[Path] = []
    monkeypatch.setattr(geo_file, "check_file", lambda path, *_: checked.append(path))
    path = tmp_path / "city.mmdb"
    shutil.copyfile(CITY_DATABASE, path)
    for _ in range(3):
        check(path, SOME_RECORDS)
    assert checked == [path]
    path.rename(tmp_path / "old.mmdb")
    shutil.copyfile(DEMO_DATABASE, path)
    check(path, SOME_RECORDS)
    assert checked == [path, path]


def test_a_core_that_trusts_its_own_files_trusts_no_others() -> None:
    from udfs.config.core import CoreSettings
    from udfs.enrichment import Enricher

    broken = "GeoIP2-City-Test-Broken-Double-Format.mmdb"

    def create(path: str) -> Enricher:
        settings = CoreSettings.load({"weblog.geoip": {"database.path": path}})
        return Enricher.create(settings, trusts_own_files=True)

    # A relative path is a file of the package, whose build has checked it.
    assert create(f"tests/data/{broken}").geo is not None
    with pytest.raises(ConfigurationError, match="corrupt"):
        create(str(DATA / broken))
