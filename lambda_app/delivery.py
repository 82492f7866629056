"""Sends messages in batches, and what a service did not take once more, while time lasts.

A message that could not be sent is reported by the record it belongs to; it is never dropped.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lambda_app.deadline import Deadline
from lambda_app.errors import RefusedError
from udfs.errors import TransientError

CALL_SECONDS = 5.0
"""Time that must be left to begin a call: its connect and read timeouts (targets.py) and one
second to answer."""
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        body: UTF-8 text.
        owner: Index of the record of the event that it belongs to.
        key: Partition key, where the target has one.
    """

    body: bytes
    owner: int
    key: str = ""

    @property
    def size(self) -> int:
        """Bytes that count towards the limits of a service."""
        return len(self.body) + len(self.key.encode())


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that a service takes in one call and in one message."""

    messages: int
    total_bytes: int
    message_bytes: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A message of a batch that the service did not take.

    Attributes:
        index: Position in the batch.
        code: The service's error code.
        permanent: The same message would be rejected again.
    """

    index: int
    code: str
    permanent: bool = False


class Target(Protocol):
    """A service that takes batches."""

    @property
    def limits(self) -> Limits:
        """Limits of one call."""

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Makes one call.

        Raises:
            TransientError: The call as a whole failed and may succeed later.
            RefusedError: The call as a whole failed for good.
        """


@dataclass(slots=True)
class Receipt:
    """What became of messages.

    Attributes:
        failed: Records with a message that was not sent.
        problems: Messages not sent, by error code.
        retries: Calls made again.
    """

    failed: set[int] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)
    retries: int = 0

    def fail(self, messages: Iterable[Message], code: str) -> None:
        """Notes messages that were not sent."""
        for message in messages:
            self.failed.add(message.owner)
            self.problems[code] += 1


class _GiveUpError(Exception):
    """Nothing more is sent in this invocation; holds the reason's code."""


class Delivery:
    """Sends messages to one target.

    Args:
        target: Where to.
        attempts: How often a message is tried.
        ordered: Send nothing after a message that failed. Else the others still go.
        sleep: Waits so many seconds.
        jitter: Random number between two others.
    """

    def __init__(
        self,
        target: Target,
        attempts: int,
        *,
        ordered: bool = False,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._target = target
        self._attempts = attempts
        self._ordered = ordered
        self._sleep = sleep
        self._jitter = jitter

    def send(self, messages: Sequence[Message], deadline: Deadline) -> Receipt:
        """Sends messages in their order and tells which were not taken."""
        receipt = Receipt()
        give_up: str | None = None
        for batch in _batches(messages, self._target.limits):
            if give_up is not None:
                receipt.fail(batch, give_up)
                continue
            try:
                self._send(batch, deadline, receipt)
            except _GiveUpError as error:
                give_up = str(error)
            if self._ordered and receipt.failed:
                give_up = give_up or "not_reached"
        return receipt

    def _send(self, batch: list[Message], deadline: Deadline, receipt: Receipt) -> None:
        limit = self._target.limits.message_bytes
        if batch[0].size > limit:  # _batches() leaves such a message alone.
            receipt.fail(batch, "message_too_large")
            return
        problem, whole_call = "", False
        for attempt in range(self._attempts):
            if not self._may_try(attempt, deadline):
                receipt.fail(batch, "out_of_time")
                raise _GiveUpError("out_of_time")
            receipt.retries += attempt > 0
            try:
                rejections = self._target.put(batch)
            except TransientError as error:
                problem, whole_call = error.reason, True
                continue
            except RefusedError as error:
                receipt.fail(batch, error.reason)
                raise _GiveUpError(error.reason) from None
            for one in rejections:
                if one.permanent:
                    receipt.fail([batch[one.index]], one.code)
            left = [one for one in rejections if not one.permanent]
            if not left:
                return
            problem, whole_call = left[0].code, False
            batch = [batch[one.index] for one in left]
        receipt.fail(batch, problem)
        if whole_call:  # The service is down: the next batch would only cost as long again.
            raise _GiveUpError(problem)

    def _may_try(self, attempt: int, deadline: Deadline) -> bool:
        if attempt == 0:
            return deadline.allows(CALL_SECONDS)
        # Full jitter: functions that failed together do not come back together.
        ceiling = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
        pause = self._jitter(0, ceiling)
        if not deadline.allows(pause + CALL_SECONDS):
            return False
        self._sleep(pause)
        return True


def _batches(messages: Iterable[Message], limits: Limits) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        too_large = message.size > limits.message_bytes
        full = len(batch) == limits.messages or size + message.size > limits.total_bytes
        if batch and (too_large or full):
            yield batch
            batch, size = [], 0
        if too_large:  # It goes nowhere and must not take others along.
            yield [message]
            continue
        batch.append(message)
        size += message.size
    if batch:
        yield batch
