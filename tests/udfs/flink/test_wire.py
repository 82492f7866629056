import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import combined, enriched, enricher, geo_enricher, unpack
from udfs.check.filters import FilterRule
from udfs.config.root import ROOT
from udfs.enrich.geo_schema import GeoLocation
from udfs.enrich.referrer import Referrer
from udfs.enrich.user_agent import UserAgent
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import FIELDS, pack
from udfs.letters.dead_letter import DeadLetter
from udfs.outcomes import DeadLettered, Enriched, Filtered
from udfs.parse.request import NO_REQUEST, Page
from udfs.privacy.identities import NOTHING_SEARCHABLE
from udfs.record.encode import (
    AgentPart,
    ClientPart,
    ReferrerPart,
    RequestPart,
    agent_part,
    client_part,
    referrer_part,
    request_part,
)
from udfs.record.keys import EVENT_SEPARATOR, FIELD_SEPARATOR, MAX_KEY_LENGTH

SQL = ROOT / "sql" / "outcomes.sql"
TIME = 1_761_646_530_000


def client(host: str | None = "81.2.69.142", country: str | None = "United Kingdom") -> ClientPart:
    return client_part(host, GeoLocation(None, country, "GB", None, None), None, ())


def request(webpage: str | None = "product") -> RequestPart:
    page = Page(webpage, 1, is_static=False)
    return request_part(
        "-", NO_REQUEST, page, FilterRule.KEEP, (), largest_answer=1, searchable=NOTHING_SEARCHABLE
    )


def referrer(site: str | None = "www.google.com", page: str | None = "results") -> ReferrerPart:
    found = Referrer("search", site, page)
    return referrer_part("-", "-", found, (), searchable=NOTHING_SEARCHABLE)


def agent(
    browser: str | None = "Firefox", os: str | None = "Linux", *, is_bot: bool = False
) -> AgentPart:
    found = UserAgent(browser, None, os, None, "desktop", "other" if is_bot else None)
    return agent_part("-", "-", found, FilterRule.KEEP, (), searchable=NOTHING_SEARCHABLE)


RECORD = Enriched(
    event_time_ms=TIME,
    client=client(),
    request=request(),
    status=200,
    size=1234,
    request_time_ms=None,
    referrer=referrer(),
    agent=agent(),
    issues=("private_address", "another"),
    origin=None,
    json='{"a":1}',
)


def started() -> StreamProgress:
    progress = StreamProgress(300_000)
    for _ in range(3):
        progress.observe(TIME - 1000)
    return progress


def test_the_sql_reads_each_field_at_its_place() -> None:
    select, _, source = SQL.read_text("utf-8").partition("\nFROM ")
    places: dict[int, str] = {}
    for expression, column in re.findall(r"(.*?) AS (\w+)(?:,\n|$)", select, re.DOTALL):
        for place in re.findall(r"field\[(\d+)\]", expression):
            places.setdefault(int(place), column)
    assert list(places.items()) == list(enumerate(FIELDS, start=1))
    split = re.findall(r"UNNEST\(.*?SPLIT\(.*? U&'\\([0-9A-F]{4})'", source)
    assert [chr(int(code, 16)) for code in split] == [EVENT_SEPARATOR, FIELD_SEPARATOR]


def test_an_enriched_record() -> None:
    keys, body = pack([RECORD], started())
    assert keys.decode() == "\x1f".join(
        [
            "E", str(TIME), str(TIME), "81.2.69.142", "United Kingdom", "product", "0", "200",
            "1234", "", "search", "www.google.com", "results", "desktop", "Firefox", "Linux", "",
            "private_address,another", "",
        ]
    )  # fmt: skip
    assert body == b'{"a":1}'


def test_what_is_absent_is_null() -> None:
    bare = RECORD._replace(
        client=client(None, None), request=request(None), size=None, referrer=referrer(None, None),
        agent=agent(None, None, is_bot=True), issues=(),
    )  # fmt: skip
    (event,) = unpack(pack([bare], StreamProgress(1)))
    absent = {name for name, value in event.items() if value is None}
    assert absent == {
        "progress_time", "host", "webpage", "bytes_sent", "country", "browser", "os",
        "referring_site", "refering_page", "request_time_ms", "issues", "reason",
    }  # fmt: skip
    assert event["bot_kind"] == "other"


def test_a_referrer_that_is_not_shown_is_no_key() -> None:
    dropping = enricher({"weblog.privacy": {"referer": "drop"}})
    (event,) = unpack(pack(dropping.process(combined().encode()), started()))
    assert (event["referring_site"], event["refering_page"]) == (None, None)


def test_zero_is_not_absent() -> None:
    (event,) = unpack(pack([RECORD._replace(size=0, request_time_ms=0)], started()))
    assert (event["bytes_sent"], event["request_time_ms"]) == ("0", "0")


@pytest.mark.parametrize("stage", ["all", "advanced"])
@pytest.mark.parametrize("ignored", ["", "size_impossible"])
def test_impossible_sizes_enter_no_sum(stage: str, ignored: str) -> None:
    """Ten sizes of 18 digits would overflow a sum of 64 bits."""
    validation = {"weblog.validation": {"ignore": ignored}}
    using = enricher({"weblog.pipeline": {"stage": stage}, **validation})
    for size, counted in (("9" * 18, None), ("1099511627777", None), ("1099511627776",) * 2):
        line = combined(size=size)
        if stage == "advanced":
            line = enriched(enricher({"weblog.pipeline": {"stage": "basic"}}), line).json
        outcome = enriched(using, line)
        (event,) = unpack(pack([outcome], started()))
        assert event["bytes_sent"] == counted
        assert json.loads(outcome.json)["bytes_sent"] == int(size)


def test_filtered_and_dead_lettered_records() -> None:
    filtered = Filtered(TIME, "bots", '{"reason":"bots"}')
    letter = DeadLettered(DeadLetter("parse", "bad_status", "m", b"x"), '{"stage":"parse"}')
    first, second = unpack(pack([filtered, letter], started()))
    assert {name: value for name, value in first.items() if value is not None} == {
        "kind": "F", "event_time": str(TIME), "progress_time": str(TIME), "reason": "bots",
        "body": '{"reason":"bots"}',
    }  # fmt: skip
    assert {name: value for name, value in second.items() if value is not None} == {
        "kind": "D", "event_time": str(TIME), "progress_time": str(TIME),
        "reason": "parse/bad_status", "body": '{"stage":"parse"}',
    }  # fmt: skip


def test_without_any_time_it_is_zero() -> None:
    (event,) = unpack(pack([Filtered(None, "blank_line", "{}")], StreamProgress(1)))
    assert (event["event_time"], event["progress_time"]) == ("0", None)


def test_dead_letters_do_not_move_the_progress() -> None:
    progress = started()
    future = DeadLettered(DeadLetter("validate", "timestamp_in_future", "m", b"x", TIME * 2), "{}")
    events = unpack(pack([future] * 10, progress))
    # The events' own time is wrong, so they go into the window and the folder of the stream's time.
    assert {event["event_time"] for event in events} == {str(TIME - 1000)}
    assert {event["progress_time"] for event in events} == {str(TIME - 1000)}
    assert progress.current == TIME - 1000


def test_in_an_outage_dead_letters_have_the_time_of_the_clock() -> None:
    now = iter(range(1_000_000))
    progress = StreamProgress(300_000, confirmations=1, clock=lambda: float(next(now)))
    progress.observe(TIME)
    letter = DeadLettered(DeadLetter("parse", "malformed_line", "m", b"x"), "{}")
    last = unpack(pack([letter] * 1000, progress))[-1]
    assert last["event_time"] == last["progress_time"] == str(TIME + 999_000)


WITH_TEXT: dict[str, Callable[[str], Enriched]] = {
    "host": lambda text: RECORD._replace(client=client(host=text)),
    "country": lambda text: RECORD._replace(client=client(country=text)),
    "webpage": lambda text: RECORD._replace(request=request(text)),
    "referring_site": lambda text: RECORD._replace(referrer=referrer(text)),
    "refering_page": lambda text: RECORD._replace(referrer=referrer(page=text)),
    "browser": lambda text: RECORD._replace(agent=agent(browser=text)),
    "os": lambda text: RECORD._replace(agent=agent(os=text)),
}


@pytest.mark.parametrize("field", WITH_TEXT)
@pytest.mark.parametrize("separator", ["\x1e", "\x1f"])
def test_separators_in_values_are_replaced(field: str, separator: str) -> None:
    spoilt = WITH_TEXT[field](f"a{separator}b")
    (event,) = unpack(pack([spoilt], started()))
    assert event[field] == "a\ufffdb"
    assert event["body"] == RECORD.json


@pytest.mark.parametrize("field", WITH_TEXT)
def test_keys_are_cut(field: str) -> None:
    (event,) = unpack(pack([WITH_TEXT[field]("ü" * 10_000)], started()))
    assert event[field] == "ü" * MAX_KEY_LENGTH
    (short,) = unpack(pack([RECORD], started()))
    assert {**event, field: None} == {**short, field: None}


def test_the_watermark_goes_with_the_lines_of_a_record() -> None:
    lines = [combined(timestamp=f"28/Oct/2025:10:15:{second} +0000") for second in (10, 20, 30, 25)]
    packed = pack(enricher().process("\n".join(lines).encode()), StreamProgress(60_000))
    assert [event["progress_time"] for event in unpack(packed)] == [
        None, None, "1761646510000", "1761646525000",
    ]  # fmt: skip


hostile_text = st.text(st.sampled_from('a/.%\x1e\x1f"\\é -'), max_size=20)


@given(
    st.lists(st.builds(combined, request=hostile_text, referer=hostile_text, agent=hostile_text))
)
def test_whatever_the_lines_hold_the_string_splits_back(lines: list[str]) -> None:
    outcomes = SHARED.process("\n".join(lines).encode())
    events = unpack(pack(outcomes, StreamProgress(60_000)))
    assert len(events) == len(outcomes)
    for event, outcome in zip(events, outcomes, strict=True):
        assert event["body"] == outcome.json
        json.loads(outcome.json)


SHARED = geo_enricher()


def test_a_real_line() -> None:
    (event,) = unpack(pack(SHARED.process(combined().encode()), started()))
    assert event["event_time"] == str(TIME)
    assert event["browser"] == "Firefox"
