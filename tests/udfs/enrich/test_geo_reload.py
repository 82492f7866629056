"""A GeoIP database replaced while the core runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.core import CITY_DATABASE, DATA, combined, enriched, enricher
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.errors import DatabaseError

DEMO_DATABASE = ROOT / "examples" / "demo-city.mmdb"
# Each known to one of the two databases alone.
IN_TEST, IN_DEMO = "81.2.69.142", "83.149.9.216"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "city.mmdb"
    shutil.copyfile(CITY_DATABASE, path)
    return path


@pytest.fixture
def core(file: Path) -> Enricher:
    return enricher({"weblog.geoip": {"database.path": str(file)}})


def replace(file: Path, data: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(data)
    new.replace(file)


def city(core: Enricher, host: str) -> Any:
    return orjson.loads(enriched(core, combined(host=host)).json)["city"]


def test_a_new_file_is_taken_and_what_was_kept_of_the_old_forgotten(
    core: Enricher, file: Path
) -> None:
    assert (city(core, IN_TEST), city(core, IN_DEMO)) == ("London", None)
    assert not core.reload_geo()
    before = core.geo
    assert before is not None

    replace(file, DEMO_DATABASE.read_bytes())
    assert core.reload_geo()

    assert (city(core, IN_TEST), city(core, IN_DEMO)) == (None, "Moscow")
    assert core.geo is not None
    assert "demo" in core.geo.database_type
    # The old one is closed, or each would stay in memory.
    assert before.lookup(IN_TEST) is None
    assert not core.reload_geo()


def broken_files() -> dict[str, bytes]:
    whole = DEMO_DATABASE.read_bytes()
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "no database": b"<html>not found</html>" * 100,
        "without its tree": bytes(len(whole) // 2) + whole[len(whole) // 2 :],
        "of another type": (DATA / "GeoIP2-Country-Test.mmdb").read_bytes(),
        "records broken": (DATA / "GeoIP2-City-Test-Invalid-Node-Count.mmdb").read_bytes(),
    }


@pytest.mark.parametrize("kind", broken_files())
def test_a_bad_new_file_leaves_the_old_in_use_and_is_told_once(
    core: Enricher, file: Path, kind: str
) -> None:
    replace(file, broken_files()[kind])
    with pytest.raises(DatabaseError):
        core.reload_geo()
    assert not core.reload_geo()
    assert city(core, IN_TEST) == "London"

    replace(file, DEMO_DATABASE.read_bytes())
    assert core.reload_geo()
    assert city(core, IN_DEMO) == "Moscow"


def test_a_file_that_is_gone_leaves_the_old_in_use(core: Enricher, file: Path) -> None:
    file.unlink()
    with pytest.raises(DatabaseError, match="no such file"):
        core.reload_geo()
    assert not core.reload_geo()
    assert city(core, IN_TEST) == "London"


def test_a_link_that_is_turned_counts_as_a_new_file(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "current.mmdb"
    link.symlink_to(file)
    core = enricher({"weblog.geoip": {"database.path": str(link)}})
    turned = tmp_path / "turned"
    turned.symlink_to(DEMO_DATABASE)
    turned.replace(link)
    assert core.reload_geo()
    assert city(core, IN_DEMO) == "Moscow"


def test_same_size_and_time_are_told_apart_by_the_inode(core: Enricher, file: Path) -> None:
    before = file.stat()
    replace(file, file.read_bytes())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert core.reload_geo()


def test_without_a_database_there_is_nothing_to_reload() -> None:
    assert not enricher().reload_geo()
