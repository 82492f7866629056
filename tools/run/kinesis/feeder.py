"""Puts log lines into a Kinesis stream at a steady rate, as a log agent would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from aws.arn import read_arn
from aws.destinations import AwsDestination
from aws.errors import explained
from aws.put import Delivery, Message
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

_ATTEMPTS = 10
_BATCHES_A_SECOND = 10


class Feeder:
    """Puts lines into a stream; a client's lines share a partition key, so keep their order.

    Args:
        client: Client of Kinesis by boto3, without retries of its own.
        arn: ARN of the stream.
        rate: Lines a second; 0 is as fast as it goes.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        client: KinesisClient,
        arn: str,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._arn = read_arn(arn, "kinesis")
        self._rate = rate
        self._stopped = threading.Event()
        self._clock = clock
        destination = AwsDestination(self._arn, client)
        self._delivery = Delivery(destination, _ATTEMPTS, sleep=self._stopped.wait)
        self.fed = 0
        """Returns the lines that the stream has taken."""
        self.throttled = 0
        """Records that had to be put again."""

    def stop(self) -> None:
        """Ends feeding, from another thread."""
        self._stopped.set()

    def feed(self, lines: Iterable[bytes]) -> None:
        """Puts all lines, one a record, unless stopped.

        Raises:
            CommandError: The stream took a record in none of ten attempts.
            AwsError: It refuses the call.
        """
        size = self._delivery.destination.limits.messages
        if self._rate:
            size = max(1, min(size, round(self._rate / _BATCHES_A_SECOND)))
        started = self._clock()
        for batch in batched(lines, size):
            if self._rate:
                ahead = started + self.fed / self._rate - self._clock()
                self._stopped.wait(max(0.0, ahead))
            if self._stopped.is_set():
                return
            self._put([Message(line, 0, partition_key(line)) for line in batch])

    def _put(self, messages: Sequence[Message]) -> None:
        receipt = self._delivery.send(messages, lambda _: not self._stopped.is_set())
        self.throttled += receipt.resent
        self.fed += len(messages) - receipt.problems.total()
        if receipt.error is not None:
            with explained(f"putting records into {self._arn.text}"):
                raise receipt.error
        if receipt.failed and not self._stopped.is_set():
            codes = ", ".join(receipt.problems)
            raise CommandError(
                f"{self._arn.text} did not take {receipt.problems.total()} records: {codes}"
            )


def partition_key(line: bytes) -> str:
    """Returns what stands first in a line: its client, or whatever there is."""
    first, _, _ = line.partition(b" ")
    return first[:256].decode("ascii", "replace") or "-"
