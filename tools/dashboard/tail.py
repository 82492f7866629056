"""Reads what has been added to an output's files, finished and in progress."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 18
# Longer than any row: a line is at most 10 MB, and JSON and base64 make more of it.
_LONGEST_ROW_BYTES = 1 << 26


class RestartedError(Exception):
    """A file has become shorter: the job has gone back to a checkpoint."""


class OutputTail:
    """The rows of one output, each given once.

    A file is known by its inode, so it goes on being the same one when Flink renames it at
    its end (from `.part-1.inprogress.2`) and when the finished run moves it into place.
    What is kept in memory is one number for each file.
    """

    def __init__(self) -> None:
        self._offsets: dict[tuple[int, int], int] = {}
        self.bytes_read = 0
        """Returns the bytes given so far."""
        self.bytes_seen = 0
        """Returns the size of all files at the last look."""

    def read(self, folder: Path, limit: int) -> Iterator[bytes]:
        """Yields the whole lines that were not given before, until about `limit` bytes.

        Args:
            folder: Where the output's files lie now.
            limit: Bytes to read before the rest is left for the next call.

        Raises:
            RestartedError: What was given before is no longer so; start again.
        """
        paths = sorted(_parts(folder))
        self.bytes_seen = 0
        for path in paths:
            try:
                stream = path.open("rb")
            except FileNotFoundError:
                continue  # renamed since; found again next time
            with stream:
                status = os.fstat(stream.fileno())
                self.bytes_seen += status.st_size
                key = (status.st_dev, status.st_ino)
                offset = self._offsets.get(key, 0)
                if status.st_size < offset:
                    raise RestartedError
                stream.seek(offset)
                for lines in _whole_lines(stream):
                    if limit <= 0:
                        break
                    limit -= len(lines)
                    self._offsets[key] = self._offsets.get(key, 0) + len(lines)
                    self.bytes_read += len(lines)
                    yield lines


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yields pieces that end with a line break; a last line without one is still being written."""
    rest = b""
    while chunk := stream.read(_CHUNK_BYTES):
        end = chunk.rfind(b"\n") + 1
        if not end:
            rest += chunk
            if len(rest) > _LONGEST_ROW_BYTES:
                return
            continue
        yield rest + chunk[:end]
        rest = chunk[end:]


def _parts(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        for name in names:
            finished = name.startswith("part-")
            if finished or (name.startswith(".part-") and ".inprogress" in name):
                yield Path(base, name)
