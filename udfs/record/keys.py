"""Values as keys: what windows group by and filters compare with, made fit to travel as text.

They go to SQL in one string with separators (`udfs.flink.wire`), so a key holds none of these,
and it is short, because a window keeps every distinct key in its state.
"""

from __future__ import annotations

EVENT_SEPARATOR = "\x1e"
FIELD_SEPARATOR = "\x1f"

MAX_KEY_LENGTH = 256
"""Characters kept of a key."""

_WITHOUT_SEPARATORS = str.maketrans({EVENT_SEPARATOR: "\ufffd", FIELD_SEPARATOR: "\ufffd"})


def keys(*values: str | None) -> str:
    """Returns the keys joined by the field separator; None is empty text."""
    return FIELD_SEPARATOR.join([key(value) for value in values])


def key(value: str | None) -> str:
    """Returns one key; None is empty text."""
    if value is None:
        return ""
    if value.isprintable() and len(value) <= MAX_KEY_LENGTH:
        return value
    return value[:MAX_KEY_LENGTH].translate(_WITHOUT_SEPARATORS)
