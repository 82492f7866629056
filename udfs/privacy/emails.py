r"""Finding e-mail addresses in texts whose encodings are undone, ASCII in lower case.

The sign between its halves may be full-width or an HTML entity, the first half quoted. A domain
without a dot counts unless it looks like what else stands behind the sign in paths: a version, a
pixel density, a branch, a repository (`git@github:a/b`). All searches take time in proportion to
the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Full-width and small forms of the sign, as UTF-8. A plain one of their length takes their place:
# among the bytes of other letters a search would run through all of them from each.
_OTHER_SIGNS = (b"\xef\xbc\xa0", b"\xef\xb9\xab")
_LONG_SIGN = b"@\xff\xff"
_SIGN = re.compile(rb"@(?:\xff\xff)?|&(?:#(?:0{0,8}64|x0{0,8}40)|commat);")

WORD_ENDS = b'\t\n\r\f\v "<>(){},;\\/?&=#@|'
"""Bytes that are part of no name and of no address."""

_LOCAL_BYTES = bytes(range(256)).translate(None, WORD_ENDS + b"[]:" + bytes(range(32)))
# The mask is no name.
_LETTER = re.compile(rb"[a-z0-9\x80-\xff]")
# Four times what RFC 5321 allows.
_LONGEST_QUOTED = 256

_LABEL = rb"[a-z0-9*_\x80-\xfe-]"
_DOTTED = re.compile(rb"\[?%b++(?:\.%b++)++" % (_LABEL, _LABEL))
_ANY_HOST = re.compile(rb"\[?[a-z0-9](?:%b|\.)*+" % _LABEL)
_TAGS = rb"alpha|beta|canary|dev|head|latest|lts|main|master|next|nightly|rc|stable|v[0-9]++"
_PORT = rb"[1-9][0-9]{0,4}(?![a-z0-9_.~*-])"
_DOTLESS = re.compile(
    # A commit's hash is a version as well.
    rb"(?!(?:%b|(?=[a-f]*+[0-9])[0-9a-f]{7,40})(?!%b))"
    rb"[a-z]%b++(?:\.++(?!%b))?(?!@|\.|:(?!%b)[a-z0-9_/.~*-])"
    % (_TAGS, _LABEL, _LABEL, _LABEL, _PORT)
)
_EXTENSION = rb"\.(?:min|avif|cjs|css|gif|gz|jpe?g|js|json|map|mjs|png|svg|tgz|webp|woff2?)"
# package@1.0.0-rc.1, style@1.2.3.css, logo@2x.png (of double resolution), lib@3.min.js.
_VERSION = re.compile(
    rb"v?[0-9]{1,9}(?:\.(?:[0-9]{1,9}|x)){1,3}(?:[-_].*|(?:%b)*+)"
    rb"|(?:v?[0-9]{1,9}|[1-9](?:\.[0-9])?x)(?:[-_][a-z0-9_-]*+)?(?:%b)++"
    % (_EXTENSION, _EXTENSION),
    re.DOTALL,
)
_IPV4 = re.compile(rb"\[?[0-9]{1,3}(?:\.[0-9]{1,3}){3}")

_USER_INFORMATION = re.compile(rb'://([^/?#\s"]*)@')
# The rest of a domain, or of the sign, where the text is cut off.
_CUT_DOMAIN = re.compile(rb"\[?(?:%b|\.)*+(?:%%[0-9a-f]?|\\x?[0-9a-f]?)?\Z" % _LABEL)
_CUT_SIGN = re.compile(
    rb"(?:%[24u]?[0-9a-f]{0,3}|\\[xu][0-9a-f]{0,3}|\xef(?:[\xb9\xbc]|\xbf\xbd)?)\Z"
)
_LONGEST_CUT_SIGN = 5
_CUT_FIELD = re.compile(rb"[a-z]?\Z")


class Email(NamedTuple):
    """Where a text holds an address, or the user part of a URL."""

    start: int
    end: int
    address: bytes | None
    """With a plain sign; None for the user part of a URL."""


def find_emails(data: bytes, *, is_cut: bool = False) -> Iterator[Email]:
    """Gives the addresses in a text from left to right.

    Args:
        data: The text.
        is_cut: At the text's end there may be the start of an address.
    """
    data = _with_plain_signs(data)
    users: dict[int, int] | None = None
    floor = 0
    for sign in _SIGN.finditer(data):
        at, after = sign.span()
        if at < floor:
            continue
        if users is None:
            users = {match.end(1): match.start(1) for match in _USER_INFORMATION.finditer(data)}
        before, floor = floor, after
        if at in users:
            # The host of a URL follows. What only masks and signs are left of is masked already.
            if data[users[at] : at].strip(b"*@"):
                yield Email(users[at], at, None)
            continue
        if at == before:
            # A line may be made only of signs.
            continue
        start, is_quoted = _local_start(data, before, at)
        end = _domain_end(data, after, is_quoted=is_quoted, is_cut=is_cut, length=at - start)
        if end is not None and _LETTER.search(data, start, at):
            floor = end
            yield Email(start, end, data[start:at] + b"@" + data[after:end])
    if is_cut:
        yield from _cut_in_sign(data, floor)


def _with_plain_signs(data: bytes) -> bytes:
    if data.find(b"\xef") >= 0:
        for other in _OTHER_SIGNS:
            data = data.replace(other, _LONG_SIGN)
    return data


def _cut_in_sign(data: bytes, floor: int) -> Iterator[Email]:
    """Gives the address that ends in the middle of its encoded sign."""
    sign = _CUT_SIGN.search(data, max(floor, len(data) - _LONGEST_CUT_SIGN))
    if sign is not None:
        start, _ = _local_start(data, floor, sign.start())
        if start < sign.start():
            yield Email(start, len(data), data[start:])


def _local_start(data: bytes, floor: int, at: int) -> tuple[int, bool]:
    """Returns where the part in front of the sign begins, and whether it is quoted."""
    if at - 1 > floor and data[at - 1 : at] == b'"':
        floor = max(floor, at - _LONGEST_QUOTED)
        # A server puts a backslash before each mark, and more before one that was escaped itself.
        depth = _backslashes(data, floor, at - 1)
        content_end = at - 1 - depth
        mark = data.rfind(b'"', floor, content_end)
        while mark >= 0 and _backslashes(data, floor, mark) > depth:
            mark = data.rfind(b'"', floor, mark)
        content = data[mark + 1 : content_end]
        # Else the marks are those around two fields of a line.
        if mark >= 0 and content and content == content.strip():
            return mark - _backslashes(data, floor, mark), True
    return at - len(trailing(data[floor:at], _LOCAL_BYTES)), False


def _domain_end(
    data: bytes, start: int, *, is_quoted: bool, is_cut: bool, length: int
) -> int | None:
    """Returns where the domain ends that begins here; None: there is none."""
    if is_cut and (cut := _CUT_DOMAIN.match(data, start)) is not None:
        return cut.end()
    if is_quoted:
        host = _ANY_HOST.match(data, start)
        return None if host is None else host.end()
    dotted = _DOTTED.match(data, start)
    if dotted is not None:
        return dotted.end() if _is_domain(dotted[0]) else None
    dotless = _DOTLESS.match(data, start)
    if dotless is None and length > 1:
        # A server has cut the field.
        dotless = _CUT_FIELD.match(data, start)
    return None if dotless is None else dotless.end()


def _is_domain(text: bytes) -> bool:
    if _IPV4.fullmatch(text):
        return True
    return not text.rpartition(b".")[2].isdigit() and _VERSION.fullmatch(text) is None


def _backslashes(data: bytes, floor: int, end: int) -> int:
    """Returns how many backslashes stand in front of a place."""
    return len(trailing(data[floor:end], b"\\"))


def trailing(text: bytes, allowed: bytes) -> bytes:
    """Returns the end of a text that is made of these bytes only."""
    return text[len(text.rstrip(allowed)) :]
