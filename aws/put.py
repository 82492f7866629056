"""Puts messages into a service in batches, and those that it refused again, while time lasts.

A message that was not delivered is reported by its owner; it is never dropped.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from udfs.errors import WebLogError

CALL_SECONDS = 5.0
"""Time that must be left to begin a call: the timeouts of a function's client (`make_client`), and
a second to answer the event."""
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0

type HasTime = Callable[[float], bool]
"""Whether so many seconds are left."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        body: UTF-8 text.
        owner: The caller's number of what the message belongs to; messages may share it.
        key: Partition key, where the destination has one.
    """

    body: bytes
    owner: int
    key: str = ""

    @property
    def size(self) -> int:
        """Returns the bytes that count towards the limits of a service."""
        return len(self.body) + len(self.key.encode())


@dataclass(frozen=True, slots=True)
class CallLimits:
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


class CallError(WebLogError):
    """A call failed as a whole; the cause is the AWS client's error, whose text may hold data.

    Attributes:
        code: The service's error code, or the type of the client's error.
        passing: The same call may succeed later.
    """

    def __init__(self, code: str, *, passing: bool) -> None:
        self.code = code
        self.passing = passing
        super().__init__(code)


class Destination(Protocol):
    """A service that takes batches."""

    @property
    def limits(self) -> CallLimits:
        """Returns the limits of one call."""

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Makes one call.

        Raises:
            CallError: The call failed as a whole.
        """


@dataclass(slots=True)
class Receipt:
    """The result of putting messages.

    Attributes:
        failed: Owners of a message that was not delivered.
        problems: Messages that were not delivered, by error code.
        retries: Calls made again.
        resent: Messages in those calls.
        error: The failure of a call after which no more were made.
    """

    failed: set[int] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    resent: int = 0
    error: CallError | None = None

    def fail(self, messages: Iterable[Message], code: str) -> None:
        """Notes messages that were not delivered."""
        for message in messages:
            self.failed.add(message.owner)
            self.problems[code] += 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """Puts messages into one destination.

    Attributes:
        destination: Where to.
        attempts: How often a message is tried.
        ordered: Put nothing after a message that failed. Else the others still go.
        sleep: Waits so many seconds.
        jitter: Random number between two others.
    """

    destination: Destination
    attempts: int
    ordered: bool = False
    sleep: Callable[[float], object] = time.sleep
    jitter: Callable[[float, float], float] = random.uniform

    def send(self, messages: Iterable[Message], has_time: HasTime = lambda _: True) -> Receipt:
        """Puts messages in their order."""
        receipt = Receipt()
        end: str | None = None
        for batch in _batches(messages, self.destination.limits):
            if end is None:
                end = self._send(batch, has_time, receipt)
            else:
                receipt.fail(batch, end)
            if self.ordered and receipt.failed:
                end = end or "not_reached"
        return receipt

    def _send(self, batch: list[Message], has_time: HasTime, receipt: Receipt) -> str | None:
        """Puts one batch and returns why no other should follow, or None."""
        if batch[0].size > self.destination.limits.message_bytes:  # _batches() leaves it by itself.
            receipt.fail(batch, "message_too_large")
            return None
        code, error = "", None
        for attempt in range(self.attempts):
            if not self._may_try(attempt, has_time):
                receipt.fail(batch, "out_of_time")
                return "out_of_time"
            if attempt:
                receipt.retries += 1
                receipt.resent += len(batch)
            try:
                rejections, error = self.destination.put(batch), None
            except CallError as failure:
                code, error = failure.code, failure
                if failure.passing:
                    continue
                break
            for rejection in rejections:
                if rejection.permanent:
                    receipt.fail([batch[rejection.index]], rejection.code)
            left = [rejection for rejection in rejections if not rejection.permanent]
            if not left:
                return None
            code = left[0].code
            batch = [batch[rejection.index] for rejection in left]
        receipt.fail(batch, code)
        receipt.error = error
        # A call that failed as a whole would fail again, or cost as long again.
        return None if error is None else code

    def _may_try(self, attempt: int, has_time: HasTime) -> bool:
        if attempt == 0:
            return has_time(CALL_SECONDS)
        # Full jitter: senders that failed together do not come back together.
        ceiling = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
        pause = self.jitter(0, ceiling)
        if not has_time(pause + CALL_SECONDS):
            return False
        self.sleep(pause)
        return True


def _batches(messages: Iterable[Message], limits: CallLimits) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        too_large = message.size > limits.message_bytes
        full = len(batch) == limits.messages or size + message.size > limits.total_bytes
        if batch and (too_large or full):
            yield batch
            batch, size = [], 0
        if too_large:  # No service takes it, and it must not take others along.
            yield [message]
            continue
        batch.append(message)
        size += message.size
    if batch:
        yield batch
