"""Gathers the user's log files into the one file that the job reads.

Flink's file source hands out files, and blocks of large files, in no promised order.
Out of order by hours means late, so a replay needs one ordered file that Flink does not
split: a gzip file is such a one. Writing it also tells the number of lines, against
which the run is checked, and finds an unreadable file before anything has started.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from tools.local.results import writing
from tools.shell import CommandError
from udfs.parse.detect import Detection, detect, first_time
from udfs.parse.unwrap import BYTE_ORDER_MARK, unwrap

STANDARD_INPUT = "-"
_CHUNK_BYTES = 1 << 20
# What is read by its first bytes, not by its name: rotated logs carry all sorts of names.
_COMPRESSED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_UNREADABLE = {
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first (zstd -d)",
    b"PK\x03\x04": "a zip archive: unpack it first (unzip)",
    b"\xff\xfe": "UTF-16 text: make it UTF-8 first (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16 text: make it UTF-8 first (iconv -f UTF-16 -t UTF-8)",
}
# How far into a file to look for a line with a readable time.
_LINES_LOOKED_AT = 100
_SHOWN_BYTES = 200


@dataclass(frozen=True, slots=True)
class StagedInput:
    """The job's input.

    Attributes:
        path: A gzip file of all lines, oldest file first.
        lines: Lines in it.
        uncompressed_bytes: Their size.
        sources: The files they came from, in the order used.
    """

    path: Path
    lines: int
    uncompressed_bytes: int
    sources: tuple[str, ...]


def stage(inputs: Sequence[str], directory: Path) -> StagedInput:
    """Writes all lines of the inputs to one file in `directory`.

    Args:
        inputs: Files, folders (every file directly in them) or `-` for standard input;
            plain or gzip.
        directory: Where to write; made if missing.

    Raises:
        CommandError: An input is missing, unreadable or a broken compressed file, or another
            file has its name by now.
        CommandError: `directory` cannot be written.
    """
    files = _files(inputs)
    listed = {file: _status(file) for file in files}
    sources = _in_order_of_time(files)
    target = directory / "access_log.gz"
    lines = size = 0
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        # Level 1: the file is read once and thrown away.
        with gzip.open(target, "wb", compresslevel=1) as output:
            for source in sources:
                for chunk in _chunks(source, listed[source]):
                    output.write(chunk)
                    lines += chunk.count(b"\n")
                    size += len(chunk)
    return StagedInput(target, lines, size, tuple(sources))


def detected_format(staged: StagedInput) -> Detection:
    """Returns the format that the first lines of the input are in.

    Raises:
        CommandError: They are in none for sure.
    """
    with gzip.open(staged.path) as stream:
        lines = [line.rstrip(b"\n") for line in islice(stream, _LINES_LOOKED_AT)]
    detection = detect(lines)
    if detection.lines and not detection.is_sure:
        nearest = "no known format"
        if detection.format is not None:
            nearest = f"{detection.matching} of {detection.lines} lines are {detection.format}"
        first = detection.first[:_SHOWN_BYTES].decode("utf-8", "replace")
        raise CommandError(
            f"the format is unclear ({nearest}): name it with --format or weblog.parser: pattern. "
            f"The first line is {first!r}"
        )
    return detection


def count_events(staged: StagedInput) -> int:
    """Returns the number of events in the input, where a line may hold several.

    Only lines that are JSON objects do: one of CloudWatch Logs has many messages.
    """
    with gzip.open(staged.path) as stream:
        if not any(line.startswith(b"{") for line in islice(stream, _LINES_LOOKED_AT)):
            return staged.lines
        stream.seek(0)
        return sum(len(unwrap(line)) if line.startswith(b"{") else 1 for line in stream)


def _files(inputs: Sequence[str]) -> list[str]:
    files: list[str] = []
    for item in inputs:
        with _reading(item):
            files += [item] if item == STANDARD_INPUT else _log_files(item)
    return files


def _status(file: str) -> os.stat_result | None:
    """Returns what tells a file from others; None of standard input and pipes."""
    if file == STANDARD_INPUT or not Path(file).is_file():
        return None
    with _reading(file):
        return Path(file).stat()


def _log_files(item: str) -> list[str]:
    path = Path(item)
    # Without a name, as of a variable that is not set, a path is the working folder.
    if not item or not path.exists():
        raise CommandError(f"no such file or folder: {item or "''"}")
    if not path.is_dir():
        return [item]
    files = sorted(
        str(child) for child in path.iterdir() if child.is_file() and not child.name.startswith(".")
    )
    if not files:
        raise CommandError(f"no log files in folder {item}")
    return files


def _in_order_of_time(files: list[str]) -> list[str]:
    # Standard input and pipes can be read but once.
    if len(files) < 2 or not all(file != STANDARD_INPUT and Path(file).is_file() for file in files):
        return files
    # A file without any readable time goes last; ties keep the order given.
    return sorted(files, key=lambda file: _first_time(file) or sys.maxsize)


def _first_time(file: str) -> int | None:
    with _opened(file) as stream:
        return first_time([stream.readline(_CHUNK_BYTES) for _ in range(_LINES_LOOKED_AT)])


def _chunks(file: str, listed: os.stat_result | None) -> Iterator[bytes]:
    last = b"\n"
    with _opened(file, listed) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
            last = chunk[-1:]
    if last != b"\n":
        # The next file must not continue this one's last line.
        yield b"\n"


@contextmanager
def _opened(file: str, listed: os.stat_result | None = None) -> Iterator[IO[bytes]]:
    with _reading(file):
        if file == STANDARD_INPUT:
            if sys.stdin is None:
                raise CommandError("cannot read -: standard input is closed")
            yield _readable(sys.stdin.buffer, file)
        else:
            with Path(file).open("rb") as stream:
                yield _readable(stream, file)
                _check_same(file, os.fstat(stream.fileno()), listed)


def _check_same(file: str, now: os.stat_result, listed: os.stat_result | None) -> None:
    """Refuses what a rotation leaves: under names of before are other files, or shorter ones."""
    if listed is not None and (
        (now.st_dev, now.st_ino) != (listed.st_dev, listed.st_ino) or now.st_size < listed.st_size
    ):
        raise CommandError(f"{file} was replaced while the input was read: start again")


@contextmanager
def _reading(file: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise CommandError(f"broken compressed file {file}: {error}") from error
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror or error}") from error


def _readable(stream: Any, file: str) -> IO[bytes]:
    """Returns a stream of plain lines, without a byte-order mark."""
    plain: IO[bytes] = _decompressed(stream, file)
    if hasattr(plain, "peek") and plain.peek(3)[:3] == BYTE_ORDER_MARK:
        plain.read(3)
    return plain


def _decompressed(stream: Any, file: str) -> Any:
    start = stream.peek(6)[:6] if hasattr(stream, "peek") else b""
    for magic, problem in _UNREADABLE.items():
        if start.startswith(magic):
            raise CommandError(f"cannot read {file}: {problem}")
    for magic, opened in _COMPRESSED.items():
        if start.startswith(magic):
            return opened(stream)
    return stream
