"""The record's schema (`conf/schema/enriched.json`), checked where a part is made.

A record is put together from parts that are kept, so its schema is checked once for each part and
not once for each record. Most parts hold the schema by construction: they are what the line's own
pattern matched. What comes from a GeoIP database or from the rules for user agents is checked here.
The tests prove that a record of checked parts and the schema agree.
"""

from __future__ import annotations

from udfs.enrich.geo_schema import AutonomousSystem, GeoLocation
from udfs.enrich.user_agent import UserAgent
from udfs.errors import ValidationError

MAX_TEXT = 1024
"""Characters of a name or version that a record may hold."""

MAX_ASN = 2**32 - 1
"""The highest number of an autonomous system."""


def check_location(location: GeoLocation | None) -> None:
    """Checks what a GeoIP database says.

    Raises:
        ValidationError: Stage `validate`, reason `schema_violation`.
    """
    if location is None:
        return
    city, country, country_code, latitude, longitude, *others = location
    if not (
        all(map(_is_text, (city, country, *others)))
        and _is_country_code(country_code)
        and _is_degrees(latitude, 90)
        and _is_degrees(longitude, 180)
    ):
        raise _violation("the place of the client")


def check_network(network: AutonomousSystem | None) -> None:
    """Checks what a database of autonomous systems says.

    Raises:
        ValidationError: Stage `validate`, reason `schema_violation`.
    """
    if network is None:
        return
    number, organization = network
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not ((number is None or (is_number and 0 <= number <= MAX_ASN)) and _is_text(organization)):
        raise _violation("the network of the client")


def check_agent(agent: UserAgent) -> None:
    """Checks what the rules for user agents say.

    Raises:
        ValidationError: Stage `validate`, reason `schema_violation`.
    """
    texts = (agent.browser, agent.browser_version, agent.os, agent.os_version)
    if not all(map(_is_text, texts)):
        raise _violation("the user agent")


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and 0 < len(value) <= MAX_TEXT)


def _is_country_code(value: object) -> bool:
    return value is None or (
        isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()
    )


def _is_degrees(value: object, limit: int) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # NaN is within no limits.
    return -limit <= value <= limit


def _violation(part: str) -> ValidationError:
    return ValidationError(
        "validate", "schema_violation", f"{part} is not as the schema of records has it"
    )
