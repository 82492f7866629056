r"""Text with its encodings undone, for looking into it; never for showing it."""

from __future__ import annotations

import re

ENCODED = re.compile(
    rb"(?:%((?:25)*)|\\{1,4}x)([0-9a-f]{2})|(?:%|\\{1,4})u([0-9a-f]{4})", re.IGNORECASE
)
r"""`%41`, `%2541` (the same encoded twice) and so on, `\x41` as servers log it, `%u0041`
and `\u0041` of scripts and JSON; a backslash may itself be escaped."""

MAX_PASSES = 5
"""How often the result is decoded again; a bound, so that time grows only with the length."""


def decoded(text: str) -> bytes:
    """Returns the text as UTF-8, ASCII in lower case, without percent and backslash encodings."""
    data, passes = text.encode().lower(), 0
    if "%" not in text and "\\" not in text:
        return data
    while is_encoded(data) and passes < MAX_PASSES:
        data, changes = ENCODED.subn(plain_bytes, data)
        if not changes:
            break
        passes += 1
    return data.lower()


def is_encoded(data: bytes) -> bool:
    """Returns whether there may be anything to undo."""
    return data.find(b"%") >= 0 or data.find(b"\\") >= 0


def plain_bytes(match: re.Match[bytes]) -> bytes:
    """Returns the bytes that a match of `ENCODED` stands for."""
    if match[2] is not None:
        return bytes((int(match[2], 16),))
    return chr(int(match[3], 16)).encode("utf-8", "surrogatepass")
