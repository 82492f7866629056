"""Autonomous systems beside places, and the later fields of places."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.core import (
    CITY_DATABASE,
    DATA,
    NOW,
    combined,
    dead,
    enriched,
    enricher,
)
from tests.support.geoip_files import write_asn, write_city
from udfs.config.core import CoreSettings
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_schema import ASN, AutonomousSystem
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError, DatabaseError

ASN_DATABASE = DATA / "GeoLite2-ASN-Test.mmdb"
BOTH = {
    "weblog.geoip": {
        "database.path": str(CITY_DATABASE),
        "asn.database.path": str(ASN_DATABASE),
    }
}
FIELDS = ("region", "postal_code", "time_zone", "asn", "as_org")


def fields(core: Enricher, host: str) -> tuple[Any, ...]:
    record = json.loads(enriched(core, combined(host=host)).json)
    return tuple(record[name] for name in FIELDS)


def test_each_database_gives_its_fields() -> None:
    core = enricher(BOTH)
    hosts = ("216.160.83.57", "89.160.20.113", "1.128.0.1")
    assert {host: fields(core, host) for host in hosts} == {
        "216.160.83.57": ("Washington", "98354", "America/Los_Angeles", 209, None),
        "89.160.20.113": (
            "Östergötland County", None, "Europe/Stockholm", 29518, "Bredband2 AB"
        ),
        "1.128.0.1": (None, None, None, 1221, "Telstra Pty Ltd"),
    }  # fmt: skip


def test_a_database_of_systems_needs_none_of_places() -> None:
    core = enricher({"weblog.geoip": {"asn.database.path": str(ASN_DATABASE)}})
    assert fields(core, "1.128.0.1") == (None, None, None, 1221, "Telstra Pty Ltd")
    assert core.geo is None


def test_the_three_outcomes_stay_apart(tmp_path: Path) -> None:
    core = enricher(BOTH)
    assert fields(core, "9.9.9.9")[3:] == (None, None)
    assert not enriched(core, combined(host="9.9.9.9")).issues
    assert fields(core, "10.0.0.1")[3:] == (None, None)
    assert enriched(core, combined(host="10.0.0.1")).issues == ("private_address",)
    path = tmp_path / "asn.mmdb"
    path.write_bytes(ASN_DATABASE.read_bytes().replace(b"Telstra", b"Telstr\xff"))
    with pytest.raises(ConfigurationError) as caught:
        enricher({"weblog.geoip": {"asn.database.path": str(path)}})
    assert str(caught.value) == (
        f"weblog.geoip: asn.database.path = {str(path)!r}: expected a readable MaxMind DB file of "
        "ASN type (corrupt)"
    )
    with closing(GeoDatabase.open(path, ASN)) as database:
        damaged = Enricher(CoreSettings(), None, lambda: NOW, asn=database)
        with pytest.raises(DatabaseError, match="corrupt"):
            damaged.process(combined(host="1.128.0.1").encode())


@pytest.mark.parametrize(
    ("key", "path", "problem"),
    [
        ("asn.database.path", CITY_DATABASE, "of type 'GeoIP2-City', not an ASN database"),
        ("database.path", ASN_DATABASE, "of type 'GeoLite2-ASN', not a City database"),
        ("asn.database.path", DATA / "missing.mmdb", "no such file"),
    ],
)
def test_the_wrong_database_is_a_bad_setting(key: str, path: Path, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        enricher({"weblog.geoip": {key: str(path)}})
    assert caught.value.key == key
    assert problem in caught.value.expected


@pytest.mark.parametrize("kind", ["DBIP-ASN-Lite (compat=GeoLite2-ASN)", "asn", "GeoIP2-ISP"])
def test_other_publishers_call_it_otherwise(tmp_path: Path, kind: str) -> None:
    path = write_asn(tmp_path / "asn.mmdb", {"1.0.0.0/8": 7}, kind=kind)
    with closing(GeoDatabase.open(path, ASN)) as database:
        assert database.lookup("1.2.3.4") == AutonomousSystem(7, "of 7")


def test_a_pair_of_files_is_one_database(tmp_path: Path) -> None:
    write_asn(tmp_path / "asn-ipv4.mmdb", {"1.0.0.0/8": 4}, kind="asn ipv4", ip_version=4)
    write_asn(tmp_path / "asn-ipv6.mmdb", {"2a00::/16": 6}, kind="asn ipv6")
    for name in ("asn-ipv4.mmdb", "asn-ipv6.mmdb"):
        with closing(GeoDatabase.open(tmp_path / name, ASN)) as database:
            found = [database.lookup(host) for host in ("1.2.3.4", "2a00::1")]
        assert found == [AutonomousSystem(4, "of 4"), AutonomousSystem(6, "of 6")]


@pytest.mark.parametrize("number", ["7", -1, 2**32])
def test_a_number_that_is_none_is_a_dead_letter(tmp_path: Path, number: Any) -> None:
    path = write_asn(tmp_path / "asn.mmdb", {"1.0.0.0/8": number})
    core = enricher({"weblog.geoip": {"asn.database.path": str(path)}})
    letter = dead(core, combined(host="1.2.3.4")).letter
    assert (letter.stage, letter.reason) == ("validate", "schema_violation")


def test_empty_texts_are_null(tmp_path: Path) -> None:
    record = {
        "subdivisions": [{"names": {"en": ""}}],
        "postal": {"code": ""},
        "location": {"time_zone": ""},
    }
    path = write_city(tmp_path / "city.mmdb", {"1.0.0.0/8": record})
    core = enricher({"weblog.geoip": {"database.path": str(path)}})
    assert fields(core, "1.2.3.4")[:3] == (None, None, None)


@pytest.mark.parametrize("action", ["keep", "truncate", "hash", "mask", "drop"])
def test_a_postal_code_goes_with_the_address(action: str) -> None:
    core = enricher({**BOTH, "weblog.privacy": {"client.address": action}})
    code = "98354" if action == "keep" else None
    assert fields(core, "216.160.83.57") == ("Washington", code, "America/Los_Angeles", 209, None)


def test_each_is_reloaded_by_itself(tmp_path: Path) -> None:
    city, asn = tmp_path / "city.mmdb", tmp_path / "asn.mmdb"
    shutil.copyfile(CITY_DATABASE, city)
    write_asn(asn, {"216.0.0.0/8": 1})
    core = enricher({"weblog.geoip": {"database.path": str(city), "asn.database.path": str(asn)}})
    assert fields(core, "216.160.83.57")[3:] == (1, "of 1")
    (tmp_path / "bad").write_bytes(b"no database")
    (tmp_path / "bad").replace(city)
    write_asn(tmp_path / "new", {"216.0.0.0/8": 2}).replace(asn)
    with pytest.raises(DatabaseError, match="not a MaxMind DB file"):
        core.reload_geo("city")
    assert core.reload_geo("asn")
    assert fields(core, "216.160.83.57")[::3] == ("Washington", 2)
    assert not core.reload_geo("asn")
    assert core.geo_kinds == ("city", "asn")
