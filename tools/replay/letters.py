"""Dead letters as `./build.sh replay` reads them, and the files that hold them.

Files may also be those that Firehose keeps of records that its function could not transform, and
those that Lambda writes of batches of a Kinesis stream that it gave up.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.shell import CommandError
from udfs.enrichment import EXHAUSTED
from udfs.errors import ValidationError
from udfs.letters import dead_letter, replay
from udfs.parse.unwrap import GZIP_MAGIC, Event, Failed, unwrap

FIREHOSE, LAMBDA = "firehose", "lambda"
"""Stages of a line that Firehose or Lambda kept: it was never taken apart, so it failed at none."""

_WHOLE_RECORDS = {
    "too_many_lines": "a record of too many lines (they have to be sent in smaller ones)",
}
# As much as the function can be set to unpack (weblog.lambda: gzip.maximum.bytes).
_MOST_UNPACKED = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter, or a line on its way back that was kept in a file.

    Attributes:
        stage: Where it failed; `replay` for a line that is on its way back, `firehose` for
            one that Firehose kept, `lambda` for one that Lambda gave up.
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
        """Returns why it can't be sent again, or None."""
        if self.reason == EXHAUSTED:
            return "given up after the last attempt"
        if self.raw is None:
            return "without the line (omitted for privacy)"
        if self.reason in _WHOLE_RECORDS:
            return _WHOLE_RECORDS[self.reason]
        if self.whole_bytes is not None:
            return "without the end of the line (cut by weblog.deadletters: max.bytes)"
        return None


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


def read_kept_record(text: str | bytes) -> list[Letter | None] | None:
    """Reads what a service keeps of records that a function failed on; None if it is neither.

    Firehose keeps an entry for each record below `processing-failed/`, Lambda an entry for a batch
    of a Kinesis stream below `aws/lambda/`. A record is there as it came, so it may hold several
    lines, what producers wrap around lines, and lines that come back in their envelope. One that
    can't be unwrapped is None in the list.
    """
    try:
        body = json.loads(text)
        match body:
            # The service writes lambdaARN, its documentation lambdaArn. What has neither is what a
            # function returned or a conversion refused.
            case {"rawData": raw, "errorCode": code} if body.keys() & {"lambdaARN", "lambdaArn"}:
                return _kept_lines(raw, FIREHOSE, code)
            # Only what Lambda writes to S3 has the event, by its documentation as a text.
            case {
                "KinesisBatchInfo": dict(),
                "requestContext": {"condition": condition},
                "payload": str() | dict() as payload,
            }:
                event = json.loads(payload) if isinstance(payload, str) else payload
                records = [record["kinesis"]["data"] for record in event["Records"]]
                return [line for data in records for line in _kept_lines(data, LAMBDA, condition)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None


def _kept_lines(encoded: object, stage: str, code: object) -> list[Letter | None]:
    try:
        contents = unwrap(_bytes_of(str(encoded), "base64"), _MOST_UNPACKED, objects=False)
    except ValueError:
        return [None]
    if any(isinstance(content, Failed) for content in contents):
        return [None]
    lines = [content.raw for content in contents if isinstance(content, Event)]
    return [_kept_line(line, stage, str(code)) for line in lines]


def _kept_line(line: bytes, stage: str, code: str) -> Letter:
    if line.startswith(replay.PREFIX):
        with suppress(ValidationError):
            inner, attempt = replay.read_envelope(line)
            return Letter(stage, code, inner, attempt)
    return Letter(stage, code, line, 1)


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


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Returns the files themselves, and in a folder every finished file.

    Raises:
        CommandError: A path does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            # Files that start with a dot are not finished.
            below = (file for file in path.rglob("*") if file.is_file())
            files += sorted(file for file in below if not _is_hidden(file, path))
        elif path.exists():
            files.append(path)
        else:
            raise CommandError(f"{path}: no such file or folder")
    return files


def read_files(files: Iterable[Path]) -> Iterator[Letter | None]:
    """Reads files of JSON lines, plain or gzip; None for each entry that is no dead letter.

    Raises:
        CommandError: A file cannot be read.
    """
    for path in files:
        try:
            with (
                path.open("rb") as file,
                # Not by its name: Firehose's names tell nothing certain.
                gzip.open(file)
                if file.peek(2).startswith(GZIP_MAGIC)
                else nullcontext(file) as lines,
            ):
                for line in filter(bytes.strip, lines):
                    letter = read_letter(line)
                    kept = read_kept_record(line) if letter is None else None
                    yield from [letter] if kept is None else kept
        except (OSError, EOFError, zlib.error) as error:
            raise CommandError(f"{path}: cannot be read: {error}") from error


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
