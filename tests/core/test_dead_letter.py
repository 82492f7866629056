import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.dead_letter import DeadLetter

FAILED_AT = "2026-01-01T00:00:00.000Z"


def test_a_letter_of_text() -> None:
    letter = DeadLetter(
        "parse", "bad_status", "no status", 'a "line" é'.encode(), 1_432_155_959_000
    )
    assert letter.to_json(FAILED_AT) == (
        '{"schema":"weblog.dead-letter/1","stage":"parse","reason":"bad_status",'
        '"message":"no status","raw":"a \\"line\\" é","raw_encoding":"utf-8",'
        '"event_time":"2015-05-20T21:05:59.000Z","failed_at":"2026-01-01T00:00:00.000Z",'
        '"attempts":1}'
    )


def test_a_letter_of_bytes_without_time() -> None:
    body = json.loads(
        DeadLetter("decode", "invalid_utf8", "m", b"\xff\xfe", attempts=3).to_json("t")
    )
    assert (body["raw"], body["raw_encoding"]) == ("//4=", "base64")
    assert (body["event_time"], body["attempts"]) == (None, 3)


@given(st.binary())
def test_raw_bytes_come_back(raw: bytes) -> None:
    text = DeadLetter("parse", "r", "m", raw).to_json(FAILED_AT)
    body = json.loads(text)
    match body["raw_encoding"]:
        case "utf-8":
            assert body["raw"].encode() == raw
        case "base64":
            assert base64.b64decode(body["raw"], validate=True) == raw
        case other:
            pytest.fail(f"unknown encoding {other}")
    assert "\n" not in text
