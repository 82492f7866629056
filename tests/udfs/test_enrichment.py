import json
from contextlib import closing
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.core import (
    DATA,
    FIREFOX,
    NOW,
    combined,
    dead,
    enriched,
    enricher,
    filtered,
    geo_enricher,
)
from udfs.config.core import CoreSettings
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_schema import CITY, GeoLocation
from udfs.enrichment import Enricher, event_id
from udfs.errors import ConfigurationError, DatabaseError
from udfs.outcomes import DeadLettered, Enriched, Filtered
from udfs.parse.unwrap import FIRST_BYTES
from udfs.record.encode import client_part

CONTRACT = [
    "host", "datetime", "request", "response", "bytes", "referer", "agent", "city", "country",
    "location", "os", "browser", "webpage", "refering_page",
]  # fmt: skip
ADDITIONS = [
    "device_type", "os_version", "browser_version", "is_bot", "bot_kind", "country_code",
    "method", "path", "protocol", "event_time", "status_class", "referer_type", "bytes_sent",
    "path_depth", "is_error", "is_static", "request_time_ms", "vhost", "proxy", "region",
    "postal_code", "time_zone", "asn", "as_org", "quality", "event_id",
]  # fmt: skip

GEO = geo_enricher()
PLAIN = enricher()


def body(outcome: Enriched | Filtered | DeadLettered) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(outcome.json)
    return parsed


def test_a_record_as_the_contract_has_it() -> None:
    line = combined(referer="http://example.com/search.php")
    outcome = enriched(GEO, line)
    assert outcome.json == (
        '{"host":"81.2.69.142","datetime":"28/Oct/2025:10:15:30 +0000",'
        '"request":"GET /product.php HTTP/1.1","response":"200","bytes":"1234",'
        f'"referer":"http://example.com/search.php","agent":"{FIREFOX}",'
        '"city":"London","country":"United Kingdom","location":{"lat":51.5142,"lon":-0.0931},'
        '"os":"Linux","browser":"Firefox","webpage":"product","refering_page":"search",'
        '"device_type":"desktop","os_version":null,"browser_version":"128.0","is_bot":false,"bot_kind":null,'
        '"country_code":"GB","method":"GET","path":"/product.php","protocol":"HTTP/1.1",'
        '"event_time":"2025-10-28T10:15:30.000Z","status_class":"2xx","referer_type":"other",'
        '"bytes_sent":1234,"path_depth":1,"is_error":false,"is_static":false,'
        '"request_time_ms":null,"vhost":null,"proxy":null,"region":"England","postal_code":null,'
        '"time_zone":"Europe/London","asn":null,"as_org":null,'
        '"quality":{"status":"ok","issues":[]},'
        f'"event_id":"{event_id(line.encode(), 0)}"}}'
    )
    assert (outcome.event_time_ms, outcome.status, outcome.size) == (1_761_646_530_000, 200, 1234)
    assert (outcome.host, outcome.webpage) == ("81.2.69.142", "product")
    assert (outcome.issues, outcome.client_address) == ((), None)
    assert outcome.client.keys == "81.2.69.142\x1fUnited Kingdom"
    assert outcome.request.keys == "product\x1f0"
    assert outcome.referrer.keys == "other\x1fexample.com\x1fsearch"
    assert outcome.agent.keys == "desktop\x1fFirefox\x1fLinux\x1f"


def test_field_order() -> None:
    assert list(body(enriched(GEO, combined()))) == CONTRACT + ADDITIONS


def test_absent_values_are_null_and_log_fields_keep_their_dash() -> None:
    outcome = enriched(
        PLAIN, combined(host="h.example", request="-", size="-", referer="-", agent="-")
    )
    record = body(outcome)
    nulls = {name for name, value in record.items() if value is None}
    assert nulls == {
        "city", "country", "location", "os", "browser", "webpage", "refering_page", "os_version",
        "browser_version", "bot_kind", "country_code", "method", "path", "protocol", "bytes_sent",
        "path_depth", "request_time_ms", "vhost", "proxy", "region", "postal_code", "time_zone",
        "asn", "as_org",
    }  # fmt: skip
    dashes = {name for name, value in record.items() if value == "-"}
    assert dashes == {"request", "bytes", "referer", "agent"}
    assert (record["device_type"], record["referer_type"]) == ("other", "none")


def test_common_format_has_no_referrer_and_no_agent() -> None:
    common = enricher({"weblog.parser": {"format": "common"}})
    record = body(enriched(common, combined().rsplit(' "', 2)[0]))
    assert list(record) == CONTRACT + ADDITIONS
    assert (record["referer"], record["agent"], record["browser"]) == (None, None, None)
    assert record["referer_type"] == "none"


def test_a_tls_hello_is_a_valid_line() -> None:
    raw = r"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 \" \\"
    record = body(enriched(PLAIN, combined(request=raw, status="400")))
    assert record["request"] == raw
    assert (record["method"], record["path"], record["protocol"], record["webpage"]) == (None,) * 4
    assert (record["is_error"], record["status_class"]) == (True, "4xx")


def test_escapes_are_undone_in_what_is_derived_and_kept_in_log_fields() -> None:
    raw = r"GET /say\"hi\"/caf\xc3\xa9.html?q=\\ HTTP/1.1"
    record = body(enriched(PLAIN, combined(request=raw)))
    assert record["request"] == raw
    assert record["path"] == '/say"hi"/café.html?q=\\'
    assert record["webpage"] == "café"


@pytest.mark.parametrize(
    ("host", "city", "issues"),
    [
        ("81.2.69.142", "London", []),
        ("::ffff:81.2.69.142", "London", []),
        ("1.2.3.4", None, []),
        ("192.168.0.1", None, ["private_address"]),
        ("::1", None, ["private_address"]),
        ("example.com", None, []),
    ],
)
def test_geo_outcomes_are_kept_apart(host: str, city: str | None, issues: list[str]) -> None:
    record = body(enriched(GEO, combined(host=host)))
    assert record["city"] == city
    assert record["quality"] == {"status": "ok", "issues": issues}
    assert enriched(GEO, combined(host=host)).issues == tuple(issues)


def test_a_place_without_a_city_has_a_country() -> None:
    record = body(enriched(GEO, combined(host="2001:218::1")))
    assert (record["city"], record["country"], record["country_code"]) == (None, "Japan", "JP")
    assert record["location"] == {"lat": 35.68536, "lon": 139.75309}


@pytest.mark.parametrize(("latitude", "longitude"), [(51.5, None), (None, -0.1)])
def test_half_a_location_is_none(latitude: float | None, longitude: float | None) -> None:
    part = client_part("h", GeoLocation("London", None, None, latitude, longitude), None, ())
    assert part.json_location == '"city":"London","country":null,"location":null,'


def test_private_addresses_are_flagged_without_a_database() -> None:
    assert enriched(PLAIN, combined(host="10.0.0.1")).issues == ("private_address",)


def test_a_corrupt_database_is_raised_and_never_nulls() -> None:
    path = DATA / "GeoIP2-City-Test-Broken-Double-Format.mmdb"
    with closing(GeoDatabase.open(path, CITY)) as database:
        broken = Enricher(CoreSettings(), database, lambda: NOW)
        for _ in range(2):
            with pytest.raises(DatabaseError, match="corrupt"):
                broken.process(combined(host="81.2.69.142").encode())


@pytest.mark.parametrize(
    "name",
    [
        "GeoIP2-City-Test-Broken-Double-Format.mmdb",
        "GeoIP2-City-Test-Invalid-Node-Count.mmdb",
        "GeoIP2-Country-Test.mmdb",
        "missing.mmdb",
    ],
)
def test_an_unusable_database_is_a_bad_setting(name: str) -> None:
    path = str(DATA / name)
    with pytest.raises(ConfigurationError) as caught:
        enricher({"weblog.geoip": {"database.path": path}})
    assert (caught.value.group, caught.value.key) == ("weblog.geoip", "database.path")
    assert str(caught.value).startswith(
        f"weblog.geoip: database.path = {path!r}: expected a readable MaxMind DB file of City type"
    )


def test_internal_hosts() -> None:
    site = enricher({"weblog.site": {"internal.hosts": "example.com"}})
    assert body(enriched(site, combined()))["referer_type"] == "internal"
    assert body(enriched(PLAIN, combined()))["referer_type"] == "other"


@pytest.mark.parametrize(
    ("status", "status_class", "is_error"),
    [("101", "1xx", False), ("304", "3xx", False), ("404", "4xx", True), ("500", "5xx", True)],
)
def test_status(status: str, status_class: str, is_error: bool) -> None:
    outcome = enriched(PLAIN, combined(status=status))
    record = body(outcome)
    assert (record["status_class"], record["is_error"]) == (status_class, is_error)
    assert (record["response"], outcome.status) == (status, int(status))


def test_sizes_are_numbers_beside_their_text() -> None:
    record = body(enriched(PLAIN, combined(size="00012")))
    assert (record["bytes"], record["bytes_sent"]) == ("00012", 12)


@pytest.mark.parametrize(
    ("data", "outcomes"),
    [
        (b"{}", "E"),
        (b"{}\n", "E"),
        (b"{}\r\n", "E"),
        (b"{}\n{}", "EE"),
        (b"{}\r\n{}\r\n", "EE"),
        (b"{}\n\n{}\n", "EFE"),
        (b"{}\n\n", "EF"),
        (b"{}\nbad\n{}", "EDE"),
        (b"\n{}", "FE"),
        (b"", "F"),
        (b"\n", "F"),
        (b"\r\n", "F"),
        (b" \t ", "F"),
        (b"{}\r", "E"),
        (b"{}\r\r\n", "D"),
        (b"\xff\n{}", "DE"),
    ],
)
def test_records_of_several_lines(data: bytes, outcomes: str) -> None:
    kinds = {Enriched: "E", Filtered: "F", DeadLettered: "D"}
    made = PLAIN.process(data.replace(b"{}", combined().encode()))
    assert "".join(kinds[type(outcome)] for outcome in made) == outcomes


def test_other_line_breaks_do_not_split() -> None:
    line = combined(agent="a\u2028b\u0085c\x0bd\x0ce")
    assert body(enriched(PLAIN, line))["agent"] == "a\u2028b\u0085c\x0bd\x0ce"


def test_blank_lines_are_filtered_without_data() -> None:
    outcome = filtered(PLAIN, b"  ")
    assert (outcome.event_time_ms, outcome.reason) == (None, "blank_line")
    assert body(outcome) == {
        "reason": "blank_line",
        "event_time": None,
        "event_id": event_id(b"  ", 0),
    }


@pytest.mark.parametrize(
    ("line", "stage", "reason"),
    [
        (b"\xff" + combined().encode(), "decode", "invalid_utf8"),
        (combined(agent="\ud800").encode("utf-8", "surrogatepass"), "decode", "invalid_utf8"),
        (b"x", "parse", "malformed_line"),
        (combined(timestamp="31/Feb/2025:10:15:30 +0000"), "parse", "bad_timestamp"),
        (combined(status="999"), "parse", "bad_status"),
        (combined(agent="x" * 70_000), "parse", "line_too_long"),
        (combined(timestamp="01/Jan/2099:00:00:00 +0000"), "validate", "timestamp_in_future"),
    ],
)
def test_dead_letters(line: str | bytes, stage: str, reason: str) -> None:
    outcome = dead(PLAIN, line)
    assert (outcome.letter.stage, outcome.letter.reason) == (stage, reason)
    letter = body(outcome)
    assert (letter["stage"], letter["reason"]) == (stage, reason)
    assert letter["failed_at"] == "2026-01-01T00:00:00.000Z"
    assert outcome.letter.raw == (line.encode() if isinstance(line, str) else line)


def test_bytes_that_are_not_utf8_are_kept_in_base64() -> None:
    letter = body(dead(PLAIN, b"\xff\xfe\n"))
    assert (letter["raw"], letter["raw_encoding"]) == ("//4=", "base64")


def test_a_dead_letter_knows_its_time_once_it_was_read() -> None:
    letter = dead(PLAIN, combined(timestamp="01/Jan/2099:01:00:00 +0100")).letter
    assert letter.event_time_ms == 4_070_908_800_000
    assert dead(PLAIN, "x").letter.event_time_ms is None


def test_the_longest_line_is_a_setting() -> None:
    line = combined().encode()
    exact = enricher({"weblog.parser": {"max.line.bytes": "256"}})
    fitting = line.replace(b"product", b"p" * (256 - len(line) + 7))
    assert len(fitting) == 256
    enriched(exact, fitting + b"\r\n")
    assert dead(exact, fitting + b"x").letter.reason == "line_too_long"


@pytest.mark.parametrize(("ahead", "accepted"), [(0, True), (300, True), (301, False)])
def test_the_future_is_tolerated_up_to_a_setting(ahead: int, accepted: bool) -> None:
    minutes, seconds = divmod(ahead, 60)
    line = combined(timestamp=f"01/Jan/2026:00:{minutes:02}:{seconds:02} +0000")
    (outcome,) = PLAIN.process(line.encode())
    assert isinstance(outcome, Enriched) is accepted


def test_the_clock_is_asked_for_each_record() -> None:
    times = iter([NOW, NOW + 3600])
    moving = Enricher.create(CoreSettings.load({}), clock=lambda: next(times))
    line = combined(timestamp="01/Jan/2026:01:00:00 +0000").encode()
    assert isinstance(moving.process(line)[0], DeadLettered)
    assert isinstance(moving.process(line)[0], Enriched)


def test_a_fault_of_ours_costs_one_line_and_shows_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = enricher()
    parse = broken._parse

    def faulty(line: str) -> object:
        if "boom" in line:
            raise RuntimeError(f"cannot cope with {line}")
        return parse(line)

    monkeypatch.setattr(broken, "_parse", faulty)
    good = combined().encode()
    first, second, third = broken.process(good + b"\nboom 4711\n" + good)
    assert isinstance(first, Enriched)
    assert isinstance(third, Enriched)
    assert isinstance(second, DeadLettered)
    assert (second.letter.stage, second.letter.reason) == ("enrich", "internal_error")
    assert second.letter.message == "RuntimeError"


def test_event_ids_differ_by_line_and_position() -> None:
    line = combined().encode()
    first, second = (body(outcome)["event_id"] for outcome in PLAIN.process(line + b"\n" + line))
    assert first != second
    assert body(enriched(PLAIN, line))["event_id"] == first
    assert body(enriched(enricher(), line + b"\r\n"))["event_id"] == first
    assert body(enriched(PLAIN, line.replace(b"200", b"201")))["event_id"] != first
    assert len(first) == 32
    assert int(first, 16) >= 0


def test_event_ids_stay_the_same_across_releases() -> None:
    assert event_id(b"line", 0) == "7adf5524891ccfc1b93c5a5af84383f7"
    assert event_id(b"line", 1) == "c95916d1388d4c004e014e9be36afb02"


def test_an_id_does_not_depend_on_other_lines_of_a_record() -> None:
    line = combined().encode()
    (_, second) = PLAIN.process(b"\n" + line)
    (_, other) = PLAIN.process(b"bad\n" + line)
    assert body(second)["event_id"] == body(other)["event_id"]


def test_a_kept_part_gives_what_a_fresh_one_gives() -> None:
    lines = [combined(host=f"81.2.69.{n}", request=f"GET /{n % 3} HTTP/1.1") for n in (1, 2, 1, 2)]
    warm = enricher()
    for line in lines * 2:
        assert enriched(warm, line) == enriched(enricher(), line)


def test_caches_stay_within_their_bounds_and_long_lines_are_not_kept() -> None:
    small = enricher({"weblog.geoip": {"cache.size": "3"}, "weblog.useragent": {"cache.size": "2"}})
    for n in range(10):
        small.process(combined(host=f"1.1.1.{n}", agent=f"agent {n}").encode())
    parts = small._parts
    caches = (parts._client_cache, parts._agent_cache)
    assert [cache.cache_info().currsize for cache in caches] == [3, 2]
    use = small.cache_use()
    assert use["request"] == (9, 1)
    small.process(combined(request="GET /" + "x" * 2000).encode())
    assert small.cache_use()["request"] == use["request"]


def test_values_in_json_are_escaped() -> None:
    tricky = 'GET /</script>"\\\\\x01\x1e\x1f\x7f\u2028 HTTP/1.1'.replace('"', r"\"")
    outcome = enriched(PLAIN, combined(request=tricky))
    assert body(outcome)["request"] == tricky
    assert not any(ord(character) < 0x20 for character in outcome.json)
    assert "\u2028" in outcome.json


lines_of_anything = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.text(max_size=40).map(str.encode),
        st.builds(
            combined,
            host=st.sampled_from(["1.2.3.4", "::1", "host.example"]),
            timestamp=st.sampled_from(["28/Oct/2025:10:15:30 +0000", "31/Dec/9999:23:59:59 +0000"]),
            request=st.text(max_size=20),
            status=st.sampled_from(["200", "404", "900"]),
            size=st.sampled_from(["-", "0", "x"]),
            agent=st.text(max_size=20),
        ).map(str.encode),
    ),
    max_size=5,
).map(b"\n".join)


@given(lines_of_anything)
def test_every_line_has_exactly_one_outcome(data: bytes) -> None:
    assume(data[:1] not in FIRST_BYTES and b"\n{" not in data)
    outcomes = GEO.process(data)
    assert len(outcomes) == data.removesuffix(b"\n").count(b"\n") + 1
    for outcome in outcomes:
        record = json.loads(outcome.json)
        assert "\n" not in outcome.json
        match outcome:
            case Enriched():
                assert list(record) == CONTRACT + ADDITIONS
                assert record["event_time"].endswith("Z")
            case DeadLettered():
                assert record["schema"] == "weblog.dead-letter/1"
                assert outcome.letter.reason != "internal_error"
            case Filtered():
                assert outcome.reason == "blank_line"


def test_a_megabyte_of_anything_is_one_dead_letter() -> None:
    wide = enricher({"weblog.parser": {"max.line.bytes": "2097152"}})
    for data in (b'"' * 1_048_576, b"\\" * 1_048_576, b"\xff" * 1_048_576):
        letter = json.loads(dead(wide, data).json)
        # Records of a stream and messages of a queue have at most 256 KiB.
        assert len(dead(wide, data).json) <= 250_000
        assert letter["raw_bytes"] == 1_048_576
    assert enriched(wide, combined(request="GET /" + "a/" * 220_000 + " HTTP/1.1")).webpage == "a"


@pytest.mark.parametrize("stage", ["all", "basic"])
def test_no_record_exceeds_what_a_sink_takes(stage: str) -> None:
    """A control character in the path takes 18 bytes of a record of all stages."""
    using = enricher({"weblog.pipeline": {"stage": stage}})
    marks = ("\x01", "\\t", "é", "%01", "a/")
    requests = ["GET /" + mark * (65_000 // len(mark.encode())) for mark in marks]
    kinds = []
    for request in requests:
        (outcome,) = using.process(combined(request=f"{request} HTTP/1.1").encode())
        assert len(outcome.json.encode()) <= 1_000_000
        kinds.append(type(outcome))
        if isinstance(outcome, DeadLettered):
            assert (outcome.letter.stage, outcome.letter.reason) == ("sink", "record_too_large")
    # Only the worst record is too large, and only with all three texts.
    assert kinds == [DeadLettered if stage == "all" else Enriched, *[Enriched] * 4]


def test_the_size_of_a_record_is_counted_in_bytes() -> None:
    wide = enricher({"weblog.parser": {"max.line.bytes": "1048576"}})
    # The record has 400,000 bytes three times.
    line = combined(request=f"GET /{'é' * 200_000} HTTP/1.1")
    assert dead(wide, line).letter.reason == "record_too_large"
