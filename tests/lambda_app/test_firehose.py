from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws.put import CallError, CallLimits, Message, Rejection
from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sql_files import OutputFile
from lambda_app import firehose
from lambda_app.deadline import Deadline
from lambda_app.errors import EventError, OutageError
from lambda_app.firehose import RESPONSE_LIMIT, FirehoseTransformation, TransformationResponse
from lambda_app.settings import PartitionBy
from lambda_app.tally import Tally
from tests.support.core import combined
from tests.support.functions import (
    BAD,
    GOOD,
    FakeContext,
    FakeDestination,
    data_of,
    firehose_event,
    good,
    processor,
    transformation,
)
from udfs.errors import DatabaseError


def run(
    function: FirehoseTransformation,
    records: Sequence[bytes],
    context: FakeContext | None = None,
    tally: Tally | None = None,
) -> TransformationResponse:
    event = firehose_event(records)
    response = function.run(event, Deadline(context or FakeContext()), tally or Tally())
    asked = [one["recordId"] for one in event["records"]]
    assert [one["recordId"] for one in response["records"]] == asked
    return response


def results(response: TransformationResponse) -> list[str]:
    return [one["result"] for one in response["records"]]


def test_each_kind_of_record_has_its_answer() -> None:
    letters = FakeDestination()
    tally = Tally()

    response = run(transformation(letters), [good(1), b"\n", BAD, good(2) + b"\n"], tally=tally)

    assert results(response) == ["Ok", "Dropped", "Dropped", "Ok"]
    first, *_, last = response["records"]
    assert data_of(first).endswith(b"}\n")
    assert json.loads(data_of(first))["webpage"] == "page1"
    assert json.loads(data_of(last))["webpage"] == "page2"
    (letter,) = letters.bodies()
    assert (letter["reason"], letter["raw"]) == ("malformed_line", BAD.decode())
    assert (tally.records, tally.enriched, tally.failed) == (4, 2, 1)
    assert tally.filtered == {"blank_line": 1}
    assert tally.dead_lettered == {"parse/malformed_line": 1}


def test_answers_without_data_have_none() -> None:
    response = run(transformation(FakeDestination()), [b"", BAD])

    assert [sorted(one) for one in response["records"]] == [["recordId", "result"]] * 2


def test_an_empty_event() -> None:
    assert run(transformation(), []) == {"records": []}


def test_several_lines_in_a_record_are_several_lines_of_the_answer() -> None:
    response = run(transformation(), [good(1) + b"\n" + good(2) + b"\r\n\n" + good(3) + b"\n"])

    data = data_of(response["records"][0])
    assert data.endswith(b"\n")
    pages = [json.loads(line)["webpage"] for line in data.splitlines()]
    assert pages == ["page1", "page2", "page3"]


def test_a_partly_bad_record_is_ok_with_its_good_lines() -> None:
    letters = FakeDestination()

    response = run(transformation(letters), [good(1) + b"\n" + BAD + b"\n" + good(2)])

    assert results(response) == ["Ok"]
    assert len(data_of(response["records"][0]).splitlines()) == 2
    assert len(letters.taken) == 1


def test_compressed_records() -> None:
    letters = FakeDestination()
    lines = good(1) + b"\n" + good(2) + b"\n"

    response = run(
        transformation(letters),
        [gzip.compress(lines), gzip.compress(lines)[:-3], gzip.compress(bytes(2_000_000)), lines],
    )

    assert results(response) == ["Ok", "Dropped", "Dropped", "Ok"]
    assert data_of(response["records"][0]) == data_of(response["records"][3])
    corrupt, too_large = letters.bodies()
    assert (corrupt["stage"], corrupt["reason"]) == ("decode", "corrupt_gzip")
    assert corrupt["raw_encoding"] == "base64"
    assert too_large["reason"] == "gzip_too_large"


def test_what_cannot_be_unpacked_is_not_shown_when_lines_are_masked() -> None:
    letters = FakeDestination()
    private = processor({"weblog.privacy": {"profile": "strict"}}, salt=b"0123456789abcdef")

    response = run(transformation(letters, of=private), [gzip.compress(GOOD)[:-3], GOOD])

    assert results(response) == ["Dropped", "Ok"]
    (letter,) = letters.bodies()
    assert (letter["raw"], letter["raw_privacy"]) == (None, "omitted")


def test_data_that_is_not_base64_is_bad_data() -> None:
    letters = FakeDestination()
    event = firehose_event([GOOD, GOOD])
    event["records"][0]["data"] = "not base64!"

    response = transformation(letters).run(event, Deadline(FakeContext()), Tally())

    assert results(response) == ["Dropped", "Ok"]
    assert letters.bodies()[0]["reason"] == "invalid_base64"
    assert letters.bodies()[0]["raw"] == "not base64!"


def test_the_letter_of_what_cannot_be_read_is_the_cores() -> None:
    letters = FakeDestination()
    event = firehose_event([GOOD, GOOD])
    event["records"][0]["data"] = "not base64!"
    of = processor({"weblog.deadletters": {"max.attempts": "1"}})

    transformation(letters, of=of).run(event, Deadline(FakeContext()), Tally())

    (letter,) = letters.bodies()
    assert (letter["stage"], letter["reason"]) == ("decode", "attempts_exhausted")


def test_without_a_place_for_dead_letters_firehose_keeps_the_record() -> None:
    tally = Tally()

    response = run(transformation(), [GOOD, BAD, GOOD + b"\n" + BAD], tally=tally)

    assert results(response) == ["Ok", "ProcessingFailed", "ProcessingFailed"]
    assert tally.failed == 2


def fail_for(*owners: int, permanent: bool = True) -> Any:
    def behave(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return [
            Rejection(index, "InternalError", permanent)
            for index, one in enumerate(batch)
            if one.owner in owners
        ]

    return behave


@pytest.mark.parametrize("permanent", [True, False])
def test_a_dead_letter_that_cannot_be_sent_fails_its_record_alone(permanent: bool) -> None:
    letters = FakeDestination(fail_for(1, permanent=permanent))
    tally = Tally()

    response = run(
        transformation(letters), [BAD, GOOD + b"\n" + BAD, GOOD, BAD + b"3"], tally=tally
    )

    assert results(response) == ["Dropped", "ProcessingFailed", "Ok", "Dropped"]
    assert "data" not in response["records"][1]
    assert tally.undelivered == {"InternalError": 1}
    assert tally.failed == 3


@pytest.mark.parametrize("passing", [True, False], ids=["down", "refused"])
def test_a_queue_that_takes_nothing_fails_only_records_with_bad_lines(passing: bool) -> None:
    def fail(call: int, batch: Sequence[Message]) -> list[Rejection]:
        raise CallError("SomeCode", passing=passing)

    tally = Tally()
    response = run(transformation(FakeDestination(fail)), [GOOD, BAD, b"", GOOD], tally=tally)

    assert results(response) == ["Ok", "ProcessingFailed", "Dropped", "Ok"]
    assert tally.undelivered == {"SomeCode": 1}


def test_a_letter_that_no_message_can_hold_fails_its_record() -> None:
    letters = FakeDestination(
        limits=CallLimits(messages=10, total_bytes=65_536, message_bytes=65_536)
    )
    tally = Tally()

    response = run(transformation(letters), [b"x" * 100_000, BAD, GOOD], tally=tally)

    assert results(response) == ["ProcessingFailed", "Dropped", "Ok"]
    assert tally.undelivered == {"message_too_large": 1}


def test_time_runs_out() -> None:
    # Each record takes a second. No record begins in the last ten seconds.
    context = FakeContext(16.5, per_question=1)
    tally = Tally()

    response = run(transformation(), [good(number) for number in range(20)], context, tally)

    assert results(response) == ["Ok"] * 6 + ["ProcessingFailed"] * 14
    assert tally.deferred == 14
    assert tally.failed == 14
    assert tally.enriched == 6


def test_without_time_for_the_letters_their_records_fail() -> None:
    context = FakeContext(13.5, per_question=3)
    letters = FakeDestination()

    response = run(transformation(letters), [BAD, GOOD], context)

    # The time left is 10.5 s at the first record, 7.5 s at the second and 4.5 s at the call.
    assert results(response) == ["ProcessingFailed", "ProcessingFailed"]
    assert letters.calls == []


def encoded(response: TransformationResponse) -> int:
    """Bytes as Lambda's own runtime writes them."""
    from awslambdaric.lambda_runtime_marshaller import to_json

    return len(to_json(response).encode())


def long_line(number: int, size: int) -> bytes:
    return combined(request=f"GET /{number} HTTP/1.1", referer="http://x/" + "r" * size).encode()


def test_a_record_is_stopped_when_its_answer_cannot_fit() -> None:
    records = [gzip.compress(b"\n".join([GOOD] * 50_000)), GOOD, b""]
    tally = Tally()

    of = processor(gzip_maximum=2**24)
    response = run(transformation(FakeDestination(), of=of), records, tally=tally)

    assert results(response) == ["ProcessingFailed", "Ok", "Dropped"]
    assert (tally.deferred, tally.failed) == (1, 1)
    # The record's lines stay within the limit of a response.
    assert RESPONSE_LIMIT * 3 / 4 < tally.lines * len(data_of(response["records"][1])) < 2**23


def test_letters_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firehose, "_MOST_LETTER_BYTES", 5_000)
    letters = FakeDestination()
    tally = Tally()

    response = run(transformation(letters), [GOOD, BAD, b"\n".join([BAD] * 100), BAD], tally=tally)

    assert results(response) == ["Ok", "Dropped", "ProcessingFailed", "Dropped"]
    assert tally.deferred == 1
    assert len(letters.taken) == 2
    # Without a target for dead letters, no letter is kept.
    assert results(run(transformation(), [b"\n".join([BAD] * 100), GOOD])) == [
        "ProcessingFailed",
        "Ok",
    ]


def test_the_response_stays_below_the_limit() -> None:
    records = [long_line(number, 61_000) for number in range(60)]
    tally = Tally()

    response = run(transformation(FakeDestination()), [*records, GOOD, BAD, b""], tally=tally)

    said = results(response)
    fitting = said.count("Ok") - 1
    assert said == [
        *["Ok"] * fitting,
        *["ProcessingFailed"] * (60 - fitting),
        "Ok",  # A small record still fits.
        "Dropped",
        "Dropped",
    ]
    size = encoded(response)
    assert size <= RESPONSE_LIMIT
    assert RESPONSE_LIMIT - size < 150_000
    assert tally.deferred == 60 - fitting


# The estimate takes the longest result for each of three Ok and one Dropped.
SLACK = 4 * len("ProcessingFailed") - 3 * len("Ok") - len("Dropped")


def test_the_limit_is_kept_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [GOOD, good(1), b"", good(2)]
    size = encoded(run(transformation(), records)) + SLACK

    for limit, last in ((size, "Ok"), (size - 1, "ProcessingFailed")):
        monkeypatch.setattr(firehose, "RESPONSE_LIMIT", limit)
        response = run(transformation(), records)
        assert results(response) == ["Ok", "Ok", "Dropped", last]


# --- partitions ---------------------------------------------------------------------------------

PARTITIONED = pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("date", {"event_date": "2025-10-27"}),
        ("hour", {"event_date": "2025-10-27", "event_hour": "23"}),
    ],
)


def at(timestamp: str) -> bytes:
    return combined(timestamp=timestamp).encode()


@PARTITIONED
def test_an_answer_has_keys_by_event_time_in_utc(by: PartitionBy, keys: dict[str, str]) -> None:
    records = [at("28/Oct/2025:01:15:30 +0200"), b"", BAD]
    plain = run(transformation(FakeDestination()), records)

    response = run(transformation(FakeDestination(), partition_by=by), records)

    first, *others = response["records"]
    assert first == {**plain["records"][0], "metadata": {"partitionKeys": keys}}
    assert others == plain["records"][1:]
    assert results(response) == ["Ok", "Dropped", "Dropped"]


@pytest.mark.parametrize("by", ["none", "date", "hour"])
def test_keys_are_the_folders_of_the_jobs_files(by: PartitionBy) -> None:
    (answer,) = run(transformation(partition_by=by), [GOOD])["records"]

    keys = answer.get("metadata", {"partitionKeys": {}})["partitionKeys"]
    output = OutputFile("enriched", "records", Path("enriched.sql"))
    assert tuple(keys) == FilesystemSink(partition_by=by).layout(output).partitions


@pytest.mark.parametrize(("by", "misfiled"), [("none", 0), ("date", 1), ("hour", 2)])
def test_a_record_goes_to_the_folder_of_its_first_enriched_line(
    by: PartitionBy, misfiled: int
) -> None:
    times = ("28/Oct/2025:10:59:59", "28/Oct/2025:11:00:00", "29/Oct/2025:10:30:00")
    record = b"\n".join([BAD, *(at(f"{time} +0000") for time in times)])
    tally = Tally()

    response = run(transformation(FakeDestination(), partition_by=by), [record, GOOD], tally=tally)

    first, second = response["records"]
    assert results(response) == ["Ok", "Ok"]
    assert len(data_of(first).splitlines()) == 3
    assert first.get("metadata") == second.get("metadata")  # The time of GOOD is 10:15 of that day.
    assert tally.misfiled == misfiled


def test_a_record_that_fails_after_all_has_no_keys() -> None:
    letters = FakeDestination(fail_for(0))

    response = run(transformation(letters, partition_by="hour"), [GOOD + b"\n" + BAD, GOOD])

    assert results(response) == ["ProcessingFailed", "Ok"]
    assert [sorted(one) for one in response["records"]] == [
        ["recordId", "result"],
        ["data", "metadata", "recordId", "result"],
    ]


@PARTITIONED
def test_the_keys_are_counted_to_the_byte(
    by: PartitionBy, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    function = transformation(partition_by=by)
    records = [GOOD, at("01/Jan/0001:00:00:00 +0000"), b"", good(2)]
    response = run(function, records)
    assert "metadata" in response["records"][1]
    size = encoded(response) + SLACK

    for limit, last in ((size, "Ok"), (size - 1, "ProcessingFailed")):
        monkeypatch.setattr(firehose, "RESPONSE_LIMIT", limit)
        response = run(function, records)
        assert results(response) == ["Ok", "Ok", "Dropped", last]
        assert encoded(response) <= limit


def test_letters_of_a_record_that_does_not_fit_are_not_sent() -> None:
    letters = FakeDestination()
    large = b"\n".join(long_line(number, 60_000) for number in range(80))

    response = run(transformation(letters), [large + b"\n" + BAD, GOOD])

    assert results(response) == ["ProcessingFailed", "Ok"]
    assert letters.taken == []


def test_many_small_records_fit_too() -> None:
    response = run(transformation(), [GOOD] * 6_000)

    assert encoded(response) <= RESPONSE_LIMIT
    assert Counter(results(response))["ProcessingFailed"] > 0


def test_a_batch_of_bad_data_alone_is_an_outage() -> None:
    letters = FakeDestination()
    tally = Tally()

    with pytest.raises(OutageError, match=r"all 10 lines .* mostly parse/malformed_line") as caught:
        run(transformation(letters), [BAD] * 9 + [b"\n", b"\xff"], tally=tally)

    assert letters.taken == []
    assert tally.outage
    assert caught.value.lines == 10


@pytest.mark.parametrize(
    ("records", "minimum"),
    [([BAD] * 9, 10), ([BAD] * 50 + [GOOD], 10), ([BAD] * 50, 0), ([b"\n"] * 50, 10)],
    ids=["too few", "one is good", "switched off", "blank lines"],
)
def test_no_outage(records: list[bytes], minimum: int) -> None:
    response = run(transformation(FakeDestination(), of=processor(outage_minimum=minimum)), records)

    assert "ProcessingFailed" not in results(response)


def test_a_corrupt_database_is_no_bad_data() -> None:
    # A relative path is a file of the package, whose build checks it; the start does not.
    broken = "tests/data/GeoIP2-City-Test-Broken-Double-Format.mmdb"
    function = transformation(of=processor({"weblog.geoip": {"database.path": broken}}))
    line = combined(host="2001:220::80").encode()

    with pytest.raises(DatabaseError):
        run(function, [line])


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"records": {}},
        {"records": [{"recordId": "1"}]},
        {"records": [{"recordId": 1, "data": ""}]},
        {"records": ["x"]},
    ],
)
def test_other_events_are_refused(event: dict[str, Any]) -> None:
    with pytest.raises(EventError, match="Firehose"):
        transformation().run(event, Deadline(FakeContext()), Tally())


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from([GOOD, BAD, GOOD + b"\n" + BAD, b"", gzip.compress(GOOD)]),
        ),
        max_size=20,
    ),
    st.lists(st.integers(0, 19), max_size=5),
)
def test_every_record_is_answered_once_whatever_it_holds(
    records: list[bytes], failing: list[int]
) -> None:
    letters = FakeDestination(fail_for(*failing))

    response = run(transformation(letters, of=processor(outage_minimum=0)), records)

    for index, answer in enumerate(response["records"]):
        if answer["result"] == "Ok":
            lines = data_of(answer).decode()
            assert lines.endswith("\n")
            assert all(json.loads(line)["event_id"] for line in lines.splitlines())
        else:
            assert "data" not in answer
        lost = any(one.owner == index for call in letters.calls for one in call) and (
            index in failing
        )
        assert (answer["result"] == "ProcessingFailed") is lost
