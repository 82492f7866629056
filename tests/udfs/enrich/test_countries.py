from __future__ import annotations

from importlib.resources import files

import maxminddb

from tests.support.core import CITY_DATABASE
from udfs.enrich.countries import country_names

NEWER = {"CN": "China", "CZ": "Czechia", "JO": "Jordan", "NL": "The Netherlands", "TR": "Türkiye"}
"""Names that MaxMind has changed since it made its test database."""


def test_every_code_of_the_time_zone_database_has_a_name() -> None:
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    codes = {line.split("\t")[0] for line in table.splitlines() if not line.startswith("#")}
    assert country_names().keys() == codes | {"XK"}


def test_names_are_written_out() -> None:
    names = country_names()
    abbreviated = {code for code, name in names.items() if "(" in name or "&" in name}
    assert abbreviated == {"CC"}  # Cocos (Keeling) Islands is the full name
    assert (names["KR"], names["XK"]) == ("South Korea", "Kosovo")


def test_names_are_those_of_maxmind() -> None:
    with maxminddb.open_database(CITY_DATABASE) as reader:
        countries = [
            record[key]
            for _, record in reader
            if isinstance(record, dict)
            for key in ("country", "registered_country", "represented_country")
            if key in record
        ]
    named = {one["iso_code"]: one["names"]["en"] for one in countries if "iso_code" in one}
    assert len(named) > 40
    assert named | NEWER == {code: country_names()[code] for code in named}
