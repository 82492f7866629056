"""Where `./build.sh replay` sends lines: a file, a folder, or a Kinesis stream."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from flink_app.ops.aws_errors import explained
from udfs.errors import WebLogError

_MOST_RECORDS = 500
_MOST_BYTES = 5 * 1024 * 1024
_LARGEST_RECORD = 1024 * 1024
_KEY_BYTES = 16


class ResendError(WebLogError):
    """Lines cannot be sent."""


class Target(Protocol):
    """Where lines go."""

    def send(self, lines: Sequence[bytes]) -> set[int]:
        """Sends lines and returns the indexes of those that were taken for certain."""


class FileTarget:
    """A new file, at once complete or not there; in a folder it gets a name of its own."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Chooses the file's name.

        Raises:
            ResendError: The file exists, or its folder does not.
        """
        if path.is_dir():
            name = datetime.fromtimestamp(now(), UTC).strftime("replay-%Y%m%dT%H%M%S.%fZ.jsonl")
            path /= name
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
            unfinished.unlink(missing_ok=True)
            raise ResendError(f"{self.path}: cannot be written: {error.strerror}") from error
        return set(range(len(lines)))


class StreamTarget:
    """A Kinesis stream. What it does not take is tried again, ever more slowly."""

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
        for batch in batches(lines):
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
            answer = self._client.put_records(
                StreamARN=self._arn,
                Records=[
                    {"Data": lines[index], "PartitionKey": _key(lines[index])} for index in batch
                ],
            )
        if not answer["FailedRecordCount"]:
            return []
        return [
            index
            for index, result in zip(batch, answer["Records"], strict=True)
            if "ErrorCode" in result
        ]


def batches(lines: Sequence[bytes]) -> Iterator[list[int]]:
    """Indexes of lines for one call each; lines that fit no record are left out."""
    batch: list[int] = []
    size = 0
    for index, line in enumerate(lines):
        length = len(line) + 2 * _KEY_BYTES
        if length > _LARGEST_RECORD:
            continue
        if batch and (len(batch) == _MOST_RECORDS or size + length > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(index)
        size += length
    if batch:
        yield batch


def _key(line: bytes) -> str:
    return blake2b(line, digest_size=_KEY_BYTES).hexdigest()
