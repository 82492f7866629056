import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.letters.dead_letter import DeadLetter

FAILED_AT = "2026-01-01T00:00:00.000Z"
ROOM = 1_000_000


def test_a_letter_of_text() -> None:
    letter = DeadLetter(
        "parse", "bad_status", "no status", 'a "line" é'.encode(), 1_432_155_959_000
    )
    assert letter.to_json(FAILED_AT, ROOM) == (
        '{"schema":"weblog.dead-letter/1","stage":"parse","reason":"bad_status",'
        '"message":"no status","raw":"a \\"line\\" é","raw_encoding":"utf-8",'
        '"event_time":"2015-05-20T21:05:59.000Z","failed_at":"2026-01-01T00:00:00.000Z",'
        '"attempts":1}'
    )


def test_a_letter_of_bytes_without_time() -> None:
    body = json.loads(
        DeadLetter("decode", "invalid_utf8", "m", b"\xff\xfe", attempts=3).to_json("t", ROOM)
    )
    assert (body["raw"], body["raw_encoding"]) == ("//4=", "base64")
    assert (body["event_time"], body["attempts"]) == (None, 3)


@pytest.mark.parametrize("refused", ["\ufffe", "\uffff"])
def test_characters_that_queues_refuse_are_not_even_there_as_escapes(refused: str) -> None:
    raw = f"a{refused}\U0001f600".encode()
    body = json.loads(DeadLetter("parse", "r", "m", raw).to_json(FAILED_AT, ROOM))
    assert body["raw_encoding"] == "base64"
    assert base64.b64decode(body["raw"]) == raw


def test_characters_beside_those_are_text() -> None:
    raw = "a\ufffd\U0001ffff\x7f\\uffff"
    body = json.loads(DeadLetter("parse", "r", "m", raw.encode()).to_json(FAILED_AT, ROOM))
    assert (body["raw"], body["raw_encoding"]) == (raw, "utf-8")


@given(st.binary())
def test_raw_bytes_come_back(raw: bytes) -> None:
    text = DeadLetter("parse", "r", "m", raw).to_json(FAILED_AT, ROOM)
    body = json.loads(text)
    match body["raw_encoding"]:
        case "utf-8":
            assert body["raw"].encode() == raw
        case "base64":
            assert base64.b64decode(body["raw"], validate=True) == raw
        case other:
            pytest.fail(f"unknown encoding {other}")
    assert "\n" not in text
    assert "raw_bytes" not in body


pieces = st.sampled_from(
    [b"\0", b'"', b"a", "é".encode(), "😀".encode(), "\uffff".encode(), b"\xff"]
)
long_lines = st.builds(
    lambda piece, times, end: piece * times + end, pieces, st.integers(1, 9000), st.binary()
)


@given(long_lines, st.integers(4096, 20_000))
def test_a_letter_never_exceeds_its_room(raw: bytes, room: int) -> None:
    letter = DeadLetter("parse", "line_too_long", "m", raw, 1_432_155_959_000, 7, "masked")
    text = letter.to_json(FAILED_AT, room)
    assert len(text.encode()) <= room
    body = json.loads(text)
    shown = body["raw"].encode()
    if body["raw_encoding"] == "base64":
        shown = base64.b64decode(shown, validate=True)
    assert raw.startswith(shown)
    if shown == raw:
        assert "raw_bytes" not in body
    else:
        assert body["raw_bytes"] == len(raw)
        # The letter keeps as much as fits, and tears no character.
        assert len(shown) > (room - 512) // 6 - 4
        assert (body["raw_encoding"] == "utf-8") == is_text(shown)
        assert is_text(shown) or not is_text(raw)


def is_text(raw: bytes) -> bool:
    try:
        return not {"\ufffe", "\uffff"} & set(raw.decode())
    except UnicodeDecodeError:
        return False
