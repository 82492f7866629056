"""Dead letters as `./build.sh replay` reads them: from files, folders, or an SQS queue.

Files may also be those that Firehose keeps of records that its function could not transform.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any, Protocol

from aws.errors import explained
from lambda_app.payload import decompress
from udfs.enrichment import EXHAUSTED, KPL_AGGREGATED, TOO_MANY_LINES, lines_of
from udfs.errors import ValidationError, WebLogError
from udfs.letters import dead_letter, replay

FIREHOSE = "firehose"
"""Stage of a line that Firehose kept: it was never taken apart, so it failed at none."""

_WHOLE_RECORDS = {
    KPL_AGGREGATED: "aggregated by the KPL (its lines have to be sent one by one)",
    TOO_MANY_LINES: "a record of too many lines (they have to be sent in smaller ones)",
}
_GZIP_MAGIC = b"\x1f\x8b"
# As much as the function can be set to unpack (weblog.lambda: gzip.maximum.bytes).
_MOST_UNPACKED = 128 * 1024 * 1024
_RECEIVE_BATCH = 10
_HIDDEN_SECONDS = 600
"""How long received messages stay hidden from others; long enough for sending them."""


class LettersError(WebLogError):
    """Dead letters cannot be read."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter, or a line on its way back that was kept in a file.

    Attributes:
        stage: Where it failed; `replay` for a line that is on its way back, `firehose` for
            one that Firehose kept.
        reason: Why.
        raw: The line; None when the letter does not hold it.
        attempts: How often the line has been tried.
        is_masked: The line is not as it came.
        whole_bytes: Length of the line where the letter holds only its start.
        receipt: What the queue needs to forget the letter; empty for files.
    """

    stage: str
    reason: str
    raw: bytes | None
    attempts: int
    is_masked: bool = False
    whole_bytes: int | None = None
    receipt: str = ""

    @property
    def refusal(self) -> str | None:
        """Why it can't be sent again, or None."""
        if self.reason == EXHAUSTED:
            return "given up after the last attempt"
        if self.raw is None:
            return "without the line (omitted for privacy)"
        if self.reason in _WHOLE_RECORDS:
            return _WHOLE_RECORDS[self.reason]
        if self.raw.startswith(_GZIP_MAGIC):
            # What an envelope holds is taken for one line, and not unpacked.
            return "a compressed record (its lines have to be sent unpacked)"
        if self.whole_bytes is not None:
            return "without the end of the line (cut by weblog.deadletters: max.bytes)"
        return None


class Source(Protocol):
    """Where letters come from."""

    unreadable: int
    """Entries that are no dead letter; they stay where they are."""
    stopped: bool
    """Whether reading ended at a limit, so that letters may be left."""

    def letters(self) -> Iterator[Letter]:
        """Reads the letters."""

    def forget(self, letters: Sequence[Letter]) -> int:
        """Removes letters that were sent; returns how many could not be removed."""

    def release(self) -> None:
        """Gives back what was only looked at."""


def read_letter(text: str | bytes, receipt: str = "") -> Letter | None:
    """Reads one letter, or one envelope of a line on its way back; None if it is neither.

    The pipe of the job's stack carries a letter below the key `data`.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match body:
        case {"data": dict(carried)}:
            body = carried
    match body:
        case {
            "schema": dead_letter.SCHEMA,
            "stage": str(stage),
            "reason": str(reason),
            "raw": str() | None as raw,
            "raw_encoding": "utf-8" | "base64" | None as encoding,
            "attempts": int(attempts),
        } if attempts >= 1:
            try:
                line = None if raw is None else _bytes_of(raw, encoding)
            except ValueError:
                return None
            masked = body.get("raw_privacy") == "masked"
            whole = body.get("raw_bytes")
            return Letter(stage, reason, line, attempts, masked, whole, receipt)
        case {"schema": replay.SCHEMA}:
            return _from_envelope(text if isinstance(text, bytes) else text.encode(), receipt)
    return None


def read_kept_record(text: str | bytes) -> list[Letter] | None:
    """Reads what Firehose keeps below `processing-failed/`; None if it is something else.

    One entry is one record as it came, so it may hold several lines, gzip, and lines that
    come back in their envelope.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match body:
        # The service writes lambdaARN, its documentation lambdaArn. What has neither is what a
        # function returned or a conversion refused.
        case {"rawData": str(raw), "errorCode": code} if body.keys() & {"lambdaARN", "lambdaArn"}:
            try:
                data = decompress(_bytes_of(raw, "base64"), _MOST_UNPACKED)
            except (ValueError, ValidationError):
                return None
            return [_kept_line(line, str(code)) for line in lines_of(data)]
    return None


def _kept_line(line: bytes, code: str) -> Letter:
    if line.startswith(replay.PREFIX):
        with suppress(ValidationError):
            inner, attempt = replay.read_envelope(line)
            return Letter(FIREHOSE, code, inner, attempt)
    return Letter(FIREHOSE, code, line, 1)


def _from_envelope(data: bytes, receipt: str) -> Letter | None:
    try:
        line, attempt = replay.read_envelope(data)
    except ValidationError:
        return None
    # It has not been sent yet: the attempt it names is still to come.
    return Letter("replay", "not_sent_yet", line, attempt - 1, receipt=receipt)


def _bytes_of(raw: str, encoding: str | None) -> bytes:
    if encoding != "base64":
        return raw.encode()
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


class Files:
    """Files of JSON lines, plain or gzip, and folders of such files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Finds the files.

        Raises:
            LettersError: A path does not exist.
        """
        self.unreadable = 0
        self.stopped = False
        self._files: list[Path] = []
        for path in paths:
            if path.is_dir():
                # Files that start with a dot are not finished.
                found = (one for one in path.rglob("*") if one.is_file())
                self._files += sorted(one for one in found if not _is_hidden(one, path))
            elif path.exists():
                self._files.append(path)
            else:
                raise LettersError(f"{path}: no such file or folder")

    def letters(self) -> Iterator[Letter]:
        """Reads the letters.

        Raises:
            LettersError: A file cannot be read.
        """
        for path in self._files:
            try:
                with (
                    path.open("rb") as file,
                    # Not by its name: Firehose's names tell nothing certain.
                    gzip.open(file)
                    if file.peek(2).startswith(_GZIP_MAGIC)
                    else nullcontext(file) as lines,
                ):
                    for line in lines:
                        if not line.strip():
                            continue
                        letter = read_letter(line)
                        letters = read_kept_record(line) if letter is None else [letter]
                        if letters is None:
                            self.unreadable += 1
                        else:
                            yield from letters
            except (OSError, EOFError, zlib.error) as error:
                raise LettersError(f"{path}: cannot be read: {error}") from error

    def forget(self, letters: Sequence[Letter]) -> int:  # noqa: ARG002 - files stay as they are
        """Files are kept: they are somebody's output."""
        return 0

    def release(self) -> None:
        """Nothing was taken."""


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)


class Queue:
    """An SQS queue; what is read stays hidden from others until it is deleted or released."""

    def __init__(self, client: Any, url: str, limit: int) -> None:
        self.unreadable = 0
        self.stopped = False
        self._client = client
        self._url = url
        self._limit = limit
        self._taken: dict[str, None] = {}

    def letters(self) -> Iterator[Letter]:
        """Reads letters until the queue is empty or the limit is reached.

        Raises:
            DeployError: The queue cannot be read.
        """
        while len(self._taken) < self._limit:
            with explained(f"reading the queue {self._url}"):
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(_RECEIVE_BATCH, self._limit - len(self._taken)),
                    VisibilityTimeout=_HIDDEN_SECONDS,
                    WaitTimeSeconds=1,
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                receipt = message["ReceiptHandle"]
                self._taken[receipt] = None
                letter = read_letter(message["Body"], receipt)
                if letter is None:
                    self.unreadable += 1
                else:
                    yield letter
        self.stopped = True

    def forget(self, letters: Sequence[Letter]) -> int:
        """Deletes letters; returns how many could not be deleted.

        Raises:
            DeployError: The queue refuses.
        """
        failed = 0
        for batch in batched((one.receipt for one in letters), _RECEIVE_BATCH):
            with explained(f"deleting from the queue {self._url}"):
                answer = self._client.delete_message_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": receipt}
                        for index, receipt in enumerate(batch)
                    ],
                )
            kept = {int(one["Id"]) for one in answer.get("Failed", [])}
            failed += len(kept)
            for index, receipt in enumerate(batch):
                if index not in kept:
                    self._taken.pop(receipt, None)
        return failed

    def release(self) -> None:
        """Shows what was not deleted to others again, at once.

        Raises:
            DeployError: The queue refuses; the messages come back by themselves later.
        """
        for batch in batched(self._taken, _RECEIVE_BATCH):
            with explained(f"releasing messages of the queue {self._url}"):
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for index, receipt in enumerate(batch)
                    ],
                )
        self._taken.clear()
