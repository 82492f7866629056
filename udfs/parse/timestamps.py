"""Timestamps of access logs (`28/Oct/2025:10:15:30 +0000`) as instants.

Event time is the instant: the offset is honoured, so time zones and daylight saving need no tables.
A leap second (23:59:60 UTC) counts as the first second of the next minute, as in POSIX time; second
60 anywhere else is nonsense.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from udfs.errors import ValidationError

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_MINUTE = re.compile(
    "([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-5][0-9])"
)
_LENGTH = len("28/Oct/2025:10:15:30 +0000")
_SECOND_MS = {f"{second:02}": second * 1000 for second in range(60)}
_LEAP_SECOND = "60"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_OFFSET = timedelta(hours=18)


class EventTime(NamedTuple):
    """One instant in the two forms a record needs."""

    ms: int
    """Milliseconds since 1970-01-01 UTC."""
    iso: str
    """The same in ISO 8601: `2015-05-17T10:05:03.000Z`."""


# Two caches: in a busy log a second repeats, in a quiet one at least the minute does, and only a
# new minute is worked out (hot path).
@lru_cache(maxsize=8192)
def read_timestamp(text: str) -> EventTime:
    """Reads a log's timestamp.

    Raises:
        ValidationError: Stage `parse`, reason `bad_timestamp`: not of the form above, no such
            day or time, or an offset beyond 18 hours.
    """
    if len(text) != _LENGTH or text[17] != ":":
        raise _bad_timestamp()
    minute_ms, minute_iso = _read_minute(text[:17] + text[20:])
    second = text[18:20]
    second_ms = _SECOND_MS.get(second)
    if second_ms is not None:
        return EventTime(minute_ms + second_ms, f"{minute_iso}:{second}.000Z")
    if second == _LEAP_SECOND and minute_iso.endswith("T23:59"):
        return EventTime(minute_ms + 60_000, iso_utc(minute_ms + 60_000))
    raise _bad_timestamp()


@lru_cache(maxsize=2048)
def _read_minute(text: str) -> tuple[int, str]:
    """Returns the milliseconds and ISO text in UTC of `28/Oct/2025:10:15 +0000`."""
    match = _MINUTE.fullmatch(text)
    if match is None:
        raise _bad_timestamp()
    day, month, year, hour, minute, sign, offset_hours, offset_minutes = match.groups()
    offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
    if offset > _MAX_OFFSET:
        raise _bad_timestamp()
    try:
        local = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), tzinfo=UTC)
        instant = local + offset if sign == "-" else local - offset
    except (KeyError, ValueError, OverflowError):
        raise _bad_timestamp() from None
    return (instant - _EPOCH) // _MILLISECOND, instant.isoformat(timespec="minutes")[:-6]


_ISO = re.compile(
    "([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    "(?:[.,]([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):?([0-5][0-9]))?"
)
_EPOCH_SECONDS = re.compile(r"([0-9]{9,11})(?:\.([0-9]{1,9}))?")
_EPOCH_MILLISECONDS = re.compile("[0-9]{12,14}")


@lru_cache(maxsize=8192)
def read_any_timestamp(text: str) -> EventTime:
    """Reads a time stamp of any form that servers and load balancers write.

    These are Apache's (`read_timestamp`), ISO 8601 with a `T` or a blank, seconds since 1970
    with or without a fraction, and milliseconds since 1970. A time without an offset is UTC.
    Fractions below a millisecond are cut off.

    Raises:
        ValidationError: Stage `parse`, reason `bad_timestamp`.
    """
    if len(text) == _LENGTH and text[2] == "/":
        return read_timestamp(text)
    if match := _ISO.fullmatch(text):
        ms = _ms_of_iso(*match.groups())
    elif match := _EPOCH_SECONDS.fullmatch(text):
        ms = int(match[1]) * 1000 + _ms_of_fraction(match[2])
    elif _EPOCH_MILLISECONDS.fullmatch(text):
        ms = int(text)
    else:
        raise _bad_timestamp()
    try:
        return EventTime(ms, iso_utc(ms))
    except OverflowError:
        raise _bad_timestamp() from None


def _ms_of_iso(  # noqa: PLR0917 - the groups of the pattern
    year: str,
    month: str,
    day: str,
    hour: str,
    minute: str,
    second: str,
    fraction: str | None,
    sign: str | None,
    offset_hours: str | None,
    offset_minutes: str | None,
) -> int:
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    if offset > _MAX_OFFSET:
        raise _bad_timestamp()
    is_leap = second == _LEAP_SECOND and (hour, minute) == ("23", "59") and not offset
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), 59 if is_leap else int(second),
            tzinfo=UTC,
        )  # fmt: skip
        instant = local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError):
        raise _bad_timestamp() from None
    ms = (instant - _EPOCH) // _MILLISECOND + _ms_of_fraction(fraction)
    return ms + 1000 if is_leap else ms


def _ms_of_fraction(digits: str | None) -> int:
    return int(f"{digits:0<3}"[:3]) if digits else 0


def iso_utc(ms: int) -> str:
    """Returns the milliseconds since 1970-01-01 UTC as `2015-05-17T10:05:03.000Z`."""
    return (_EPOCH + ms * _MILLISECOND).isoformat(timespec="milliseconds")[:-6] + "Z"


def _bad_timestamp() -> ValidationError:
    return ValidationError("parse", "bad_timestamp", "the timestamp is not a valid date and time")
