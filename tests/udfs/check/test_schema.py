"""The schemas in `conf/schema` and what the core makes agree."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import CITY_DATABASE, FIREFOX, NOW, SAMPLE, combined, enriched, enricher
from udfs import quality
from udfs.check.filters import FilterRule
from udfs.check.schema import check_agent, check_location, check_network
from udfs.config.core import CoreSettings
from udfs.config.properties import Properties
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_schema import AutonomousSystem, GeoLocation
from udfs.enrich.user_agent import UserAgent
from udfs.enrichment import Enricher
from udfs.errors import ValidationError
from udfs.letters import replay
from udfs.letters.dead_letter import DeadLetter
from udfs.outcomes import DeadLettered, Enriched, Outcome

SCHEMAS = ROOT / "conf" / "schema"


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    return schema


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


ENRICHED = validator("enriched")
BASIC = validator("basic")
DEAD_LETTER = validator("dead_letter")
FILTERED = validator("filtered")
REPLAY = validator("replay")


def check(outcome: Outcome, good: jsonschema.Draft202012Validator = ENRICHED) -> None:
    match outcome:
        case Enriched():
            good.validate(json.loads(outcome.json))
        case DeadLettered():
            DEAD_LETTER.validate(json.loads(outcome.json))
        case _:
            FILTERED.validate(json.loads(outcome.json))


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.stem)
def test_every_field_is_described(path: Any) -> None:
    schema = json.loads(path.read_text("utf-8"))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    for name, field in schema["properties"].items():
        assert name == "schema" or field["description"].endswith(".")


def test_fields_and_codes_are_those_of_the_core() -> None:
    optional = {"hostname", "reference", "extra"}
    schema = schema_of("enriched")
    fields = schema["properties"]
    record = list(json.loads(enriched(enricher(), combined()).json))
    assert [name for name in fields if name not in optional] == record
    assert schema["required"] == record
    basic = enriched(enricher({"weblog.pipeline": {"stage": "basic"}}), combined())
    fields_of_basic = [name for name in schema_of("basic")["properties"] if name != "extra"]
    assert fields_of_basic == list(json.loads(basic.json))
    codes = fields["quality"]["properties"]["issues"]["items"]["enum"]
    assert codes == list(quality.STATUSES)


@pytest.mark.parametrize("profile", ["off", "strict"])
def test_every_record_of_the_sample_is_valid(profile: str) -> None:
    using = enricher({"weblog.privacy": {"profile": profile}})
    with gzip.open(SAMPLE) as file:
        outcomes = using.process(file.read())
    assert len(outcomes) == 10_000
    for outcome in outcomes:
        check(outcome)


def made(**groups: dict[str, str]) -> Enricher:
    properties: Properties = {
        "weblog.geoip": {"database.path": str(CITY_DATABASE)},
        **{f"weblog.{name}": values for name, values in groups.items()},
    }
    return enricher(properties)


USING = [
    made(),
    made(privacy={"profile": "strict", "client.address": "drop", "referer": "drop"}),
    made(privacy={"profile": "standard"}, deadletters={"privacy": "omitted"}),
    made(filters={"exclude.bots": "true", "exclude.statuses": "4xx"}, parser={"format": "common"}),
]
texts = st.text(st.characters(codec="utf-8"), max_size=30)
lines = st.one_of(
    st.binary(max_size=40),
    st.builds(
        combined,
        host=st.sampled_from(["81.2.69.142", "::1", "2001:218::1", "10.0.0.1", "-", "h.example"]),
        timestamp=st.sampled_from(["28/Oct/2025:10:15:30 +0000", "01/Jan/2099:00:00:00 +0000"]),
        request=st.builds("GET /{} HTTP/1.1".format, texts) | texts,
        status=st.sampled_from(["101", "200", "404", "599", "900"]),
        size=st.sampled_from(["-", "0", "0012", "9" * 18]),
        referer=texts,
        agent=st.sampled_from([FIREFOX, "-", "Googlebot/2.1"]) | texts,
    ).map(str.encode),
)


@given(st.sampled_from(USING), lines)
def test_whatever_comes_in_what_comes_out_is_valid(using: Enricher, line: bytes) -> None:
    for outcome in using.process(line):
        check(outcome)


BASIC_STAGE = enricher({"weblog.pipeline": {"stage": "basic"}})


@given(lines)
def test_basic_records_are_valid(line: bytes) -> None:
    for outcome in BASIC_STAGE.process(line):
        check(outcome, BASIC)


@given(st.binary().filter(lambda raw: b"\n" not in raw), st.integers(2, 99))
def test_envelopes_are_valid(raw: bytes, attempts: int) -> None:
    REPLAY.validate(json.loads(replay.envelope(raw, attempts)))


@given(
    st.sampled_from(["decode", "parse", "validate", "enrich", "sink"]),
    st.binary(max_size=20) | st.just(b"x" * 5000),
    st.none() | st.integers(0, 4_000_000_000_000),
)
def test_dead_letters_are_valid(stage: str, raw: bytes, time: int | None) -> None:
    letter = DeadLetter(stage, "some_reason", "m", raw, time)
    DEAD_LETTER.validate(json.loads(letter.to_json("2026-01-01T00:00:00.000Z", 4096)))


def test_every_filter_has_a_valid_reason() -> None:
    for rule in FilterRule:
        body = {"reason": rule.reason, "event_time": None, "event_id": "0" * 32}
        FILTERED.validate(body)


# --- the checks of parts stand for the schema --------------------------------------------------

anything: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-200, 200),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["GB", "gb", "GBR", "G1", "Löndön", "x" * 1024, "x" * 1025, "ÄÖ"]),
    st.lists(st.integers(), max_size=1),
)
degrees = st.one_of(st.none(), st.floats(-181, 181), st.integers(-181, 181), anything)


def accepted(checked: Callable[[], None]) -> bool:
    try:
        checked()
    except ValidationError:
        return False
    return True


@given(
    st.builds(
        GeoLocation,
        city=anything,
        country=anything,
        country_code=st.sampled_from(["GB", None]) | anything,
        latitude=degrees,
        longitude=degrees,
    )
)
def test_the_check_of_places_is_the_schemas(place: GeoLocation) -> None:
    location = None
    if place.latitude is not None and place.longitude is not None:
        location = {"lat": place.latitude, "lon": place.longitude}
    record = RECORD | {
        "city": place.city,
        "country": place.country,
        "country_code": place.country_code,
        "location": location,
        "region": place.region,
        "postal_code": place.postal_code,
        "time_zone": place.time_zone,
    }
    good = accepted(lambda: check_location(place))
    if good:
        assert ENRICHED.is_valid(record)
    elif location is not None or (place.latitude is None and place.longitude is None):
        # JSON has no infinity and no NaN, but the library accepts both.
        numbers = [value for value in (place.latitude, place.longitude) if isinstance(value, float)]
        assert not ENRICHED.is_valid(record) or any(value != value for value in numbers)  # noqa: PLR0124


@given(
    st.builds(
        UserAgent,
        browser=anything,
        browser_version=anything,
        os=anything,
        os_version=anything,
        device_type=st.just("desktop"),
    )
)
def test_the_check_of_user_agents_is_the_schemas(agent: UserAgent) -> None:
    record = RECORD | {
        "browser": agent.browser,
        "browser_version": agent.browser_version,
        "os": agent.os,
        "os_version": agent.os_version,
    }
    assert accepted(lambda: check_agent(agent)) == ENRICHED.is_valid(record)


@given(st.builds(AutonomousSystem, number=anything, organization=anything))
def test_the_check_of_networks_is_the_schemas(network: AutonomousSystem) -> None:
    record = RECORD | {"asn": network.number, "as_org": network.organization}
    # JSON Schema accepts 1.0 as an integer.
    if not isinstance(network.number, float):
        assert accepted(lambda: check_network(network)) == ENRICHED.is_valid(record)


class OddDatabase(GeoDatabase[GeoLocation]):
    """A database with wrong records."""

    def __init__(self, latitude: float) -> None:
        self._latitude = latitude

    def lookup(self, host: str) -> GeoLocation | None:
        return GeoLocation("London", "United Kingdom", "GB", self._latitude, 0.0)


@pytest.mark.parametrize("latitude", [1000.0, float("nan"), True])
def test_a_violation_is_a_dead_letter(latitude: float) -> None:
    using = Enricher(CoreSettings.load({}), OddDatabase(latitude), lambda: NOW)
    for _ in range(2):
        (outcome,) = using.process(combined().encode())
        assert isinstance(outcome, DeadLettered)
        assert (outcome.letter.stage, outcome.letter.reason) == ("validate", "schema_violation")


def _a_record() -> dict[str, Any]:
    (outcome,) = enricher().process(combined().encode())
    record: dict[str, Any] = json.loads(outcome.json)
    return record


RECORD = _a_record()
