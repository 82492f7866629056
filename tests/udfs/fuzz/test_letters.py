"""What the replay command reads: letters, or something that it leaves as it is."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tools.replay.letters import read_kept_record, read_letter
from udfs.errors import ValidationError
from udfs.letters import dead_letter, replay
from udfs.letters.replay import read_envelope

_SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
_LETTERS = st.fixed_dictionaries(
    {
        "schema": st.sampled_from([dead_letter.SCHEMA, replay.SCHEMA, "other"]),
        "raw": st.sampled_from(["YQ==", "YQ", "a line", "\ud800", "a\nb"]) | _SCALARS,
    },
    optional={
        "stage": st.just("parse") | _SCALARS,
        "reason": st.just("malformed_line") | _SCALARS,
        "raw_encoding": st.sampled_from(["utf-8", "base64"]) | _SCALARS,
        "attempts": st.sampled_from([1, 2, 10**30]) | _SCALARS,
        "raw_privacy": _SCALARS,
        "raw_bytes": _SCALARS,
        "rawData": st.just("H4sI") | _SCALARS,
        "errorCode": _SCALARS,
        "lambdaARN": _SCALARS,
        "KinesisBatchInfo": st.just({}) | _SCALARS,
        "requestContext": st.just({"condition": "x"}) | _SCALARS,
        "payload": st.just('{"Records": [{"kinesis": {"data": "eA=="}}, 1]}') | _SCALARS,
    },
)


@given(_LETTERS)
def test_any_letter(body: dict[str, Any]) -> None:
    text = json.dumps(body)
    letter = read_letter(text)
    if letter is not None and letter.raw is not None:
        assert isinstance(letter.raw, bytes)
    read_kept_record(text)


@given(st.binary(max_size=200) | st.text(max_size=200) | _LETTERS.map(lambda b: json.dumps(b)[:-3]))
def test_any_text(text: str | bytes) -> None:
    read_letter(text)
    read_kept_record(text)


@given(st.binary(max_size=200) | _LETTERS.map(lambda body: json.dumps(body).encode()))
def test_any_envelope(data: bytes) -> None:
    with contextlib.suppress(ValidationError):
        assert read_envelope(data).attempts >= 2
