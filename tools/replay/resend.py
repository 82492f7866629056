"""Where `./build.sh replay` sends lines: a new file, a Kinesis or a Firehose stream."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from aws.arn import Arn
from aws.errors import explained
from aws.put import Delivery, Message
from tools.shell import CommandError

_KEY_BYTES = 16


class NewFile:
    """A new file, at once complete or not there; in a folder it gets a name of its own."""

    def __init__(self, path: Path) -> None:
        """Chooses the file's name.

        Raises:
            CommandError: The file exists, or its folder does not.
        """
        if path.is_dir():
            path /= f"replay-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"
        if path.exists():
            raise CommandError(f"{path}: exists already, and is not overwritten")
        if not path.parent.is_dir():
            raise CommandError(f"{path.parent}: no such folder")
        self.path = path

    def send(self, lines: Sequence[bytes]) -> set[int]:
        """Writes the file and returns the indexes of all lines.

        Raises:
            CommandError: It cannot be written; nothing of it is left.
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
            raise CommandError(f"{self.path}: cannot be written: {error.strerror}") from error
        return set(range(len(lines)))


class Stream:
    """A Kinesis stream, or a Firehose stream that producers put records into.

    Args:
        arn: Its ARN.
        delivery: Puts messages into it.
    """

    def __init__(self, arn: Arn, delivery: Delivery) -> None:
        self._arn = arn
        self._delivery = delivery

    def send(self, lines: Sequence[bytes]) -> set[int]:
        """Puts each line as a record and returns the indexes of those that were taken.

        Raises:
            AwsError: The stream refuses a call as a whole. What it took before is not known
                then, so callers send in batches.
        """
        receipt = self._delivery.send(
            Message(line, index, blake2b(line, digest_size=_KEY_BYTES).hexdigest())
            for index, line in enumerate(lines)
        )
        if receipt.error is not None:
            with explained(f"putting records into {self._arn.text}"):
                raise receipt.error
        return set(range(len(lines))) - receipt.failed
