"""Puts log lines into a Kinesis stream at a steady rate, as a log agent would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from udfs.errors import WebLogError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

# Limits of one PutRecords call: 500 records, 5 MB with their keys.
_BATCH_RECORDS = 500
_BATCH_BYTES = 4_000_000
_BATCHES_A_SECOND = 10
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_ATTEMPTS = 10


class FeedError(WebLogError):
    """Records could not be put into the stream."""


class Feeder:
    """Puts lines into a stream; a client's lines share a partition key, so keep their order.

    Args:
        client: boto3's client of Kinesis.
        stream: Name of the stream.
        rate: Lines a second; 0 is as fast as it goes.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        client: KinesisClient,
        stream: str,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._stream = stream
        self._rate = rate
        self._stopped = threading.Event()
        self._clock = clock
        self.fed = 0
        """Lines that the stream has taken."""
        self.throttled = 0
        """Records that had to be put again."""

    def stop(self) -> None:
        """Ends feeding, from another thread."""
        self._stopped.set()

    def feed(self, lines: Iterable[bytes]) -> None:
        """Puts all lines, one a record, unless stopped.

        Raises:
            FeedError: The stream took a record in none of ten attempts.
        """
        size = _BATCH_RECORDS
        if self._rate:
            size = max(1, min(size, round(self._rate / _BATCHES_A_SECOND)))
        started = self._clock()
        for batch in _small_enough(batched(lines, size)):
            if self._rate:
                ahead = started + self.fed / self._rate - self._clock()
                self._stopped.wait(max(0.0, ahead))
            if self._stopped.is_set():
                return
            self._put([{"Data": line, "PartitionKey": partition_key(line)} for line in batch])
            self.fed += len(batch)

    def _put(self, records: list[PutRecordsRequestEntryTypeDef]) -> None:
        pause = _FIRST_PAUSE_S
        problem = ""
        for _ in range(_ATTEMPTS):
            try:
                answer = self._client.put_records(StreamName=self._stream, Records=records)
            except (ClientError, BotoCoreError) as error:
                raise FeedError(f"cannot put records into {self._stream}: {error}") from error
            if not answer["FailedRecordCount"]:
                return
            refused = [
                (record, result)
                for record, result in zip(records, answer["Records"], strict=True)
                if "ErrorCode" in result
            ]
            problem = refused[0][1].get("ErrorMessage", "")
            records = [record for record, _ in refused]
            self.throttled += len(records)
            if self._stopped.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        raise FeedError(
            f"stream {self._stream} refused {len(records)} records {_ATTEMPTS} times: {problem}"
        )


def partition_key(line: bytes) -> str:
    """What stands first in a line: its client, or whatever there is."""
    first, _, _ = line.partition(b" ")
    return first[:256].decode("ascii", "replace") or "-"


def _small_enough(batches: Iterable[Sequence[bytes]]) -> Iterator[Sequence[bytes]]:
    """Halves batches that are too large for one call."""
    for batch in batches:
        if len(batch) > 1 and sum(map(len, batch)) > _BATCH_BYTES:
            half = len(batch) // 2
            yield from _small_enough((batch[:half], batch[half:]))
        else:
            yield batch
