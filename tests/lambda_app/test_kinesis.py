from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws.put import CallError, CallLimits, Message, Rejection
from lambda_app import kinesis
from lambda_app.deadline import Deadline
from lambda_app.errors import EventError
from lambda_app.kinesis import KinesisConsumer
from lambda_app.tally import Tally
from tests.support.core import SALT
from tests.support.functions import (
    BAD,
    FakeContext,
    FakeDestination,
    consumer,
    good,
    kinesis_event,
    processor,
    sequence_number,
)

NOTHING_FAILED: dict[str, list[Any]] = {"batchItemFailures": []}
STREAM = CallLimits(messages=5, total_bytes=5_000_000, message_bytes=1_000_000)


def failed_at(index: int) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": sequence_number(index)}]}


def run(
    function: KinesisConsumer,
    records: Sequence[bytes],
    context: FakeContext | None = None,
    tally: Tally | None = None,
) -> Any:
    return function.run(
        kinesis_event(records), Deadline(context or FakeContext()), tally or Tally()
    )


def refuse(*owners: int, limits: CallLimits = STREAM) -> FakeDestination:
    def behave(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return [
            Rejection(index, "InternalFailure")
            for index, one in enumerate(batch)
            if one.owner in owners
        ]

    return FakeDestination(behave, limits)


def test_good_lines_are_written_in_order_with_their_client_as_key() -> None:
    output, letters = FakeDestination(), FakeDestination()
    tally = Tally()

    answer = run(
        consumer(output, letters), [good(1), good(2) + b"\n" + good(3), b"\n", BAD], tally=tally
    )

    assert answer == NOTHING_FAILED
    assert [one["webpage"] for one in output.bodies()] == ["page1", "page2", "page3"]
    assert {one.key for one in output.taken} == {"81.2.69.142"}
    assert [one["raw"] for one in letters.bodies()] == [BAD.decode()]
    assert (tally.records, tally.enriched, tally.failed) == (4, 3, 1)


@pytest.mark.parametrize("choice", ["drop", "mask"])
def test_clients_that_are_hidden_spread_over_the_shards(choice: str) -> None:
    output = FakeDestination()
    private = processor({"weblog.privacy": {"client.address": choice}}, salt=SALT)

    run(consumer(output, FakeDestination(), of=private), [good(1) + b"\n" + good(2), good(3)])

    assert [one.key for one in output.taken] == [
        sequence_number(0),
        sequence_number(0),
        sequence_number(1),
    ]


@pytest.mark.parametrize("choice", ["truncate", "hash"])
def test_clients_that_can_be_told_apart_are_keys(choice: str) -> None:
    output = FakeDestination()
    private = processor({"weblog.privacy": {"client.address": choice}}, salt=SALT)

    run(consumer(output, FakeDestination(), of=private), [good(1), good(2)])

    assert [one.key for one in output.taken] == [one["host"] for one in output.bodies()]


def test_the_first_record_that_is_not_done_becomes_the_checkpoint() -> None:
    output, letters = refuse(3, 4), FakeDestination()
    records = [good(0), BAD, good(2), good(3), good(4), BAD, good(6)]
    tally = Tally()

    answer = run(consumer(output, letters), records, tally=tally)

    assert answer == failed_at(3)
    # The letter behind the checkpoint comes again later, with its record.
    assert [one.owner for one in letters.taken] == [1]
    assert tally.failed == 5


def test_nothing_is_sent_behind_a_failed_batch() -> None:
    output = refuse(7)

    answer = run(consumer(output, FakeDestination()), [good(number) for number in range(20)])

    assert answer == failed_at(7)
    assert max(one.owner for one in output.taken) == 9  # The failed batch of five ends there.


def test_a_letter_that_cannot_be_sent_holds_the_checkpoint() -> None:
    output, letters = FakeDestination(), refuse(2)

    answer = run(consumer(output, letters), [good(0), BAD, BAD, good(3)])

    assert answer == failed_at(2)


def test_a_stream_that_is_down_fails_from_the_start() -> None:
    def down(call: int, batch: Sequence[Message]) -> list[Rejection]:
        raise CallError("ProvisionedThroughputExceededException", passing=True)

    letters = FakeDestination()
    tally = Tally()

    answer = run(consumer(FakeDestination(down), letters), [BAD, good(1)], tally=tally)

    assert answer == failed_at(1)
    assert len(letters.taken) == 1  # Record 0 is done: its bad line is kept.
    assert tally.undelivered == {"ProvisionedThroughputExceededException": 1}


def test_time_runs_out() -> None:
    context = FakeContext(16.5, per_question=1)
    output, letters = FakeDestination(), FakeDestination()
    tally = Tally()

    answer = run(consumer(output, letters), [good(number) for number in range(20)], context, tally)

    assert answer == failed_at(6)
    assert len(output.taken) == 6
    assert tally.deferred == 14


def test_what_waits_to_be_sent_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinesis, "_MOST_WAITING_BYTES", 1_000)
    output = FakeDestination()
    tally = Tally()

    # The second record begins below the limit, and exceeds it by itself.
    several = b"\n".join(map(good, range(2, 9)))
    answer = run(
        consumer(output, FakeDestination()), [good(1), several, good(9), good(10)], tally=tally
    )

    assert answer == failed_at(2)
    assert [one["webpage"] for one in output.bodies()] == [f"page{n}" for n in range(1, 9)]
    assert (tally.deferred, tally.failed) == (2, 2)


def test_a_batch_of_bad_data_alone_stops_the_shard() -> None:
    output, letters = FakeDestination(), FakeDestination()
    tally = Tally()

    answer = run(consumer(output, letters), [BAD] * 12, tally=tally)

    assert answer == failed_at(0)
    assert letters.taken == []
    assert tally.outage
    assert tally.failed == 12


@given(
    kinds=st.lists(st.sampled_from(["good", "bad", "mixed", "blank"]), min_size=1, max_size=30),
    failing=st.sets(st.integers(0, 29), max_size=4),
    letters_failing=st.sets(st.integers(0, 29), max_size=4),
)
def test_nothing_is_lost_when_what_is_reported_comes_again(
    kinds: list[str], failing: set[int], letters_failing: set[int]
) -> None:
    """Lambda calls again from the checkpoint on, until everything is written."""
    records: dict[str, Callable[[int], bytes]] = {
        "good": good,
        "bad": lambda number: BAD + str(number).encode(),
        "mixed": lambda number: good(number) + b"\n" + BAD + str(number).encode(),
        "blank": lambda number: b"\n",
    }
    batch = [records[kind](number) for number, kind in enumerate(kinds)]
    output, letters = refuse(*failing), refuse(*letters_failing)

    unwary = processor(outage_minimum=0)
    answer = run(consumer(output, letters, of=unwary), batch)

    while answer["batchItemFailures"]:
        (failure,) = answer["batchItemFailures"]
        first = int(failure["itemIdentifier"][-6:])
        batch = batch[first:]
        healthy_output, healthy_letters = FakeDestination(), FakeDestination()
        answer = run(consumer(healthy_output, healthy_letters, of=unwary), batch)
        output.taken += healthy_output.taken
        letters.taken += healthy_letters.taken
    pages = {one["webpage"] for one in output.bodies()}
    raws = {one["raw"] for one in letters.bodies()}
    for number, kind in enumerate(kinds):
        if kind in {"good", "mixed"}:
            assert f"page{number}" in pages
        if kind in {"bad", "mixed"}:
            assert f"{BAD.decode()}{number}" in raws


def test_duplicates_can_be_told_by_their_id() -> None:
    output = FakeDestination()
    function = consumer(output, FakeDestination())
    run(function, [good(1) + b"\n" + good(1)])
    run(function, [good(1) + b"\n" + good(1)])

    ids = [one["event_id"] for one in output.bodies()]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_bodies_have_no_line_break() -> None:
    output = FakeDestination()
    run(consumer(output, FakeDestination()), [good(1) + b"\n"])
    assert not output.taken[0].body.endswith(b"\n")
    assert json.loads(output.taken[0].body)["webpage"] == "page1"


@pytest.mark.parametrize(
    "event",
    [{}, {"records": []}, {"Records": [{}]}, {"Records": [{"kinesis": {"data": ""}}]}],
)
def test_other_events_are_refused(event: dict[str, Any]) -> None:
    with pytest.raises(EventError, match="Kinesis"):
        consumer(FakeDestination(), FakeDestination()).run(event, Deadline(FakeContext()), Tally())
