"""English country names by ISO 3166 code, spelt as MaxMind's databases spell them.

Counts per country thereby agree whichever database is in use. The names in `countries.json` are
those of the time zone database (public domain) save where MaxMind spells a country otherwise. The
codes are those of ISO 3166-1 and XK, Kosovo, which is in both vendors' data.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import orjson


@cache
def country_names() -> Mapping[str, str]:
    """Returns the English name of every country by its two-letter code."""
    table = Path(__file__).with_name("countries.json").read_bytes()
    return MappingProxyType(orjson.loads(table))
