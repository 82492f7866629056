import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import FIREFOX, combined, dead, enriched, enricher
from udfs.enrichment import event_id
from udfs.errors import ValidationError
from udfs.letters.replay import PREFIX, envelope, read_envelope
from udfs.parse.access_log import parser_for

PLAIN = enricher({"weblog.deadletters": {"max.attempts": "3"}})
LINE = combined()


@given(st.binary().filter(lambda raw: b"\n" not in raw), st.integers(2, 1000))
def test_an_envelope_gives_back_what_was_put_in(raw: bytes, attempts: int) -> None:
    packed = envelope(raw, attempts)
    assert packed.startswith(PREFIX)
    assert b"\n" not in packed
    assert read_envelope(packed) == (raw, attempts)


def test_a_repaired_line_is_enriched_as_if_it_had_come_so() -> None:
    outcome = enriched(PLAIN, envelope(LINE.encode(), 2))
    assert outcome == enriched(PLAIN, LINE)
    assert json.loads(outcome.json)["event_id"] == event_id(LINE.encode(), 0)


def test_attempts_are_carried_on_until_they_are_exhausted() -> None:
    letters = [dead(PLAIN, "poison").letter]
    for _ in range(3):
        last = letters[-1]
        assert last.raw is not None
        letters.append(dead(PLAIN, envelope(last.raw, last.attempts + 1)).letter)
    assert [(one.attempts, one.reason) for one in letters] == [
        (1, "malformed_line"),
        (2, "malformed_line"),
        (3, "attempts_exhausted"),
        (4, "attempts_exhausted"),
    ]
    assert {one.raw for one in letters} == {b"poison"}
    assert letters[2].message == "attempt 3 was the last one: malformed_line"
    assert letters[2].stage == "parse"


def test_too_many_attempts_are_not_even_tried() -> None:
    letter = dead(PLAIN, envelope(LINE.encode(), 4)).letter
    assert (letter.stage, letter.reason, letter.attempts) == ("decode", "attempts_exhausted", 4)


def test_a_single_attempt_may_be_the_last() -> None:
    once = enricher({"weblog.deadletters": {"max.attempts": "1"}})
    assert dead(once, "poison").letter.reason == "attempts_exhausted"


def test_bytes_come_back_as_bytes() -> None:
    letter = dead(PLAIN, envelope(b"\xff\xfe", 2)).letter
    assert (letter.stage, letter.reason, letter.raw) == ("decode", "invalid_utf8", b"\xff\xfe")


def test_an_envelope_may_be_longer_than_a_line() -> None:
    short = enricher({"weblog.parser": {"max.line.bytes": "256"}})
    line = combined(request="GET /" + '\\"' * 20 + " HTTP/1.1", agent=FIREFOX[:20])
    packed = envelope(line.encode(), 2)
    assert len(line) <= 256 < len(packed) + 80
    enriched(short, packed)
    long = dead(short, envelope(LINE.encode() * 2, 2)).letter
    assert (long.reason, long.attempts) == ("line_too_long", 2)


GOOD = {"schema": "weblog.replay/1", "raw": "x", "raw_encoding": "utf-8", "attempts": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"raw": None},
        {"raw_encoding": "latin-1"},
        {"raw_encoding": "base64", "raw": "***"},
        {"attempts": 1},
        {"attempts": "2"},
        {"attempts": True},
    ],
)
def test_bad_envelopes(change: dict[str, Any]) -> None:
    packed = json.dumps(GOOD | change, separators=(",", ":")).encode()
    letter = dead(PLAIN, packed).letter
    assert (letter.stage, letter.reason) == ("decode", "bad_replay")
    assert letter.raw == packed


def test_what_only_starts_like_one() -> None:
    assert dead(PLAIN, PREFIX).letter.reason == "bad_replay"


def test_an_envelope_in_an_envelope_is_no_line() -> None:
    inner = envelope(LINE.encode(), 2)
    letter = dead(PLAIN, envelope(inner, 2)).letter
    assert (letter.reason, letter.raw) == ("unknown_object", inner)


@pytest.mark.parametrize("log_format", ["combined", "common", "vhost_combined", "combined_xff"])
@given(rest=st.text(max_size=60))
def test_no_log_line_starts_like_an_envelope(log_format: Any, rest: str) -> None:
    with pytest.raises(ValidationError):
        parser_for(log_format)(PREFIX.decode() + rest)


def test_replayed_basic_records() -> None:
    first = enricher({"weblog.pipeline": {"stage": "basic"}})
    second = enricher({"weblog.pipeline": {"stage": "advanced"}})
    record = enriched(first, LINE).json.encode()
    assert enriched(second, envelope(record, 2)) == enriched(second, record)
