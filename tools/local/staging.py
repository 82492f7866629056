"""Gathers the user's log files into the one file that the job reads.

Flink's file source hands out files, and blocks of large files, in no promised order.
Out of order by hours means late, so a replay needs one ordered file that Flink does not
split: a gzip file is such a one. Writing it also tells the number of lines, against
which the run is checked, and finds an unreadable file before anything has started.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from tools.local.results import writing
from tools.shell import CommandError
from udfs.errors import ValidationError
from udfs.parse.timestamps import read_timestamp

STANDARD_INPUT = "-"
_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
# How far into a file to look for a line with a readable time.
_LINES_LOOKED_AT = 100


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
        CommandError: An input is missing, unreadable or a broken gzip file.
        CommandError: `directory` cannot be written.
    """
    sources = _in_order_of_time(_files(inputs))
    target = directory / "access_log.gz"
    lines = size = 0
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        # Level 1: the file is read once and thrown away.
        with gzip.open(target, "wb", compresslevel=1) as output:
            for source in sources:
                for chunk in _chunks(source):
                    output.write(chunk)
                    lines += chunk.count(b"\n")
                    size += len(chunk)
    return StagedInput(target, lines, size, tuple(sources))


def _files(inputs: Sequence[str]) -> list[str]:
    files: list[str] = []
    for item in inputs:
        with _reading(item):
            files += [item] if item == STANDARD_INPUT else _found(item)
    return files


def _found(item: str) -> list[str]:
    path = Path(item)
    # Without a name, as of a variable that is not set, a path is the working folder.
    if not item or not path.exists():
        raise CommandError(f"no such file or folder: {item or "''"}")
    if not path.is_dir():
        return [item]
    found = sorted(
        str(child) for child in path.iterdir() if child.is_file() and not child.name.startswith(".")
    )
    if not found:
        raise CommandError(f"no log files in folder {item}")
    return found


def _in_order_of_time(files: list[str]) -> list[str]:
    # Standard input and pipes can be read but once.
    if len(files) < 2 or not all(file != STANDARD_INPUT and Path(file).is_file() for file in files):
        return files
    # A file without any readable time goes last; ties keep the order given.
    return sorted(files, key=lambda file: _first_time(file) or sys.maxsize)


def _first_time(file: str) -> int | None:
    with _opened(file) as stream:
        for _ in range(_LINES_LOOKED_AT):
            line = stream.readline(_CHUNK_BYTES)
            if not line:
                return None
            start, end = line.find(b"["), line.find(b"]")
            try:
                return read_timestamp(line[start + 1 : end].decode("ascii", "replace")).ms
            except ValidationError:
                continue
    return None


def _chunks(file: str) -> Iterator[bytes]:
    last = b"\n"
    with _opened(file) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
            last = chunk[-1:]
    if last != b"\n":
        # The next file must not continue this one's last line.
        yield b"\n"


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    with _reading(file):
        if file == STANDARD_INPUT:
            yield _decompressed(sys.stdin.buffer)
        else:
            with Path(file).open("rb") as stream:
                yield _decompressed(stream)


@contextmanager
def _reading(file: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CommandError(f"broken gzip file {file}: {error}") from error
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror or error}") from error


def _decompressed(stream: IO[bytes]) -> IO[bytes]:
    # By content, not by name: rotated logs carry all sorts of names.
    peekable = stream if hasattr(stream, "peek") else None
    magic = peekable.peek(2)[:2] if peekable is not None else b""
    return cast("IO[bytes]", gzip.open(stream)) if magic == _GZIP_MAGIC else stream
