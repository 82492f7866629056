from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws.put import CALL_SECONDS, CallError, CallLimits, Delivery, Message, Rejection
from lambda_app.deadline import Deadline
from tests.support.functions import FakeContext, FakeDestination, delivery


def messages(count: int) -> list[Message]:
    return [Message(f"m{number}".encode(), number) for number in range(count)]


def busy(call: int, batch: Sequence[Message]) -> list[Rejection]:
    raise CallError("ThrottlingException", passing=True)


def test_batches_keep_within_the_number_of_messages() -> None:
    destination = FakeDestination()

    receipt = delivery(destination).send(messages(25))

    assert [len(batch) for batch in destination.calls] == [10, 10, 5]
    assert destination.taken == messages(25)
    assert not receipt.failed


def test_nothing_to_send_makes_no_call() -> None:
    destination = FakeDestination()
    delivery(destination).send([])
    assert destination.calls == []


@given(
    sizes=st.lists(st.integers(1, 12), max_size=40),
    count=st.integers(1, 5),
    total=st.integers(10, 30),
)
def test_batches_keep_within_all_limits(sizes: list[int], count: int, total: int) -> None:
    destination = FakeDestination(
        limits=CallLimits(messages=count, total_bytes=total, message_bytes=10)
    )
    given_messages = [Message(b"x" * size, owner) for owner, size in enumerate(sizes)]

    receipt = delivery(destination).send(given_messages)

    for batch in destination.calls:
        assert 0 < len(batch) <= count
        assert sum(one.size for one in batch) <= total
    assert destination.taken == [one for one in given_messages if one.size <= 10]
    assert receipt.failed == {one.owner for one in given_messages if one.size > 10}
    assert receipt.problems["message_too_large"] == len(receipt.failed)


def test_keys_count_towards_the_size() -> None:
    assert Message("aä".encode(), 0, "ä").size == 5


def test_only_what_was_not_taken_is_sent_again() -> None:
    def refuse_odd_ones_twice(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return [
            Rejection(index, "InternalError")
            for index, one in enumerate(batch)
            if call < 2 and one.owner % 2
        ]

    destination = FakeDestination(refuse_odd_ones_twice)

    receipt = delivery(destination).send(messages(6))

    assert [[one.owner for one in batch] for batch in destination.calls] == [
        [0, 1, 2, 3, 4, 5],
        [1, 3, 5],
        [1, 3, 5],
    ]
    assert not receipt.failed
    assert (receipt.retries, receipt.resent) == (2, 6)


def test_only_the_message_that_stays_refused_fails() -> None:
    def refuse_three(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return [Rejection(i, "InternalError") for i, one in enumerate(batch) if one.owner == 3]

    destination = FakeDestination(refuse_three)

    receipt = delivery(destination, attempts=4).send(messages(15))

    assert receipt.failed == {3}
    assert receipt.problems == {"InternalError": 1}
    assert len(destination.calls) == 5
    assert len(destination.taken) == 14


def test_a_permanent_refusal_is_not_tried_again() -> None:
    def refuse_first(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return [Rejection(0, "InvalidMessageContents", permanent=True)] if call == 0 else []

    destination = FakeDestination(refuse_first)

    receipt = delivery(destination).send(messages(3))

    assert len(destination.calls) == 1
    assert receipt.failed == {0}


def test_a_call_that_fails_is_made_again() -> None:
    def fail_twice(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return busy(call, batch) if call < 2 else []

    destination = FakeDestination(fail_twice)

    receipt = delivery(destination).send(messages(3))

    assert len(destination.calls) == 3
    assert not receipt.failed


def test_when_the_service_is_down_the_other_batches_do_not_wait_too() -> None:
    destination = FakeDestination(busy)

    receipt = delivery(destination, attempts=3).send(messages(100))

    assert len(destination.calls) == 3
    assert receipt.failed == set(range(100))
    assert receipt.problems == {"ThrottlingException": 100}


def test_a_refused_call_is_not_made_again() -> None:
    def deny(call: int, batch: Sequence[Message]) -> list[Rejection]:
        raise CallError("AccessDenied", passing=False)

    destination = FakeDestination(deny)

    receipt = delivery(destination).send(messages(30))

    assert len(destination.calls) == 1
    assert receipt.problems == {"AccessDenied": 30}
    assert receipt.error is not None
    assert receipt.error.code == "AccessDenied"


def test_in_order_nothing_goes_after_a_failure() -> None:
    def refuse_twelve(call: int, batch: Sequence[Message]) -> list[Rejection]:
        return [Rejection(i, "InternalError") for i, one in enumerate(batch) if one.owner == 12]

    destination = FakeDestination(refuse_twelve)

    receipt = delivery(destination, ordered=True).send(messages(40))

    assert receipt.failed == {12, *range(20, 40)}
    assert max(one.owner for one in destination.taken) == 19


def pauses(attempts: int, jitter: Callable[[float, float], float], seconds: float) -> list[float]:
    taken: list[float] = []
    context = FakeContext(seconds)

    def sleep(pause: float) -> None:
        taken.append(pause)
        context.sleep(pause)

    Delivery(FakeDestination(busy), attempts, sleep=sleep, jitter=jitter).send(
        messages(1), Deadline(context).allows
    )
    return taken


def test_pauses_double_up_to_a_cap() -> None:
    assert pauses(9, max, 300) == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_pauses_are_drawn_from_zero_to_the_ceiling() -> None:
    asked: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        asked.append((low, high))
        return high / 4

    assert pauses(4, jitter, 300) == pytest.approx([0.025, 0.05, 0.1])
    assert [low for low, _ in asked] == [0, 0, 0]


def test_no_call_is_begun_that_could_outlast_the_invocation() -> None:
    context = FakeContext(CALL_SECONDS)
    destination = FakeDestination()

    receipt = delivery(destination, context).send(messages(12), Deadline(context).allows)

    assert destination.calls == []
    assert receipt.problems == {"out_of_time": 12}


def test_retries_end_before_the_time_does() -> None:
    context = FakeContext(7)
    destination = FakeDestination(busy)

    receipt = delivery(destination, context, attempts=20).send(
        messages(1), Deadline(context).allows
    )

    # 0.1 + 0.2 + 0.4 + 0.8 of the two seconds that are to spare; 1.6 more would not fit.
    assert len(destination.calls) == 5
    assert context.left >= CALL_SECONDS
    assert receipt.problems == {"out_of_time": 1}
