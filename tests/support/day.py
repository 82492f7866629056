"""A made day: night and noon, a rush, late lines and bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi

from tools.bench.made_log import MadeLog

RUSH_HOUR, RUSH = 15, 4
_NOON, _MIDNIGHT = 3000, 750
_BAD_EVERY = 200


def hours() -> Iterator[list[bytes]]:
    """The lines of each hour of a day, in the order of a log."""
    for hour in range(24):
        share = (1 - cos(2 * pi * hour / 24)) / 2
        count = int(_MIDNIGHT + share * (_NOON - _MIDNIGHT)) * (RUSH if hour == RUSH_HOUR else 1)
        made = MadeLog(count, seed=hour, rate=count / 3600)
        lines = [_moved(one.rstrip(b"\n"), hour) for one in made]
        lines[_BAD_EVERY::_BAD_EVERY] = [
            b"cut off %d %d" % (hour, n) for n in range(len(lines[_BAD_EVERY::_BAD_EVERY]))
        ]
        yield lines


def _moved(line: bytes, hour: int) -> bytes:
    """A line of the log's first hour, which starts at midnight, in another hour."""
    if not hour:
        return line
    before = b"[01/Mar/2025:%02d:" % (hour - 1)
    return line.replace(b"[28/Feb/2025:23:", before).replace(
        b"[01/Mar/2025:00:", b"[01/Mar/2025:%02d:" % hour
    )
