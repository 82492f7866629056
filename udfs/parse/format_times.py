"""Time stamps of a server's own log format: strftime's directives, and counts since 1970."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from udfs.errors import ValidationError
from udfs.parse.timestamps import EventTime, iso_utc, read_any_timestamp

CLF = "clf"
"""The time format of `%t`; also of nginx's variables, which the reader tells apart."""

_STRPTIME = {
    "d": "[0-9]{2}", "e": "[ 0-9][0-9]", "b": "[A-Z][a-z]{2}", "h": "[A-Z][a-z]{2}",
    "B": "[A-Z][a-z]+",
    "Y": "[0-9]{4}", "y": "[0-9]{2}", "m": "[0-9]{2}", "H": "[0-9]{2}", "M": "[0-9]{2}",
    "S": "[0-9]{2}", "z": "[+-][0-9]{4}", "f": "[0-9]{1,6}", "a": "[A-Z][a-z]{2}",
    "j": "[0-9]{3}", "p": "[AP]M", "I": "[0-9]{2}",
}  # fmt: skip
_SHORTHANDS = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "D": "%m/%d/%y", "R": "%H:%M"}
EPOCHS = {"sec": 1000, "msec": 1, "usec": 0.001}
_FRACTIONS = {"msec_frac": "%f", "usec_frac": "%f"}
_CLF_SPELT_OUT = "%d/%b/%Y:%H:%M:%S %z"


def time_format_of(argument: str | None) -> str:
    """Returns the time format of Apache's `%t` or `%{argument}t`.

    Raises:
        ValueError: A directive of strftime that is not known; the error's text names it.
    """
    if argument is None:
        return CLF
    argument = argument.removeprefix("begin:").removeprefix("end:")
    if argument in {"", "begin", "end"}:
        return CLF
    if argument in EPOCHS:
        return argument
    if argument in _FRACTIONS:
        return _FRACTIONS[argument]
    if argument == "%s":
        return "sec"
    argument = re.sub("%([TFDR])", lambda short: _SHORTHANDS[short[1]], argument)
    for letter in re.findall("%(.)", argument):
        if letter not in _STRPTIME and letter != "%":
            raise ValueError(f"%{letter}")
    return argument


def time_reader(time_format: str) -> Callable[[str], EventTime]:
    """Returns what reads time stamps of a format."""
    if time_format in {CLF, _CLF_SPELT_OUT}:
        return read_any_timestamp
    scale = EPOCHS.get(time_format)
    if scale is not None:
        return lru_cache(8192)(lambda text: _epoch(text, scale))
    return lru_cache(8192)(lambda text: _strptime(text, time_format))


def _epoch(text: str, scale: float) -> EventTime:
    if not re.fullmatch("[0-9]{1,17}", text):
        raise _bad_timestamp()
    return _event_time(int(int(text) * scale))


def _strptime(text: str, time_format: str) -> EventTime:
    try:
        instant = datetime.strptime(text, time_format)  # noqa: DTZ007 - a time without zone is UTC
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        milliseconds = (instant - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        raise _bad_timestamp() from None
    return _event_time(milliseconds)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def _event_time(milliseconds: int) -> EventTime:
    try:
        return EventTime(milliseconds, iso_utc(milliseconds))
    except OverflowError:
        raise _bad_timestamp() from None


def _bad_timestamp() -> ValidationError:
    return ValidationError("parse", "bad_timestamp", "the timestamp is not a valid date and time")


def time_pattern(time_format: str) -> str:
    """Returns a pattern with one group for time stamps of a format."""
    if time_format == CLF:
        # nginx: the variable decides, the reader tells them apart.
        return r"([0-9A-Za-z/:.+-]++(?: [+-][0-9]{4})?)"
    if time_format in EPOCHS:
        return "([0-9]{1,17})"
    pattern = ""
    for text, letter in re.findall("([^%]+)|%(.)", time_format):
        pattern += re.escape(text) if text else _STRPTIME.get(letter, re.escape(letter))
    return f"({pattern})"
