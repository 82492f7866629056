"""`./build.sh replay`: shows dead letters, and sends repaired ones back to the input.

Usage: ./build.sh replay SOURCE... [--only REASON]... [--replace OLD NEW]... [--send TARGET]

SOURCE is a file of dead letters (JSON lines, plain or gzip), a folder of such files, or the
URL of an SQS queue. It may also be files of records that the function failed on: Firehose keeps
them below processing-failed/, Lambda keeps batches of a Kinesis stream below aws/lambda/. Without
--send the command counts the letters by stage and reason, shows a few, and changes nothing.

TARGET is a new file, a folder that a job reads, or the ARN of a Kinesis stream, or of a Firehose
stream that takes records directly (not from a Kinesis stream) and has its function transform them.
Lines go back in an envelope that counts their attempts. A line that has failed too often
(weblog.deadletters: max.attempts) is not sent again.

To correct lines by hand, send them to a file, edit the raw values in it, and send that file.
A letter is deleted from a queue once its line was taken. The command takes at most --limit letters
of a queue, including those that --only leaves out, and says when it stopped there.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aws.arn import read_arn, stream_arn
from aws.destinations import AwsDestination, make_client
from aws.errors import AwsError, explained
from aws.put import Delivery
from tools.options import endpoint_option, read_option
from tools.replay.letters import Letter, files_of, read_files
from tools.replay.queue import Queue
from tools.replay.resend import NewFile, Stream
from tools.shell import EXIT_FAILED, CommandError, print_error, printable
from udfs.config.properties import Parser
from udfs.errors import ConfigurationError
from udfs.letters.replay import envelope

_SHOWN_CHARACTERS = 160
_BATCH = 500
_ATTEMPTS = 10


def run(options: argparse.Namespace) -> int:
    """Shows the letters, and sends their lines with --send.

    Returns:
        0; 1 when something was not taken or --send ended at the limit, with the reason on
        standard error.
    """
    queue = _queue(options)
    files = [] if queue is not None else files_of(map(Path, options.source))
    # Made before anything is read: a wrong destination is an error at once.
    destination = None if options.send is None else _destination(options)
    try:
        letters = _sort(read_files(files) if queue is None else queue.read(), options)
        _show(letters, options.samples)
        status = 0 if destination is None else _send(letters.to_send, queue, destination)
        if queue is None or not queue.stopped:
            return status
        stopped = f"stopped at --limit {options.limit}: more may wait"
        if destination is None:
            print(stopped)
            return status
        print_error(stopped)
        return EXIT_FAILED
    finally:
        if queue is not None:
            # An earlier error is worth more than this one: the queue gives them back anyway.
            with suppress(AwsError):
                queue.release()


# --- choosing and repairing ------------------------------------------------------------


@dataclass(slots=True)
class _SortedLetters:
    """Letters by what is to become of them."""

    by_reason: dict[tuple[str, str], list[Letter]] = field(default_factory=dict)
    to_send: list[Letter] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    unreadable: int = 0


def _sort(letters: Iterable[Letter | None], options: argparse.Namespace) -> _SortedLetters:
    result = _SortedLetters()
    replacements = _replacements(options)
    for letter in letters:
        if letter is None:
            result.unreadable += 1
            continue
        if options.only and not {letter.reason, f"{letter.stage}/{letter.reason}"} & {
            *options.only
        }:
            continue
        result.by_reason.setdefault((letter.stage, letter.reason), []).append(letter)
        refusal = letter.refusal
        if refusal is None and letter.is_masked and not options.masked:
            refusal = "masked (--masked sends them as they are)"
        if refusal is not None:
            result.refused[refusal] += 1
            continue
        repaired = _repaired(letter, replacements)
        if replacements and repaired is letter:
            result.unchanged += 1
        else:
            result.to_send.append(repaired)
    return result


def _sought(text: str) -> bytes:
    if not text:  # Found between any two bytes.
        raise ValueError
    # What the shell could not decode are bytes to look for, as in a line that is no UTF-8.
    return os.fsencode(text)


def _replacement(text: str) -> bytes:
    new = text.encode()  # UnicodeEncodeError is a ValueError.
    if b"\n" in new or b"\r" in new:
        raise ValueError
    return new


_OLD = Parser(_sought, "text to look for, not nothing")
_NEW = Parser(_replacement, "a replacement in UTF-8, without a line break")


def _replacements(options: argparse.Namespace) -> list[tuple[bytes, bytes]]:
    """Returns what each `--replace` looks for and what it puts there.

    Raises:
        ConfigurationError: A line would become something else than a repaired line.
    """
    return [
        (read_option("--replace", old, _OLD), read_option("--replace", new, _NEW))
        for old, new in options.replace
    ]


def _repaired(letter: Letter, replacements: Sequence[tuple[bytes, bytes]]) -> Letter:
    raw = letter.raw
    if raw is None:
        return letter
    for old, new in replacements:
        raw = raw.replace(old, new)
    return letter if raw == letter.raw else replace(letter, raw=raw)


# --- showing and sending ---------------------------------------------------------------


def _show(letters: _SortedLetters, samples: int) -> None:
    groups = sorted(letters.by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    total = sum(len(group) for _, group in groups)
    print(f"{total:,} dead letters")
    for (stage, reason), group in groups:
        attempts = sorted({letter.attempts for letter in group})
        span = str(attempts[0]) if len(attempts) == 1 else f"{attempts[0]} to {attempts[-1]}"
        name = printable(f"{stage}/{reason}")
        print(f"{len(group):>10,}  {name}  (tried {span} times)")
        for letter in group[:samples]:
            print(f"{'':>12}{_sample(letter)}")
    if letters.unchanged:
        print(f"{letters.unchanged:>10,}  not changed by --replace, so not to be sent")
    for reason, count in sorted(letters.refused.items()):
        print(f"{count:>10,}  not to be sent: {reason}")
    if letters.unreadable:
        print(f"{letters.unreadable:>10,}  entries that are no dead letter, left alone")


def _sample(letter: Letter) -> str:
    if letter.raw is None:
        return "(no line)"
    text = printable(letter.raw[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace"))
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _send(letters: Sequence[Letter], queue: Queue | None, destination: NewFile | Stream) -> int:
    if not letters:
        print("nothing to send")
        return 0
    sent = kept = 0
    # A file is one piece. A stream gets batches, so that what it took is known when a later call
    # fails.
    step = len(letters) if isinstance(destination, NewFile) else _BATCH
    try:
        for start in range(0, len(letters), step):
            batch = letters[start : start + step]
            taken = destination.send([_envelope(letter) for letter in batch])
            sent += len(taken)
            if queue is not None:
                kept += queue.forget([batch[index] for index in sorted(taken)])
    finally:
        where = f" to {destination.path}" if isinstance(destination, NewFile) else ""
        print(f"{sent:,} of {len(letters):,} sent{printable(where)}")
    if kept:
        print_error(f"{kept:,} sent letters could not be deleted")
    if sent < len(letters):
        print_error(f"{len(letters) - sent:,} lines were not taken")
    return EXIT_FAILED if kept or sent < len(letters) else 0


def _envelope(letter: Letter) -> bytes:
    if letter.raw is None:
        raise CommandError("a letter without its line cannot be sent")
    return envelope(letter.raw, letter.attempts + 1)


# --- the command line ------------------------------------------------------------------


def _queue(options: argparse.Namespace) -> Queue | None:
    urls = [source for source in options.source if source.startswith(("https://", "http://"))]
    if not urls:
        return None
    if len(options.source) > 1:
        raise CommandError("give one queue, or files and folders")
    region = options.region or _region_of_queue(urls[0])
    return Queue(_client("sqs", region, options.endpoint, attempts=6), urls[0], options.limit)


def _region_of_queue(url: str) -> str | None:
    """Returns the region in a URL such as https://sqs.eu-west-1.amazonaws.com/123456789012/name."""
    labels = (urlsplit(url).hostname or "").split(".")
    return labels[1] if labels[0] == "sqs" and len(labels) > 3 else None


def _destination(options: argparse.Namespace) -> NewFile | Stream:
    if not options.send.startswith("arn:"):
        file = NewFile(Path(options.send))
        _check_outside(file.path, map(Path, options.source))
        return file
    service = "firehose" if ":firehose:" in options.send else "kinesis"
    parser = Parser(lambda text: read_arn(text, service), stream_arn(service).expectation)
    arn = read_option("--send", options.send, parser)
    client = _client(service, arn.region, options.endpoint, attempts=1)
    return Stream(arn, Delivery(AwsDestination(arn, client), _ATTEMPTS))


def _check_outside(destination: Path, sources: Iterable[Path]) -> None:
    """Refuses a file that the next replay of the same sources would read as dead letters.

    Raises:
        ConfigurationError: It would lie in one of them.
    """
    for source in sources:
        if destination.resolve().is_relative_to(source.resolve()):
            expected = f"a place outside of {source}, whose files are read as dead letters"
            raise ConfigurationError("--send", None, str(destination), expected)


def _client(service: str, region: str | None, endpoint: str | None, *, attempts: int) -> Any:
    with explained(f"connecting to {service}"):
        return make_client(
            service,
            region,
            endpoint=endpoint_option(endpoint),
            connect_seconds=10,
            read_seconds=60,
            attempts=attempts,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("source", nargs="+", metavar="SOURCE")
    parser.add_argument("--send", metavar="TARGET", help="send lines to a file, folder or stream")
    parser.add_argument(
        "--only", action="append", default=[], metavar="REASON", help="reason, or stage/reason"
    )
    parser.add_argument(
        "--replace",
        action="append",
        nargs=2,
        default=[],
        metavar=("OLD", "NEW"),
        help="repair lines; only those that change are sent",
    )
    parser.add_argument(
        "--masked", action="store_true", help="also send lines with masked personal data"
    )
    parser.add_argument(
        "--samples", metavar="N", type=_at_least_0, default=3, help="lines shown per reason"
    )
    parser.add_argument(
        "--limit", metavar="N", type=_at_least_0, default=10_000, help="most letters of a queue"
    )
    parser.add_argument(
        "--endpoint", metavar="URL", help="another endpoint than AWS's, for an emulator"
    )
    parser.add_argument("--region", metavar="NAME", help="region of the queue")


def _at_least_0(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)
