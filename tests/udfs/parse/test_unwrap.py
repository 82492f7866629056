"""The wrappers that producers put around lines."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import combined, dead, enriched, enricher, filtered
from udfs.errors import ValidationError
from udfs.outcomes import DeadLettered, Enriched, Filtered
from udfs.parse.unwrap import (
    MAX_ELEMENTS,
    MAX_EVENTS,
    Event,
    Failed,
    Skipped,
    gunzip,
    kpl_records,
    unwrap,
    without_json_escapes,
)

LINE = combined()
OTHER = combined(host="81.2.69.160")


def log_events(*messages: object, kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    """Returns the object of a subscription of CloudWatch Logs."""
    return {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/ecs/nginx",
        "logStream": "nginx/web/7a1b",
        "subscriptionFilters": ["to-kinesis"],
        "logEvents": [
            {"id": f"3195310660696698337880902507980421114328961542429{n}", "timestamp": 1, **event}
            for n, event in enumerate({"message": message} for message in messages)
        ],
    }


def packed(document: object) -> bytes:
    return gzip.compress(json.dumps(document).encode(), mtime=0)


FIRELENS = {
    "log": LINE,
    "container_id": "e54cccfac2b87417f71877907f67879068420042828067ae0867e60a63529d35",
    "container_name": "/ecs-demo-6-container2-a4eafbb3d4c7f1e16e00",
    "ecs_cluster": "mycluster",
    "ecs_task_arn": "arn:aws:ecs:us-east-2:01234567891011:task/mycluster/3de392df",
    "ecs_task_definition": "demo:6",
    "source": "stdout",
}
DOCKER = {"log": f"{LINE}\n", "stream": "stdout", "time": "2025-10-28T10:15:30.123456789Z"}
VECTOR = {
    "file": "/var/log/nginx/access.log",
    "host": "web1",
    "message": LINE,
    "source_type": "file",
    "timestamp": "2025-10-28T10:15:30.123Z",
}
FILEBEAT = {
    "@timestamp": "2025-10-28T10:15:30.123Z",
    "@metadata": {"beat": "filebeat", "version": "8.15.0"},
    "log": {"offset": 0, "file": {"path": "/var/log/nginx/access.log"}},
    "message": LINE,
    "host": {"name": "web1"},
}


@pytest.mark.parametrize(
    "record",
    [
        LINE.encode(),
        b"\xef\xbb\xbf" + LINE.encode(),
        gzip.compress(LINE.encode(), mtime=0),
        gzip.compress(gzip.compress(LINE.encode(), mtime=0)),
        *(json.dumps(shape).encode() for shape in (FIRELENS, DOCKER, VECTOR, FILEBEAT)),
        *(packed(shape) for shape in (FIRELENS, DOCKER, VECTOR, FILEBEAT)),
        json.dumps(FIRELENS).encode() + b"\r\n",
        json.dumps(VECTOR | {"message": json.dumps(DOCKER)}).encode(),
        packed(log_events(LINE)),
        packed(log_events(f"{LINE}\n")),
        packed(log_events(json.dumps(FIRELENS))),
        gzip.compress(packed(log_events(LINE))),
    ],
)
def test_one_line_in_every_wrapping(record: bytes) -> None:
    plain, wrapped = enriched(enricher(), LINE), enriched(enricher(), record)
    # The first line of a record has the id of the plain line.
    assert json.loads(wrapped.json) == json.loads(plain.json)


@pytest.mark.parametrize(
    "record",
    [
        b"\n".join(json.dumps(DOCKER | {"log": line}).encode() for line in (LINE, OTHER)),
        f"{LINE}\n{json.dumps(DOCKER | {'log': OTHER})}".encode(),
        f"{json.dumps(DOCKER)}\n{OTHER}".encode(),
        packed(log_events(LINE, OTHER)),
        packed(log_events(f"{LINE}\n{OTHER}")),
        gzip.compress(LINE.encode() + b"\n") + gzip.compress(OTHER.encode()),
    ],
)
def test_two_lines_are_two_events(record: bytes) -> None:
    outcomes = enricher().process(record)
    hosts = [outcome.host for outcome in outcomes if isinstance(outcome, Enriched)]
    assert hosts == ["81.2.69.142", "81.2.69.160"]
    assert len(outcomes) == 2
    assert len({json.loads(outcome.json)["event_id"] for outcome in outcomes}) == 2


AGENT_COMMON = {
    "host": "64.242.88.10",
    "ident": None,
    "authuser": None,
    "datetime": "07/Mar/2004:16:10:02 -0800",
    "request": "GET /mailman/listinfo/hsdivision HTTP/1.1",
    "response": "200",
    "bytes": "6291",
}


def test_kinesis_agent_splits_the_line_itself() -> None:
    record = json.loads(enriched(enricher(), json.dumps(AGENT_COMMON)).json)
    log_fields = {name: record[name] for name in ("host", "datetime", "request", "response")}
    assert log_fields == {name: AGENT_COMMON[name] for name in log_fields}
    assert (record["bytes"], record["referer"], record["agent"]) == ("6291", None, None)
    assert record["event_time"] == "2004-03-08T00:10:02.000Z"
    assert record["webpage"] == "hsdivision"
    both = AGENT_COMMON | {"referer": None, "agent": "Mozilla/5.0", "bytes": None}
    record = json.loads(enriched(enricher(), json.dumps(both)).json)
    assert (record["referer"], record["agent"], record["bytes"]) == ("-", "Mozilla/5.0", "-")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"response": "2000"}, "bad_status"),
        ({"bytes": "many"}, "bad_size"),
        ({"datetime": "yesterday"}, "bad_timestamp"),
        ({"host": "a b"}, "bad_client"),
        ({"host": None}, "unknown_object"),
        ({"datetime": {}}, "unknown_object"),
    ],
)
def test_bad_fields_of_kinesis_agent(change: dict[str, Any], reason: str) -> None:
    data = json.dumps(AGENT_COMMON | change)
    letter = dead(enricher(), data).letter
    assert (letter.stage, letter.reason, letter.raw) == ("parse", reason, data.encode())


def test_control_messages_are_filtered() -> None:
    record = packed(log_events("CWL CONTROL MESSAGE: Checking health", kind="CONTROL_MESSAGE"))
    assert filtered(enricher(), record).reason == "control_message"


@pytest.mark.parametrize("record", [packed(log_events()), gzip.compress(b"", mtime=0)])
def test_nothing_inside_is_said(record: bytes) -> None:
    outcome = filtered(enricher(), record)
    assert outcome.reason in {"no_events", "blank_line"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x1f\x8b\x08\x00garbage", "corrupt_gzip"),
        (gzip.compress(LINE.encode(), mtime=0)[:-3], "corrupt_gzip"),
        (b"\xf3\x89\x9a\xc2", "corrupt_kpl"),
        (b"\xf3\x89\x9a\xc2" + LINE.encode(), "corrupt_kpl"),
        (packed(log_events(7)), "bad_log_event"),
        (packed(log_events() | {"logEvents": [None]}), "bad_log_event"),
    ],
)
def test_what_cannot_be_unwrapped_is_one_letter_with_its_bytes(record: bytes, reason: str) -> None:
    letter = dead(enricher(), record).letter
    assert (letter.stage, letter.reason) == ("decode", reason)
    if reason != "bad_log_event":
        assert letter.raw == record


def test_a_bad_event_leaves_the_others_alone() -> None:
    outcomes = enricher().process(packed(log_events(LINE, 7, "bad", OTHER)))
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Enriched, DeadLettered, DeadLettered, Enriched]


@pytest.mark.parametrize(
    "text",
    [
        '{"log": 7}',
        '{"message": ["x"]}',
        '{"a": 1}',
        "{}",
    ],
)
def test_objects_without_a_line(text: str) -> None:
    letter = dead(enricher(), text).letter
    assert (letter.stage, letter.reason, letter.raw) == ("parse", "unknown_object", text.encode())


def test_wrappings_have_an_end() -> None:
    record = LINE.encode()
    for _ in range(12):
        record = json.dumps({"log": record.decode()}).encode()
    assert dead(enricher(), record).letter.reason == "nested_too_deep"
    deep = LINE.encode()
    for _ in range(12):
        deep = gzip.compress(deep)
    assert dead(enricher(), deep).letter.reason == "nested_too_deep"


def test_a_small_record_cannot_fill_the_memory() -> None:
    bomb = gzip.compress(b"\0" * 40_000_000)
    assert len(bomb) < 100_000
    assert dead(enricher(), bomb).letter.reason == "gzip_too_large"
    # The limit applies to the record as a whole.
    assert [type(part) for part in unwrap(gzip.compress(b"a" * 2_000), 1_000)] == [Failed]
    lines = gzip.compress(b"\n" * (MAX_EVENTS + 1))
    assert dead(enricher(), lines).letter.reason == "too_many_lines"
    events = packed(log_events(*["x\n" * 20_000] * 8))
    assert dead(enricher(), events).letter.reason == "too_many_lines"


def test_json_that_would_fill_the_memory_is_one_letter() -> None:
    whole = b'{"a":[' + b"[]," * MAX_ELEMENTS + b"0]}"
    lines = b'{"log":"x","a":[' + b"[]," * 10_000 + b"0]}\n"
    for record in (whole, lines * (MAX_ELEMENTS // 10_000)):
        letter = dead(enricher(), gzip.compress(record)).letter
        assert (letter.stage, letter.reason) == ("decode", "too_many_lines")
        assert "elements" in letter.message


def test_nothing_is_unwrapped_when_the_settings_say_so() -> None:
    plain = enricher({"weblog.source": {"envelope": "none"}})
    assert dead(plain, json.dumps(DOCKER)).letter.reason == "malformed_line"
    assert dead(plain, gzip.compress(LINE.encode(), mtime=0)).letter.stage == "decode"
    assert enriched(plain, LINE).host == "81.2.69.142"


def test_fluent_bit_with_log_key_escapes_the_line() -> None:
    sent = json.dumps(combined(request=r"GET /a\"b HTTP/1.1"))[1:-1]
    outcome = enriched(enricher(), sent)
    assert json.loads(outcome.json)["request"] == r"GET /a\"b HTTP/1.1"
    assert without_json_escapes('no "quotation marks" escaped') is None
    assert without_json_escapes(r"\"GET / \q") is None


# --- properties ----------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=30)
wrappings = st.recursive(
    texts.map(str.encode),
    lambda inner: st.one_of(
        inner.map(gzip.compress),
        inner.filter(lambda data: data.isascii()).map(
            lambda data: json.dumps({"log": data.decode()}).encode()
        ),
        inner.filter(lambda data: data.isascii()).map(
            lambda data: packed(log_events(data.decode(), "x"))
        ),
    ),
    max_leaves=4,
)


@given(wrappings | st.binary(max_size=60))
def test_every_content_has_an_outcome_of_its_own(record: bytes) -> None:
    contents = unwrap(record)
    outcomes = enricher().process(record)
    assert len(outcomes) == len(contents) >= 1
    for content, outcome in zip(contents, outcomes, strict=True):
        assert isinstance(content, Event | Skipped | Failed)
        assert isinstance(outcome, Enriched | Filtered | DeadLettered)


@given(st.binary(max_size=200))
def test_damaged_aggregates_and_gzip_are_refused(data: bytes) -> None:
    for magic, take_apart in ((b"\xf3\x89\x9a\xc2", kpl_records), (b"\x1f\x8b", _gunzipped)):
        with pytest.raises(ValidationError) as caught:
            take_apart(magic + data)
        assert caught.value.stage == "decode"


def _gunzipped(data: bytes) -> list[bytes]:
    return [gunzip(data, 1_000)]
