"""English country names by ISO 3166 code, spelt as MaxMind databases spell them.

The names come from the table of the time zone database (package ``tzdata``), which is public
domain and kept up to date. Where its habit differs (it abbreviates, and names the main
country last: "Korea (South)"), the name here is the one that GeoIP2 and GeoLite2 give, so
that counts per country agree whichever database is in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_MAXMIND_NAMES = {
    "AS": "American Samoa",
    "BL": "Saint Barthélemy",
    "BQ": "Bonaire, Sint Eustatius, and Saba",
    "CD": "DR Congo",
    "CF": "Central African Republic",
    "CG": "Congo Republic",
    "CI": "Ivory Coast",
    "CV": "Cabo Verde",
    "CZ": "Czechia",
    "FM": "Federated States of Micronesia",
    "GB": "United Kingdom",
    "HM": "Heard and McDonald Islands",
    "KP": "North Korea",
    "KR": "South Korea",
    "LC": "Saint Lucia",
    "MF": "Saint Martin",
    "MM": "Myanmar",
    "MO": "Macao",
    "NL": "The Netherlands",
    "PM": "Saint Pierre and Miquelon",
    "PN": "Pitcairn Islands",
    "SH": "Saint Helena",
    "ST": "São Tomé and Príncipe",
    "SX": "Sint Maarten",
    "SZ": "Eswatini",
    "TC": "Turks and Caicos Islands",
    "TF": "French Southern Territories",
    "TL": "Timor-Leste",
    "TR": "Türkiye",
    "UM": "U.S. Outlying Islands",
    "VC": "St Vincent and Grenadines",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands",
    "WS": "Samoa",
    "XK": "Kosovo",  # not in ISO 3166, but in both vendors' data
}


@cache
def country_names() -> Mapping[str, str]:
    """Gives the English name of every country by its two-letter code."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    names = {code: name.replace(" & ", " and ") for code, name in rows}
    return MappingProxyType(names | _MAXMIND_NAMES)
