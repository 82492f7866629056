"""The parts of the MaxMind DB file format that are needed to write a database.

A file is a binary search tree, 16 zero bytes, a data section and the metadata. A node of
the tree is a pair of records; a record below the node count names a node, the node count
itself means "not found", and anything above points into the data section. Reading single
addresses is left to the ``maxminddb`` package; here whole trees are handled as arrays, which
is what makes rewriting millions of nodes a matter of seconds.

Source of the facts: the MaxMind DB File Format Specification, version 2.0.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import maxminddb
import numpy as np
from numpy.typing import NDArray

from udfs.errors import DatabaseError

type Records = NDArray[np.int64]
"""One value per node: the left or the right records of a tree."""

METADATA_MARKER = b"\xab\xcd\xefMaxMind.com"
SEPARATOR_BYTES = 16
RECORD_SIZES = (24, 28, 32)
ADDRESS_BITS = 128

_POINTER, _STRING, _DOUBLE, _MAP, _ARRAY = 1, 2, 3, 7, 11
_UNSIGNED = {16: 5, 32: 6, 64: 9}
_FIRST_EXTENDED_TYPE = 8


@dataclass(frozen=True, slots=True)
class Tree:
    """A search tree whose records beyond the node count are still data section offsets.

    Attributes:
        left: Per node, the record for a 0 bit.
        right: Per node, the record for a 1 bit.
            In both, a value below the number of nodes is a node, the number of nodes is
            "not found", and larger ones are the number of nodes + 1 + the offset of a record
            in the data section.
    """

    left: Records
    right: Records

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return len(self.left)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a database says of itself.

    Attributes:
        database_type: Its kind; ``geoip2`` reads cities from types whose name has ``City``.
        description: One English sentence.
        build_epoch: When it was built, in seconds since 1970.
    """

    database_type: str
    description: str
    build_epoch: int


@dataclass(frozen=True, slots=True)
class Database:
    """A database file taken apart.

    Attributes:
        tree: Its search tree.
        data: Its data section.
        ip_version: 4 or 6.
        build_epoch: When it was built, in seconds since 1970.
    """

    tree: Tree
    data: bytes
    ip_version: int
    build_epoch: int


def encode_text(text: str) -> bytes:
    """Encodes a string."""
    content = text.encode()
    return _control(_STRING, len(content)) + content


def encode_double(number: float) -> bytes:
    """Encodes a 64-bit floating point number."""
    return _control(_DOUBLE, 8) + struct.pack(">d", number)


def encode_unsigned(number: int, bits: int) -> bytes:
    """Encodes a whole number of at most 16, 32 or 64 bits; readers insist on the width."""
    content = number.to_bytes((number.bit_length() + 7) // 8)
    return _control(_UNSIGNED[bits], len(content)) + content


def encode_array(items: Sequence[bytes]) -> bytes:
    """Encodes an array of items that are encoded already."""
    return _control(_ARRAY, len(items)) + b"".join(items)


def encode_map(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encodes a map of keys and values that are encoded already (or are pointers)."""
    pairs = list(items)
    return _control(_MAP, len(pairs)) + b"".join(key + value for key, value in pairs)


def encode_pointer(offset: int) -> bytes:
    """Encodes a pointer to an offset of the data section, as short as it can be."""
    if offset < 0x800:
        return struct.pack(">H", _POINTER << 13 | offset)
    if offset < 0x800 + 0x80000:
        return (_POINTER << 21 | 1 << 19 | offset - 0x800).to_bytes(3)
    if offset < 0x80800 + 0x8000000:
        return (_POINTER << 29 | 2 << 27 | offset - 0x80800).to_bytes(4)
    return bytes([_POINTER << 5 | 3 << 3]) + offset.to_bytes(4)


def _control(kind: int, size: int) -> bytes:
    first = 0 if kind >= _FIRST_EXTENDED_TYPE else kind << 5
    extended = bytes([kind - 7]) if kind >= _FIRST_EXTENDED_TYPE else b""
    if size < 29:
        return bytes([first | size]) + extended
    if size < 285:
        return bytes([first | 29]) + extended + bytes([size - 29])
    return bytes([first | 30]) + extended + (size - 285).to_bytes(2)


class DataSection:
    """A data section in the making; equal parts are stored once and pointed to."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._offsets: dict[bytes, int] = {}

    def add(self, encoded: bytes) -> int:
        """Stores an encoded value, unless an equal one is there, and returns its offset."""
        offset = self._offsets.get(encoded)
        if offset is None:
            offset = len(self._content)
            self._offsets[encoded] = offset
            self._content += encoded
        return offset

    def share(self, encoded: bytes) -> bytes:
        """Stores an encoded value once and returns a pointer to it."""
        return encode_pointer(self.add(encoded))

    def __bytes__(self) -> bytes:
        return bytes(self._content)


def read(path: Path) -> Database:
    """Takes a database file apart.

    Raises:
        DatabaseError: The file is missing or not a sound MaxMind DB file.
    """
    try:
        # MODE_FILE checks the structure without mapping or copying the file.
        with maxminddb.open_database(path, maxminddb.MODE_FILE) as reader:
            metadata = reader.metadata()
        content = path.read_bytes()
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise DatabaseError(str(path), str(error)) from error
    nodes, size = metadata.node_count, metadata.record_size
    tree_bytes = nodes * size // 4
    marker = content.rfind(METADATA_MARKER)
    if size not in RECORD_SIZES or marker < tree_bytes + SEPARATOR_BYTES:
        raise DatabaseError(str(path), "the search tree does not fit in the file")
    return Database(
        tree=_unpack(content[:tree_bytes], size),
        data=content[tree_bytes + SEPARATOR_BYTES : marker],
        ip_version=metadata.ip_version,
        build_epoch=metadata.build_epoch,
    )


def _unpack(content: bytes, size: int) -> Tree:
    raw = np.frombuffer(content, dtype=np.uint8).reshape(-1, size // 4)
    nodes = len(raw)
    column = [raw[:, index].astype(np.int64) for index in range(size // 4)]
    if size == 24:
        left = column[0] << 16 | column[1] << 8 | column[2]
        right = column[3] << 16 | column[4] << 8 | column[5]
    elif size == 28:
        # The byte in the middle holds the high 4 bits of both records.
        left = column[3] >> 4 << 24 | column[0] << 16 | column[1] << 8 | column[2]
        right = (column[3] & 0x0F) << 24 | column[4] << 16 | column[5] << 8 | column[6]
    else:
        left = column[0] << 24 | column[1] << 16 | column[2] << 8 | column[3]
        right = column[4] << 24 | column[5] << 16 | column[6] << 8 | column[7]
    for records in (left, right):
        # In the file a data record is node count + 16 + offset.
        records[records > nodes] -= SEPARATOR_BYTES - 1
    return Tree(left, right)


def _pack(tree: Tree, size: int) -> bytes:
    raw = np.empty((tree.nodes, size // 4), dtype=np.uint8)
    left, right = tree.left.copy(), tree.right.copy()
    for records in (left, right):
        records[records > tree.nodes] += SEPARATOR_BYTES - 1
    for index in range(3):
        # The low 3 bytes of a record lie together, in every size.
        raw[:, size // 8 - 3 + index] = left >> (16 - 8 * index) & 0xFF
        raw[:, size // 4 - 3 + index] = right >> (16 - 8 * index) & 0xFF
    if size == 28:
        raw[:, 3] = left >> 24 << 4 | right >> 24
    elif size == 32:
        raw[:, 0] = left >> 24
        raw[:, 4] = right >> 24
    return raw.tobytes()


def grow_tree(networks: Iterable[tuple[int, int, int]]) -> Tree:
    """Builds a tree from networks that do not overlap.

    Args:
        networks: First address as a 128-bit number, prefix length in bits, and the offset
            of the network's record in the data section.
    """
    empty = -1
    children: list[list[int]] = [[empty, empty]]
    for address, prefix, offset in networks:
        node = 0
        for depth in range(prefix - 1):
            bit = address >> (ADDRESS_BITS - 1 - depth) & 1
            if children[node][bit] == empty:
                children[node][bit] = len(children)
                children.append([empty, empty])
            node = children[node][bit]
        # Offsets are told from nodes by being below 'empty' until the count is known.
        children[node][address >> (ADDRESS_BITS - prefix) & 1] = empty - 1 - offset
    records = np.array(children, dtype=np.int64)
    nodes = len(records)
    records = np.where(records < empty, nodes + 1 + (empty - 1 - records), records)
    records[records == empty] = nodes
    return Tree(records[:, 0].copy(), records[:, 1].copy())


def write(path: Path, tree: Tree, data: bytes, metadata: Metadata) -> None:
    """Writes an IPv6 database (IPv4 below ``::/96``), whole or not at all.

    Args:
        path: Where to; its folder is made if missing.
        tree: The search tree.
        data: The data section.
        metadata: What it is to say of itself.

    Raises:
        DatabaseError: More data than the format can address.
        OSError: The file cannot be written.
    """
    largest = tree.nodes + SEPARATOR_BYTES + len(data)
    size = next((size for size in RECORD_SIZES if largest < 1 << size), None)
    if size is None:
        raise DatabaseError(str(path), "too large for the format")
    tail = METADATA_MARKER + _encode_metadata(metadata, tree.nodes, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A reader may have the old file open: it keeps it, and never sees half of the new one.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        temporary = Path(file.name)
        try:
            for part in (_pack(tree, size), bytes(SEPARATOR_BYTES), data, tail):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _encode_metadata(metadata: Metadata, nodes: int, size: int) -> bytes:
    english = encode_text("en")
    items = {
        "binary_format_major_version": encode_unsigned(2, 16),
        "binary_format_minor_version": encode_unsigned(0, 16),
        "build_epoch": encode_unsigned(metadata.build_epoch, 64),
        "database_type": encode_text(metadata.database_type),
        "description": encode_map([(english, encode_text(metadata.description))]),
        "ip_version": encode_unsigned(6, 16),
        "languages": encode_array([english]),
        "node_count": encode_unsigned(nodes, 32),
        "record_size": encode_unsigned(size, 16),
    }
    return encode_map((encode_text(key), item) for key, item in items.items())
