"""Personal data in wrapped records, whole and damaged."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import combined, dead, enricher
from tests.support.personal import FUTURE, damaged, personal_lines
from tests.support.wrapped import aggregated
from udfs.enrichment import Enricher
from udfs.letters.replay import envelope
from udfs.parse.encodings import decoded
from udfs.parse.unwrap import FIRST_BYTES

MASKED = {"weblog.deadletters": {"privacy": "masked"}}
STRICT = {"weblog.privacy": {"profile": "strict"}} | MASKED
EMAILS = {"weblog.privacy": {"emails": "mask"}} | MASKED


def json_of(line: bytes, member: str, *, ascii_only: bool = False) -> bytes:
    text = line.decode(errors="replace")
    shipped = {"stream": "stdout", member: text, "time": "2025-10-28T10:15:30Z"}
    return json.dumps(shipped, ensure_ascii=ascii_only).encode()


def log_events(line: bytes) -> bytes:
    text = line.decode(errors="replace")
    events = [{"id": str(number), "timestamp": 1, "message": text} for number in range(2)]
    return json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events}).encode()


WRAPPERS: list[Callable[[bytes], bytes]] = [
    bytes,
    gzip.compress,
    aggregated,
    lambda line: aggregated(line, line),
    log_events,
    lambda line: gzip.compress(log_events(line)),
    lambda line: json_of(line, "log"),
    lambda line: json_of(line, "message", ascii_only=True),
    lambda line: json_of(line, "unknown"),
    lambda line: b"<134>Oct 28 10:15:30 web1 nginx: " + line,
    lambda line: envelope(line, 2),
    lambda line: envelope(line, 99),
    lambda line: envelope(gzip.compress(line), 99),
    lambda line: line + b"\n" + line,
]


@st.composite
def broken(draw: st.DrawFn, record: bytes) -> bytes:
    """Draws the record whole, cut off, or with another byte in its frame."""
    match draw(st.sampled_from(["whole", "cut", "frame"])):
        case "cut":
            return record[: draw(st.integers(0, len(record)))]
        case "frame" if record[:1] in FIRST_BYTES:
            at = draw(st.sampled_from([0, *range(len(record) - 16, len(record))]))
            return record[:at] + draw(st.sampled_from([b"\xff", b"x", b'"'])) + record[at + 1 :]
        case _:
            return record


def seen_in(text: str) -> str:
    """Returns the text with all encodings decoded, also base64."""
    texts = [text.replace("\\\\", "\\")]
    for run in re.findall(r"[A-Za-z0-9+/]{24,}", text):
        whole = len(run) // 4 * 4
        texts.append(base64.b64decode(run[:whole]).decode(errors="replace"))
    return "\n".join(decoded(one).decode(errors="replace").lower() for one in texts)


def shown(using: Enricher, record: bytes) -> str:
    return "\n".join(seen_in(outcome.json) for outcome in using.process(record))


USING = {
    log_format: enricher(STRICT | {"weblog.parser": {"format": log_format}})
    for log_format in ("combined", "common", "vhost_combined", "combined_xff")
}
ONLY_EMAILS = enricher(EMAILS)


@given(personal_lines(), st.data())
def test_nothing_personal_is_left_of_any_record(
    made: tuple[bytes, str, list[str]], data: st.DataObject
) -> None:
    line, log_format, secrets = made
    if data.draw(st.booleans()):
        line = data.draw(damaged(line))
    for wrap in data.draw(st.lists(st.sampled_from(WRAPPERS), min_size=1, max_size=2)):
        line = wrap(line)
    record = data.draw(broken(line))
    text = shown(USING[log_format], record)
    for secret in secrets:
        assert secret.lower() not in text


@given(st.text("qxzwk", min_size=8, max_size=12), st.data())
def test_no_address_is_left_where_only_addresses_are_hidden(name: str, data: st.DataObject) -> None:
    line = combined(request=f"GET /u/{name}@example.com HTTP/1.1", timestamp=FUTURE).encode()
    for wrap in data.draw(st.lists(st.sampled_from(WRAPPERS), min_size=1, max_size=2)):
        line = wrap(line)
    assert f"{name}@" not in shown(ONLY_EMAILS, data.draw(broken(line)))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (gzip.compress(combined().encode())[:-1], "corrupt_gzip"),
        (aggregated(combined())[:-1] + b"?", "corrupt_kpl"),
        (json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"id": "bob"}]}).encode(),
         "bad_log_event"),
        (envelope(b"\xff" + combined().encode(), 2)[:-1], "bad_replay"),
        (envelope(gzip.compress(b"bob"), 99), "attempts_exhausted"),
        (envelope(aggregated("bob"), 99), "attempts_exhausted"),
    ],
)  # fmt: skip
def test_what_is_packed_is_left_out(record: bytes, reason: str) -> None:
    for using in (USING["combined"], ONLY_EMAILS):
        letter = dead(using, record).letter
        assert (letter.reason, letter.raw, letter.raw_privacy) == (reason, None, "omitted")


def test_a_line_that_came_too_often_is_masked() -> None:
    letter = dead(USING["common"], envelope(combined(user="alice").encode(), 99)).letter
    assert letter.reason == "attempts_exhausted"
    assert letter.raw is not None
    assert b"alice" not in letter.raw


@pytest.mark.parametrize(
    "text",
    [
        '{"time":"[28/Oct/2025:10:15:30 +0000]","user":"alice","host":"h7.example","x',
        'web1 app: { "time": "[28/Oct/2025:10:15:30 +0000]", "user": "alice"}',
        r"{\"time\":\"[28/Oct/2025:10:15:30 +0000]\",\"user\":\"alice\"}",
    ],
)
def test_a_broken_object_is_masked_as_a_whole(text: str) -> None:
    assert dead(USING["combined"], text).letter.raw == b"***"


def test_a_clients_port_hides_no_repetition() -> None:
    line = combined(
        host="203.0.113.9:443", timestamp=FUTURE, request="GET /?a=203.0.113.9 HTTP/1.1"
    )
    letter = dead(enricher({"weblog.privacy": {"profile": "standard"}}), line).letter
    assert letter.raw is not None
    assert b"203.0.113.9" not in letter.raw


def test_the_clients_behind_a_proxy_are_hidden_in_letters_too() -> None:
    line = combined(host="10.0.0.1", timestamp=FUTURE, request="GET /?a=198.51.100.7 HTTP/1.1")
    using = enricher(
        {"weblog.privacy": {"profile": "standard"}, "weblog.parser": {"format": "combined_xff"}}
    )
    letter = dead(using, f'{line} "198.51.100.7, 10.0.0.2"').letter
    assert letter.raw is not None
    assert b"198.51.100.7" not in letter.raw


@pytest.mark.parametrize(
    "start", ["web1 nginx: ", "198.51.100.7, 10.0.0.1, ", "10.0.0.2 (198.51.100.7, "]
)
def test_a_client_that_is_not_the_first_word(start: str) -> None:
    line = combined(
        user="alice", timestamp=FUTURE, request="GET /81-2-69-142/198-51-100-7 HTTP/1.1"
    )
    raw = dead(enricher({"weblog.privacy": {"profile": "standard"}}), start + line).letter.raw
    assert raw is not None
    assert raw.startswith(f'*** [{FUTURE}] "GET /***/***'.encode())


@pytest.mark.parametrize("kept", [1, 5, 9, 20, 40])
def test_an_address_at_the_end_of_a_line_that_is_cut_off(kept: int) -> None:
    whole = combined(request="GET /?m=alice@mail.example.com HTTP/1.1")
    line = whole[: whole.index("@") + kept]
    letter = dead(enricher({"weblog.privacy": {"profile": "standard"}}), line).letter
    assert letter.raw is not None
    assert b"alice" not in letter.raw


def test_an_address_where_a_letter_ends_for_want_of_room() -> None:
    settings = {"weblog.deadletters": {"max.bytes": "4096"}}
    using = enricher({"weblog.privacy": {"profile": "standard"}} | settings)
    for length in range(550, 700):
        path = f"/{'x' * length}?m=alice@mail.example.com&y={'y' * 4000}"
        outcome = dead(using, combined(timestamp=FUTURE, request=f"GET {path} HTTP/1.1"))
        assert "raw_bytes" in json.loads(outcome.json)
        assert "alice" not in outcome.json
