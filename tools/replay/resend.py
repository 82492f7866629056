"""Where `./build.sh replay` sends lines: a file, a folder, a Kinesis or a Firehose stream."""

from __future__ import annotations

import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Protocol

from aws.arn import name_of
from aws.errors import explained
from udfs.errors import WebLogError

_MOST_RECORDS = 500
_KEY_BYTES = 16


class ResendError(WebLogError):
    """Lines cannot be sent."""


class Target(Protocol):
    """Where lines go."""

    def send(self, lines: Sequence[bytes]) -> set[int]:
        """Sends lines and returns the indexes of those that were taken for certain."""


class FileTarget:
    """A new file, at once complete or not there; in a folder it gets a name of its own."""

    def __init__(self, path: Path) -> None:
        """Chooses the file's name.

        Raises:
            ResendError: The file exists, or its folder does not.
        """
        if path.is_dir():
            path /= f"replay-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"
        if path.exists():
            raise ResendError(f"{path}: exists already, and is not overwritten")
        if not path.parent.is_dir():
            raise ResendError(f"{path.parent}: no such folder")
        self.path = path

    def send(self, lines: Sequence[bytes]) -> set[int]:
        """Writes the file.

        Raises:
            ResendError: It cannot be written; nothing of it is left.
        """
        # A job that watches the folder takes no file that starts with a dot.
        unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with unfinished.open("xb") as file:
                file.writelines(line + b"\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise ResendError(f"{self.path}: cannot be written: {error.strerror}") from error
        return set(range(len(lines)))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service takes; both services take 500 records a call.

    Attributes:
        call_bytes: Most bytes of a call.
        record_bytes: Most bytes of a record.
        key_bytes: Bytes of a record that are not its line.
    """

    call_bytes: int
    record_bytes: int
    key_bytes: int = 0


class StreamTarget(ABC):
    """A stream. What it does not take is tried again, ever more slowly."""

    limits: ClassVar[Limits]

    def __init__(
        self,
        client: Any,
        arn: str,
        *,
        attempts: int = 8,
        first_pause: float = 0.2,
        longest_pause: float = 10.0,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = client
        self._arn = arn
        self._attempts = attempts
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._sleep = sleep
        self._jitter = jitter

    def send(self, lines: Sequence[bytes]) -> set[int]:
        """Sends lines; those that are too large for a record are not taken.

        Raises:
            DeployError: The stream refuses the call as a whole; the error tells what was
                sent before only by what the caller got back, so callers send in batches.
        """
        taken: set[int] = set()
        for batch in batches(lines, self.limits):
            taken |= self._send(lines, batch)
        return taken

    def _send(self, lines: Sequence[bytes], batch: list[int]) -> set[int]:
        left = batch
        for attempt in range(self._attempts):
            if attempt:
                ceiling = min(self._longest_pause, self._first_pause * 2.0 ** (attempt - 1))
                self._sleep(self._jitter(0, ceiling))
            left = self._put(lines, left)
            if not left:
                break
        return set(batch) - set(left)

    def _put(self, lines: Sequence[bytes], batch: list[int]) -> list[int]:
        """Makes one call and returns what was not taken."""
        with explained(f"putting records into {self._arn}"):
            results = self._call([lines[index] for index in batch])
        return [
            index for index, result in zip(batch, results, strict=True) if "ErrorCode" in result
        ]

    @abstractmethod
    def _call(self, lines: Sequence[bytes]) -> Sequence[Any]:
        """Makes one call and returns the service's answer for each line."""


class KinesisTarget(StreamTarget):
    """A Kinesis stream."""

    limits = Limits(call_bytes=5 * 1024 * 1024, record_bytes=1024 * 1024, key_bytes=2 * _KEY_BYTES)

    def _call(self, lines: Sequence[bytes]) -> Sequence[Any]:
        answer = self._client.put_records(
            StreamARN=self._arn,
            Records=[{"Data": line, "PartitionKey": _key(line)} for line in lines],
        )
        results: Sequence[Any] = answer["Records"]
        return results


class FirehoseTarget(StreamTarget):
    """A Firehose stream that producers put records into, and whose function takes them apart."""

    limits = Limits(call_bytes=4 * 1024 * 1024, record_bytes=1000 * 1024)

    def _call(self, lines: Sequence[bytes]) -> Sequence[Any]:
        answer = self._client.put_record_batch(
            DeliveryStreamName=name_of(self._arn), Records=[{"Data": line} for line in lines]
        )
        results: Sequence[Any] = answer["RequestResponses"]
        return results


def batches(lines: Sequence[bytes], limits: Limits) -> Iterator[list[int]]:
    """Indexes of lines for one call each; lines that fit no record are left out."""
    batch: list[int] = []
    size = 0
    for index, line in enumerate(lines):
        length = len(line) + limits.key_bytes
        if length > limits.record_bytes:
            continue
        if batch and (len(batch) == _MOST_RECORDS or size + length > limits.call_bytes):
            yield batch
            batch, size = [], 0
        batch.append(index)
        size += length
    if batch:
        yield batch


def _key(line: bytes) -> str:
    return blake2b(line, digest_size=_KEY_BYTES).hexdigest()
