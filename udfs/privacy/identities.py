r"""Finding what identifies one client or user in texts, and replacing it.

An identity is the client's address or host name, or the user's name; other fields of a line may
repeat it. Texts are searched as `udfs.privacy.text` does it, with their encodings undone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from udfs.parse.access_log import unescape
from udfs.parse.client import client_of
from udfs.parse.encodings import decoded
from udfs.privacy.text import MASK, decoded_text, replace_spans

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
"""Number of words of a name that are looked for one by one: the last ones."""


class Identity(NamedTuple):
    """A client's address or name, in the forms in which a text may repeat it."""

    needles: tuple[bytes, ...]
    """ASCII in lower case."""
    address: ipaddress.IPv6Address | None
    """Compared by value, for IPv6 has many spellings."""
    is_name: bool
    """It counts only as a whole word, unless it is long."""


def client_identity(host: str) -> Identity | None:
    """Returns the identity of a client; None for `-` and for names without a dot.

    Args:
        host: The client as the log has it, with or without a port.
    """
    host = client_of(host) or host
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
        # Without a zone (fe80::1%eth0), which has a meaning only on the server.
        plain = ipaddress.IPv6Address(int(address))
        forms = {text, plain.compressed.encode(), plain.exploded.encode()}
        if plain.ipv4_mapped is not None:
            forms |= set(_ipv4_forms(str(plain.ipv4_mapped).encode()))
        return Identity(tuple(sorted(forms)), plain, is_name=False)
    # A dual-stack server writes ::ffff:192.0.2.1, in one of many spellings.
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    return Identity(_ipv4_forms(text), mapped, is_name=False)


def trimmed(word: str) -> str:
    """Returns the word without what is no letter, digit or colon at its ends."""
    ends = "".join({char for char in word if not (char.isalnum() or char == ":")})
    return word.strip(ends) if ends else word


def _ipv4_forms(text: bytes) -> tuple[bytes, ...]:
    # Host names of providers are made of addresses, forwards or backwards.
    parts = text.split(b".")
    backwards = parts[::-1]
    return (text, b"-".join(parts), b".".join(backwards), b"-".join(backwards))


def name_identity(name: str) -> Identity | None:
    """Returns the identity of a user's name: the whole and its words, if not too short.

    One or two characters would be found in every other text, and tell nobody who it was.
    """
    if name.isascii() and "%" not in name and "\\" not in name:
        words = _words(name.lower().encode())
    else:
        words = set[bytes]().union(*map(_words, _spellings(name)))
    needles = tuple(sorted(word for word in words if len(word) >= _SHORTEST_NAME))
    return Identity(needles, None, is_name=True) if needles else None


def _words(text: bytes) -> set[bytes]:
    words = {text, text.replace(b" ", b"+"), *text.split()[-MAX_NAME_WORDS:]}
    # DOMAIN\\bob and bob@realm are bob elsewhere.
    return words | {word.rpartition(b"\\")[2].partition(b"@")[0] for word in words}


def _spellings(name: str) -> set[bytes]:
    """Returns a name in the forms in which a searched text may hold it.

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
    """Makes a text ready for being searched, any number of times."""
    data = decoded(text)
    return Searchable(data, data if _LIKE_ADDRESS.search(data) else b"")


def mentions(texts: Sequence[Searchable], identity: Identity) -> bool:
    """Returns whether texts repeat what identifies a client.

    It may say so where only a longer word holds the name.
    """
    for text in texts:
        data = text.text if identity.is_name else text.addresses
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
    """Returns the text with every repetition of the identity replaced."""
    source = text.encode()
    plain = decoded_text(source)
    spans = [
        (start, end, MASK)
        for needle in identity.needles
        for start, end in _occurrences(
            plain.data, needle, whole=identity.is_name and len(needle) <= _LONGEST_WORD
        )
    ]
    if identity.address is not None:
        occurrences = _same_address(plain.data, identity.address)
        spans += [(start, end, MASK) for start, end in occurrences]
    return replace_spans(source, plain, spans) if spans else text


def without_identities(text: str, identities: Iterable[Identity]) -> str:
    """Returns the text with every repetition of each identity replaced."""
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
    """Returns the text with everything that looks like an IP address replaced."""
    source = text.encode()
    plain = decoded_text(source)
    spans = [
        (match.start(), match.end(), MASK)
        for pattern in (_IPV4, _IPV6)
        for match in pattern.finditer(plain.data)
    ]
    return replace_spans(source, plain, spans) if spans else text
