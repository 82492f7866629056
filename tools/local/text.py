"""Text from log lines, made fit to be shown.

Escaping for HTML is not done here: the page puts every value into text nodes. This is about
characters that deceive the reader or break what carries them: control characters, marks
that turn the direction of writing, line separators, halves of surrogate pairs.
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from typing import Any

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def shown(value: object, length: int = 160) -> str:
    r"""Returns a value as one line of at most so many characters; hidden ones as `\u{202e}`."""
    text = value if isinstance(value, str) else str(value)
    cut = len(text) > length
    if cut:
        text = text[:length]
    if not text.isascii() or not text.isprintable():
        text = "".join(_visible(character) for character in text)
    return text + _ELLIPSIS if cut else text


def raw_line(letter: dict[str, Any], length: int) -> str:
    r"""Returns the original line of a dead letter; bytes that are not UTF-8 as `\xff`."""
    raw = letter.get("raw")
    if raw is None:
        return ""
    if letter.get("raw_encoding") == "base64":
        try:
            # Four characters of base64 are three bytes; what is cut off need not be decoded.
            head = str(raw)[: 4 * (length // 3 + 1)]
            text = base64.b64decode(head, validate=True).decode("utf-8", "backslashreplace")
        except (binascii.Error, ValueError):
            return shown(raw, length)
        return shown(text, length)
    return shown(raw, length)


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN:
        return f"\\u{{{ord(character):x}}}"
    return character
