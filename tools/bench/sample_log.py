"""The bundled log, again and again; each time later, as a log goes on.

Without the shift all repeats but the first would be late, and the windows would do nothing.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from udfs.errors import WebLogError

_HOUR = re.compile(rb"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d)(?=:\d\d:\d\d \+0000\])")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class RepeatedLog:
    """A log whose repeats move on in event time by whole hours.

    Args:
        path: A gzip file with times in UTC.
        records: Number of lines to give.

    Raises:
        WebLogError: So many repeats would reach the present: they would be refused as lines
            from the future.
    """

    def __init__(self, path: Path, records: int) -> None:
        with gzip.open(path) as stream:
            lines = stream.readlines()
        self._pieces = [_HOUR.split(line, maxsplit=1) for line in lines]
        self._records = records
        hours = [_read_hour(piece[1]) for piece in self._pieces if len(piece) == 3]
        self._shift = max(hours) - min(hours) + timedelta(hours=1)
        repeats = -(-records // len(lines))
        if max(hours) + self._shift * repeats > datetime.now(UTC):
            raise WebLogError(f"{records} lines of {path} would reach beyond the present")

    def __iter__(self) -> Iterator[bytes]:
        """All lines, each with its line break."""
        left = self._records
        repeat = 0
        while left > 0:
            hour = _Hours(self._shift * repeat)
            for piece in self._pieces[:left]:
                yield (
                    b"%b[%b%b" % (piece[0], hour(piece[1]), piece[2])
                    if len(piece) == 3
                    else piece[0]
                )
            left -= len(self._pieces)
            repeat += 1


class _Hours:
    def __init__(self, shift: timedelta) -> None:
        self._shift = shift
        self._moved: dict[bytes, bytes] = {}

    def __call__(self, text: bytes) -> bytes:
        moved = self._moved.get(text)
        if moved is None:
            when = _read_hour(text) + self._shift
            moved = f"{when:%d}/{_MONTHS[when.month - 1]}/{when:%Y:%H}".encode()
            self._moved[text] = moved
        return moved


@lru_cache(maxsize=4096)
def _read_hour(text: bytes) -> datetime:
    day, month, rest = text.decode().split("/")
    year, hour = rest.split(":")
    return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), tzinfo=UTC)
