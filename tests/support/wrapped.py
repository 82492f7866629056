"""Records as producers wrap them."""

from __future__ import annotations

import hashlib

from tests.support.core import KPL_MAGIC


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def member(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def aggregated(*lines: str | bytes) -> bytes:
    """Returns the library's format: magic bytes, a protocol buffer (keys, records), its MD5."""
    body = member(1, b"a") + b"".join(
        member(3, b"\x08\x00" + member(3, line if isinstance(line, bytes) else line.encode()))
        for line in lines
    )
    return KPL_MAGIC + body + hashlib.md5(body).digest()  # noqa: S324 - the format's
