"""A GeoIP database replaced while the core runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.core import CITY_DATABASE, DATA, combined, enriched, enricher
from tests.support.geoip_files import PARIS, SEOUL, write_pair
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.errors import DatabaseError

DEMO_DATABASE = ROOT / "examples" / "demo-city.mmdb"
# Each known to only one of the two databases.
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
    # The old database is closed, or each would stay in memory.
    with pytest.raises(ValueError, match="closed"):
        before.lookup(IN_TEST)
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
def test_a_bad_new_file_leaves_the_old_in_use_and_is_reported_once(
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


def test_the_inode_distinguishes_files_of_one_size_and_time(core: Enricher, file: Path) -> None:
    before = file.stat()
    replace(file, file.read_bytes())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert core.reload_geo()


# --- the flat schema ------------------------------------------------------------------------------

OLD, NEW = (
    {"ipv4": {"1.2.3.0/24": place}, "ipv6": {"2a00:1450::/32": place}} for place in (PARIS, SEOUL)
)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    return write_pair(tmp_path / "old", **OLD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return write_pair(tmp_path / "new", **NEW)


@pytest.fixture(params=[IPV4_FILE, IPV6_FILE])
def flat(pair: Path, request: pytest.FixtureRequest) -> Enricher:
    """Returns a core whose settings name one of the two files."""
    return enricher({"weblog.geoip": {"database.path": str(pair / request.param)}})


def cities(core: Enricher) -> list[Any]:
    return [city(core, host) for host in ("1.2.3.4", "2a00:1450::1")]


def put(name: str, source: Path, target: Path) -> None:
    (source / name).replace(target / name)


def test_both_new_files_are_taken(flat: Enricher, pair: Path, new: Path) -> None:
    assert cities(flat) == ["Paris", "Paris"]
    put(IPV4_FILE, new, pair)
    put(IPV6_FILE, new, pair)
    assert flat.reload_geo()
    assert cities(flat) == ["Seoul", "Seoul"]
    assert not flat.reload_geo()


@pytest.mark.parametrize("bad", [IPV4_FILE, IPV6_FILE])
@pytest.mark.parametrize("content", [b"<html>not found</html>" * 100, None], ids=["bad", "gone"])
def test_with_a_bad_file_neither_is_taken(
    flat: Enricher, pair: Path, new: Path, bad: str, content: bytes | None
) -> None:
    (good,) = {IPV4_FILE, IPV6_FILE} - {bad}
    whole = (new / bad).read_bytes()
    if content is None:
        (pair / bad).unlink()
    else:
        replace(pair / bad, content)
    with pytest.raises(DatabaseError):
        flat.reload_geo()
    put(good, new, pair)
    with pytest.raises(DatabaseError):
        flat.reload_geo()
    assert not flat.reload_geo()
    assert cities(flat) == ["Paris", "Paris"]

    replace(pair / bad, whole)
    assert flat.reload_geo()
    assert cities(flat) == ["Seoul", "Seoul"]


def test_a_file_that_comes_to_the_other_is_taken(pair: Path, new: Path) -> None:
    (pair / IPV6_FILE).unlink()
    core = enricher({"weblog.geoip": {"database.path": str(pair / IPV4_FILE)}})
    assert cities(core) == ["Paris", None]
    put(IPV6_FILE, new, pair)
    assert core.reload_geo()
    assert cities(core) == ["Paris", "Seoul"]


def test_without_a_database_there_is_nothing_to_reload() -> None:
    assert not enricher().reload_geo()
