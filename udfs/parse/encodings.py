r"""Text with its encodings undone, for looking into it; never for showing it."""

from __future__ import annotations

import re

ENCODED = re.compile(rb"(?:%((?:25)*)|\\x)([0-9a-f]{2})", re.IGNORECASE)
r"""``%41``, ``%2541`` (the same encoded twice) and so on, and ``\x41`` as servers log it."""

MAX_PASSES = 5
"""How often it is tried again on what came out; a bound, so that time grows with length alone."""


def decoded(text: str) -> bytes:
    """The text as UTF-8, ASCII in lower case, with percent and backslash encodings undone."""
    data, passes = text.encode().lower(), 0
    if "%" not in text and "\\x" not in text:
        return data
    while is_encoded(data) and passes < MAX_PASSES:
        data, changes = ENCODED.subn(_byte, data)
        if not changes:
            break
        passes += 1
    return data.lower()


def is_encoded(data: bytes) -> bool:
    """Whether there may be anything to undo."""
    return data.find(b"%") >= 0 or data.find(b"\\x") >= 0


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes((int(match[2], 16),))
