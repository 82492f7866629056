"""Reads a file in MaxMind's format whole, before anything else relies on it.

The C reader, which does the look-ups, ends the process on some damaged files (a map's key that is
no text), and then nobody learns which file it was. The reader in Python cannot crash. Its decoder
reads each record of the data once, not once for each of the networks that share it: so it takes
less time than a child process with the C reader would, which only walks the networks. And an
embedded interpreter (Flink's thread mode) has no Python to start a child with.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import maxminddb
from maxminddb.decoder import Decoder
from maxminddb.reader import Metadata

ALL_RECORDS = sys.maxsize
SOME_RECORDS = 50_000
"""Records that are read of a large file where somebody waits for it."""

_METADATA_MARK = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = 16
_NODES_AT_A_TIME = 65_536
_HIGH_HALF = bytes(byte >> 4 for byte in range(256))
_LOW_HALF = bytes(byte & 15 for byte in range(256))


def read_metadata(path: Path) -> Metadata:
    """Returns what a file says of itself.

    Raises:
        maxminddb.InvalidDatabaseError: It is no MaxMind DB, or is damaged there.
        OSError: The file cannot be read.
    """
    try:
        with maxminddb.reader.Reader(path, maxminddb.MODE_MMAP) as reader:
            metadata = reader.metadata()
        datetime.fromtimestamp(metadata.build_epoch, UTC)
        kind: object = metadata.database_type
        sound = isinstance(kind, str) and _has_text_keys(metadata.description)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise maxminddb.InvalidDatabaseError("the metadata is none") from error
    if not sound:
        raise maxminddb.InvalidDatabaseError("the metadata is none")
    return metadata


def check_file(
    path: Path, metadata: Metadata, read: Callable[[Any], object], most_records: int
) -> None:
    """Reads every node of the search tree, and records of the data evenly spread.

    A byte that makes one sound record into another cannot be found: the format has no checksum.

    Args:
        path: The file.
        metadata: What it says of itself.
        read: Takes each record; what it raises is not caught.
        most_records: How many records are read at most.

    Raises:
        maxminddb.InvalidDatabaseError: The file is corrupt.
        OSError: The file cannot be read.
    """
    start = metadata.search_tree_size + _SEPARATOR
    # A pointer counts from behind the numbers of the nodes.
    base = metadata.search_tree_size - metadata.node_count
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as buffer:
        pointers = sorted(_pointers(buffer, metadata))
        if pointers:
            end = buffer.rfind(_METADATA_MARK) - base
            if not start - base <= pointers[0] <= pointers[-1] < end:
                raise maxminddb.InvalidDatabaseError("the tree points outside of the data")
        decode = Decoder(buffer, start).decode
        for pointer in pointers[:: max(1, ceil(len(pointers) / most_records))]:
            read(_decoded(decode, pointer + base))


def _pointers(buffer: mmap, metadata: Metadata) -> set[int]:
    """Returns the pointers of the tree to the data.

    Raises:
        maxminddb.InvalidDatabaseError: There is a node that no other leads to.
    """
    nodes, size = metadata.node_count, metadata.node_byte_size
    reached = bytearray(nodes)
    reached[:1] = b"\1"
    pointers = set()
    for first in range(0, nodes, _NODES_AT_A_TIME):
        chunk = buffer[first * size : min(first + _NODES_AT_A_TIME, nodes) * size]
        for child in _children(chunk, metadata.record_size):
            if child < nodes:
                reached[child] = 1
            elif child != nodes:
                pointers.add(child)
    if 0 in reached:
        raise maxminddb.InvalidDatabaseError("the tree has a loose node")
    return pointers


def _children(nodes: bytes, bits: int) -> array[int]:
    """Returns the two numbers of each node, of 24, 28 or 32 bits, one behind the other."""
    if bits == 32:
        wide = bytearray(nodes)
    else:
        wide = bytearray(len(nodes) // (bits // 4) * 8)
        if bits == 24:
            for byte in range(3):
                wide[byte + 1 :: 4] = nodes[byte::3]
        else:
            # The byte between the two numbers holds the highest four bits of each.
            wide[0::8] = nodes[3::7].translate(_HIGH_HALF)
            wide[4::8] = nodes[3::7].translate(_LOW_HALF)
            for byte in range(3):
                wide[byte + 1 :: 8] = nodes[byte::7]
                wide[byte + 5 :: 8] = nodes[byte + 4 :: 7]
    numbers = array("I", bytes(wide))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _decoded(decode: Callable[[int], tuple[Any, int]], offset: int) -> Any:
    try:
        record, _ = decode(offset)
    except (TypeError, UnicodeDecodeError) as error:
        # A key that is a map or a list; a text that is none.
        raise maxminddb.InvalidDatabaseError("a record is none") from error
    if not _has_text_keys(record):
        raise maxminddb.InvalidDatabaseError("a key is no text")
    return record


def _has_text_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(
            map(_has_text_keys, value.values())
        )
    return not isinstance(value, list) or all(map(_has_text_keys, value))
