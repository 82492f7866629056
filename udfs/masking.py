r"""Finding personal data inside texts, and replacing it.

A text is searched with its encodings undone (``%40``, ``%2540``, ``\x40`` and so on) and with its
ASCII letters in lower case; what is found is replaced where it stands in the text itself. All
searches take time in proportion to the text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

from udfs.access_log import unescape
from udfs.decoding import ENCODED, MAX_PASSES, decoded, is_encoded

MASK = "***"
"""What stands for text that is hidden."""

type Replacer = Callable[[bytes], str]
"""Gives what stands for a value, which comes with its encodings undone, ASCII in lower case."""

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

type _Span = tuple[int, int, str]
"""Start and end in the decoded text, and what to write there."""


class _View(NamedTuple):
    """A text with its encodings undone."""

    data: bytes
    starts: Sequence[int]
    """Where in the UTF-8 source each byte begins, and at last the length of the source."""
    depths: Sequence[int]
    """How often each byte is encoded."""


def _view(source: bytes) -> _View:
    view = _View(source, range(len(source) + 1), bytes(len(source)))
    for _ in range(MAX_PASSES):
        if not is_encoded(view.data):
            break
        before, view = view, _decoded_once(view)
        if len(before.data) == len(view.data):
            break
    return view._replace(data=view.data.lower())


def _decoded_once(view: _View) -> _View:
    source = view.data
    data, starts, depths = bytearray(), list[int](), list[int]()
    position = 0
    for match in ENCODED.finditer(source):
        first, after = match.span()
        data += source[position:first]
        starts += view.starts[position:first]
        depths += view.depths[position:first]
        data.append(int(match[2], 16))
        starts.append(view.starts[first])
        depths.append(max(view.depths[first:after]) + 1 + len(match[1] or b"") // 2)
        position = after
    data += source[position:]
    starts += view.starts[position:]
    depths += view.depths[position:]
    return _View(bytes(data), starts, depths)


def _replace(source: bytes, view: _View, spans: list[_Span]) -> str:
    """Write each span's replacement into the source; of overlapping ones the first counts."""
    out, position = list[str](), 0
    for start, end, replacement in _merged(spans):
        first, last = view.starts[start], view.starts[end]
        out += (source[position:first].decode("utf-8", "replace"), replacement)
        position = last
    out.append(source[position:].decode("utf-8", "replace"))
    return "".join(out)


def _merged(spans: list[_Span]) -> list[_Span]:
    merged = list[_Span]()
    for start, end, replacement in sorted(spans):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), before[2])
        else:
            merged.append((start, end, replacement))
    return merged


# --- query values and e-mail addresses ---------------------------------------------------------

_EVERY_BYTE = bytes(range(256))
_WORD_ENDS = b'\t\n\r\f\v "<>(){},;\\/?&=#@|'
# Form frameworks put a form's name in front (form:password, ctl00$password), a plus is a blank.
_NAME_BYTES = _EVERY_BYTE.translate(None, _WORD_ENDS + b"'+:$\x7f" + bytes(range(32)))
_LOCAL_BYTES = _EVERY_BYTE.translate(None, _WORD_ENDS + b"[]:" + bytes(range(32)))
# A ";" ends a value only where another name follows it: else it is part of the value. So is a
# quotation mark that a server has escaped.
_VALUE_END = re.compile(rb'[&#]|;(?=[^=&;#]*+=)|(?<!\\)"')
_QUERY_START = re.compile(rb"[?#]")
_DOMAIN = re.compile(rb"\[?[a-z0-9*_\x80-\xff-]++(?:\.[a-z0-9*_\x80-\xff-]++)++")
# image@2x.png is an image of double resolution.
_RETINA = re.compile(rb"[1-9](?:\.[0-9])?x\.(?:avif|gif|jpe?g|png|svg|webp)")
_USER_INFORMATION = re.compile(rb'://([^/?#\s"]*)@')
_NAME_PARTS = re.compile(r"[\[\].]")


def parameter_name(name: str) -> str:
    """The form in which names of parameters are compared: case, ``-`` and ``_`` do not matter."""
    return name.lower().replace("-", "").replace("_", "")


class TextMasker:
    """Replaces values of named query parameters, e-mail addresses, and the user part of URLs."""

    def __init__(
        self, names: Iterable[str], value: Replacer | None, email: Replacer | None
    ) -> None:
        """Say what is replaced.

        Args:
            names: parameters whose values are personal.
            value: gives what stands for such a value; None keeps it.
            email: gives what stands for an e-mail address; None keeps it.
        """
        self._names = frozenset(map(parameter_name, names))
        self._value = value
        self._email = email

    def without_emails(self) -> Self:
        """The same masker, which keeps e-mail addresses."""
        return type(self)(self._names, self._value, None)

    def mask(self, text: str) -> str:
        """Return the text with what is personal replaced; the very same text if nothing is."""
        source = text.encode()
        view = _view(source)
        spans = [*self._values(view), *self._emails(view)]
        return _replace(source, view, spans) if spans else text

    def _values(self, view: _View) -> Iterable[_Span]:
        if self._value is None:
            return
        data, done = view.data, 0
        at = data.find(b"=")
        path = _QUERY_START.search(data) if at >= 0 else None
        while at >= 0:
            end = at + 1
            name = _trailing(data[done:at], _NAME_BYTES)
            if self._is_named(name):
                end = _value_end(view, at)
                before = at - len(name) - 1
                if (
                    path is not None
                    and at < path.start() < end
                    and data[before : before + 1] == b";"
                    and view.depths[path.start()] <= view.depths[at]
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

    def _emails(self, view: _View) -> Iterable[_Span]:
        data = view.data
        at = data.find(b"@")
        if at < 0 or self._email is None:
            return
        users = {match.end(1): match.start(1) for match in _USER_INFORMATION.finditer(data)}
        floor = 0
        while at >= 0:
            local = _trailing(data[floor:at], _LOCAL_BYTES)
            floor = at + 1
            domain = _DOMAIN.match(data, floor)
            if at in users:
                # What follows is the host of a URL.
                if users[at] < at:
                    yield users[at], at, MASK
            elif local and domain is not None and _is_domain(domain[0]):
                floor = domain.end()
                yield at - len(local), floor, self._email(data[at - len(local) : floor])
            at = data.find(b"@", floor)


def _trailing(text: bytes, allowed: bytes) -> bytes:
    return text[len(text.rstrip(allowed)) :]


def _value_end(view: _View, equals: int) -> int:
    """Where the value after an equals sign ends.

    In ``next=%2Fa%3Ftoken%3Dx%26y`` the encoded ``&`` ends the value of token, whose equals sign is
    encoded as well; in ``token=x%26y`` it is part of it.
    """
    depth = view.depths[equals]
    for match in _VALUE_END.finditer(view.data, equals + 1):
        if view.depths[match.start()] <= depth:
            return match.start()
    return len(view.data)


def _is_domain(text: bytes) -> bool:
    if _RETINA.fullmatch(text):
        return False
    labels = text.lstrip(b"[").split(b".")
    # package@1.2.3 is a version; name@10.0.0.1 is an address.
    return not labels[-1].isdigit() or len(labels) == 4


# --- addresses and names that identify one client ----------------------------------------------

_IPV4 = re.compile(rb"[0-9]{1,3}(?:[.-][0-9]{1,3}){3}")
_IPV6 = re.compile(rb"(?:[0-9a-f]{0,4}:){2,7}(?:[0-9a-f]{0,4}(?:\.[0-9]{1,3}){0,3})")
_ADDRESS_OF_MANY_COLONS = re.compile(rb"[0-9a-f:.]{3,45}")
_LIKE_ADDRESS = re.compile(rb"[0-9]{1,3}(?:[.-][0-9]{1,3}){3}|:[0-9a-f.]{0,4}:")
_DOTTED_NAME = re.compile(rb"[a-z0-9_*-]++(?:\.[a-z0-9_*-]++)++\.?")
_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_")
_NO_WORD = re.compile(rb"[^a-z0-9_]")
_SHORTEST_NAME = 3
# A longer name stands in no other word by chance. To look at both of its ends wherever it is
# found would take time in proportion to its length for every byte of a text made for that.
_LONGEST_WORD = 64

MAX_NAME_WORDS = 32
"""So many words of a name are looked for one by one: the last ones."""


class Identity(NamedTuple):
    """What identifies a client: an address or name in the forms in which a text may repeat it."""

    needles: tuple[bytes, ...]
    """ASCII in lower case."""
    address: ipaddress.IPv6Address | None
    """Compared by value, for IPv6 has many spellings."""
    is_name: bool
    """It counts only as a whole word, unless it is long."""


def client_identity(host: str) -> Identity | None:
    """Identity of a client's address or host name; None for ``-`` and for names without a dot."""
    text = host.lower().encode()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _DOTTED_NAME.fullmatch(text):
            return Identity((text,), None, is_name=True)
        # Stray characters around an address do not make it another one.
        stripped = trimmed(host)
        return None if stripped == host else client_identity(stripped)
    if isinstance(address, ipaddress.IPv6Address):
        # Without a zone (fe80::1%eth0), which has a meaning on the server alone.
        plain = ipaddress.IPv6Address(int(address))
        forms = {text, plain.compressed.encode(), plain.exploded.encode()}
        if plain.ipv4_mapped is not None:
            forms |= set(_ipv4_forms(str(plain.ipv4_mapped).encode()))
        return Identity(tuple(sorted(forms)), plain, is_name=False)
    return Identity(_ipv4_forms(text), None, is_name=False)


def trimmed(word: str) -> str:
    """The word without what is no letter, digit or colon at its ends."""
    ends = "".join({char for char in word if not (char.isalnum() or char == ":")})
    return word.strip(ends) if ends else word


def _ipv4_forms(text: bytes) -> tuple[bytes, ...]:
    # Host names of providers are made of addresses, forwards or backwards.
    parts = text.split(b".")
    backwards = parts[::-1]
    return (text, b"-".join(parts), b".".join(backwards), b"-".join(backwards))


def name_identity(name: str) -> Identity | None:
    """Identity of a user's name as the log has it: the whole and its words, if not too short.

    One or two characters would be found in every other text, and tell nobody who it was.
    """
    if name.isascii() and "%" not in name and "\\" not in name:
        words = _words(name.lower().encode())
    else:
        words = set[bytes]().union(*map(_words, _spellings(name)))
    needles = tuple(sorted(word for word in words if len(word) >= _SHORTEST_NAME))
    return Identity(needles, None, is_name=True) if needles else None


def _words(text: bytes) -> set[bytes]:
    return {text, text.replace(b" ", b"+"), *text.split()[-MAX_NAME_WORDS:]}


def _spellings(name: str) -> set[bytes]:
    """A name in the forms in which a searched text may hold it.

    Its escapes may be the log's or its own. Only ASCII is searched in either case: bytes that
    encodings stand for need not be UTF-8.
    """
    plain = decoded(name).decode("utf-8", "surrogateescape")
    return {
        form.encode("utf-8", "surrogateescape").lower()
        for text in (name, unescape(name), plain)
        for form in (text, text.lower(), text.upper(), text.title())
    }


class Searchable(NamedTuple):
    """A text made ready for being searched for identities."""

    text: bytes
    """With its encodings undone."""
    addresses: bytes
    """The same if anything in it looks like an address; most texts need no search for one."""


NOTHING_SEARCHABLE = Searchable(b"", b"")


def searchable(text: str) -> Searchable:
    """Make a text ready for being searched, any number of times."""
    data = decoded(text)
    return Searchable(data, data if _LIKE_ADDRESS.search(data) else b"")


def mentions(texts: Sequence[Searchable], identity: Identity) -> bool:
    """Whether texts repeat what identifies a client.

    It may say so where only a longer word holds the name.
    """
    for one in texts:
        data = one.text if identity.is_name else one.addresses
        if data and _holds(data, identity):
            return True
    return False


def _holds(data: bytes, identity: Identity) -> bool:
    for needle in identity.needles:
        # A fifth of the time of "in", which is slow over bytes.
        if data.find(needle) >= 0:
            return True
    return identity.address is not None and any(_same_address(data, identity.address))


def without_identity(text: str, identity: Identity) -> str:
    """Return the text with every repetition of the identity replaced."""
    source = text.encode()
    view = _view(source)
    spans = [
        (start, end, MASK)
        for needle in identity.needles
        for start, end in _occurrences(
            view.data, needle, whole=identity.is_name and len(needle) <= _LONGEST_WORD
        )
    ]
    if identity.address is not None:
        found = _same_address(view.data, identity.address)
        spans += [(start, end, MASK) for start, end in found]
    return _replace(source, view, spans) if spans else text


def without_identities(text: str, identities: Iterable[Identity]) -> str:
    """Return the text with every repetition of each identity replaced."""
    for identity in identities:
        text = without_identity(text, identity)
    return text


def _occurrences(data: bytes, needle: bytes, *, whole: bool) -> Iterable[tuple[int, int]]:
    start = data.find(needle)
    while start >= 0:
        end = start + len(needle)
        after = end
        if whole and start > 0 and data[start - 1] in _WORD_BYTES:
            # The next one that is whole begins behind what ends this word.
            gap = _NO_WORD.search(data, start)
            after = len(data) if gap is None else gap.end()
        elif whole and end < len(data) and data[end] in _WORD_BYTES:
            after = start + 1
        else:
            yield start, end
        start = data.find(needle, after)


def _same_address(data: bytes, wanted: ipaddress.IPv6Address) -> Iterable[tuple[int, int]]:
    for match in _ADDRESS_OF_MANY_COLONS.finditer(data):
        text = match[0]
        if text.count(b":") >= 2 and _is_address(text.strip(b"."), wanted):
            yield match.span()


def _is_address(text: bytes, wanted: ipaddress.IPv6Address) -> bool:
    # An address may stand before a port, or after a colon of the text around it.
    for form in (text, text.rpartition(b":")[0], text[1:]):
        try:
            if ipaddress.IPv6Address(form.decode()) == wanted:
                return True
        except ValueError:
            continue
    return False


def without_addresses(text: str) -> str:
    """Return the text with everything that looks like an IP address replaced."""
    source = text.encode()
    view = _view(source)
    spans = [
        (match.start(), match.end(), MASK)
        for pattern in (_IPV4, _IPV6)
        for match in pattern.finditer(view.data)
    ]
    return _replace(source, view, spans) if spans else text
