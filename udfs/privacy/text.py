r"""Finding personal data inside texts, and replacing it.

A text is searched with its encodings undone (`%40`, `%2540`, `\x40` and so on) and with its
ASCII letters in lower case; what is found is replaced where it stands in the text itself. All
searches take time in proportion to the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

from udfs.parse.encodings import ENCODED, MAX_PASSES, is_encoded, plain_bytes
from udfs.privacy.emails import WORD_ENDS, find_emails, trailing

MASK = "***"
"""The text in the place of hidden text."""

type Replacer = Callable[[bytes], str]
"""Gives what stands for a value, which comes with its encodings undone, ASCII in lower case."""

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

type Span = tuple[int, int, str]
"""Start and end in the decoded text, and what to write there."""


class DecodedText(NamedTuple):
    """A text with its encodings undone."""

    data: bytes
    starts: Sequence[int]
    """Where in the UTF-8 source each byte begins, and at last the length of the source."""
    depths: Sequence[int]
    """How often each byte is encoded."""


def decoded_text(source: bytes) -> DecodedText:
    """Returns UTF-8 text with its encodings undone and its ASCII letters in lower case."""
    decoded = DecodedText(source, range(len(source) + 1), bytes(len(source)))
    for _ in range(MAX_PASSES):
        if not is_encoded(decoded.data):
            break
        before, decoded = decoded, _decoded_once(decoded)
        if len(before.data) == len(decoded.data):
            break
    return decoded._replace(data=decoded.data.lower())


def _decoded_once(decoded: DecodedText) -> DecodedText:
    source = decoded.data
    data, starts, depths = bytearray(), list[int](), list[int]()
    position = 0
    for match in ENCODED.finditer(source):
        first, after = match.span()
        data += source[position:first]
        starts += decoded.starts[position:first]
        depths += decoded.depths[position:first]
        plain = plain_bytes(match)
        data += plain
        starts += [decoded.starts[first]] * len(plain)
        depth = max(decoded.depths[first:after]) + 1 + len(match[1] or b"") // 2
        depths += [depth] * len(plain)
        position = after
    data += source[position:]
    starts += decoded.starts[position:]
    depths += decoded.depths[position:]
    return DecodedText(bytes(data), starts, depths)


def replace_spans(source: bytes, decoded: DecodedText, spans: list[Span]) -> str:
    """Writes each span's replacement into the source; of overlapping ones the first counts."""
    out, position = list[str](), 0
    for start, end, replacement in _merged(spans):
        first, last = decoded.starts[start], decoded.starts[end]
        out += (source[position:first].decode("utf-8", "replace"), replacement)
        position = last
    out.append(source[position:].decode("utf-8", "replace"))
    return "".join(out)


def _merged(spans: list[Span]) -> list[Span]:
    merged = list[Span]()
    for start, end, replacement in sorted(spans):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), before[2])
        else:
            merged.append((start, end, replacement))
    return merged


# Form frameworks put a form's name in front (form:password, ctl00$password), a plus is a blank.
_NAME_BYTES = bytes(range(256)).translate(None, WORD_ENDS + b"'+:$\x7f" + bytes(range(32)))
# A ";" ends a value only where another name follows it: else it is part of the value. So is a
# quotation mark that a server has escaped.
_VALUE_END = re.compile(rb'[&#]|;(?=[^=&;#]*+=)|(?<!\\)"')
_QUERY_START = re.compile(rb"[?#]")
_NAME_PARTS = re.compile(r"[\[\].]")


def parameter_name(name: str) -> str:
    """Returns a parameter's name for comparison: case, `-` and `_` do not matter."""
    return name.lower().replace("-", "").replace("_", "")


class TextMasker:
    """Replaces values of named query parameters, e-mail addresses, and the user part of URLs."""

    def __init__(
        self, names: Iterable[str], value: Replacer | None, email: Replacer | None
    ) -> None:
        """Says what is replaced.

        Args:
            names: Parameters whose values are personal.
            value: Gives what stands for such a value; None keeps it.
            email: Gives what stands for an e-mail address; None keeps it.
        """
        self._names = frozenset(map(parameter_name, names))
        self._value = value
        self._email = email

    def without_emails(self) -> Self:
        """Returns the same masker, which keeps e-mail addresses."""
        return type(self)(self._names, self._value, None)

    def mask(self, text: str, *, is_cut: bool = False) -> str:
        """Returns the text with what is personal replaced; the very same text if nothing is.

        Args:
            text: The text.
            is_cut: It may end in the middle of an address.
        """
        source = text.encode()
        decoded = decoded_text(source)
        spans = [*self._values(decoded), *self._emails(decoded, is_cut=is_cut)]
        return replace_spans(source, decoded, spans) if spans else text

    def _values(self, decoded: DecodedText) -> Iterable[Span]:
        if self._value is None:
            return
        data, done = decoded.data, 0
        at = data.find(b"=")
        path = _QUERY_START.search(data) if at >= 0 else None
        while at >= 0:
            end = at + 1
            name = trailing(data[done:at], _NAME_BYTES)
            if self._is_named(name):
                end = _value_end(decoded, at)
                before = at - len(name) - 1
                if (
                    path is not None
                    and at < path.start() < end
                    and data[before : before + 1] == b";"
                    and decoded.depths[path.start()] <= decoded.depths[at]
                ):
                    # A parameter of the path, such as jsessionid, ends where the query starts.
                    end = path.start()
                if end > at + 1:
                    yield at + 1, end, self._value(data[at + 1 : end])
            done = end
            at = data.find(b"=", end)

    def _is_named(self, name: bytes) -> bool:
        if not name:
            return False
        # user[email]=, user.email=, email[]=
        parts = _NAME_PARTS.split(name.decode("utf-8", "replace"))
        return any(parameter_name(part) in self._names for part in parts)

    def _emails(self, decoded: DecodedText, *, is_cut: bool) -> Iterable[Span]:
        if self._email is None:
            return
        for start, end, address in find_emails(decoded.data, is_cut=is_cut):
            yield start, end, MASK if address is None else self._email(address)


def _value_end(decoded: DecodedText, equals: int) -> int:
    """Returns where the value after an equals sign ends.

    In `next=%2Fa%3Ftoken%3Dx%26y` the encoded `&` ends the value of token, whose equals sign is
    encoded as well; in `token=x%26y` it is part of it.
    """
    depth = decoded.depths[equals]
    for match in _VALUE_END.finditer(decoded.data, equals + 1):
        if decoded.depths[match.start()] <= depth:
            return match.start()
    return len(decoded.data)
