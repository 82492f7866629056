"""A made City database as large as a real one, for machines that have none.

How long a look-up takes depends on the depth of the tree and on how far apart in memory its
nodes and records lie, not on what the records say. So this one is a full binary tree over
the address space with many thousand distinct places, in the order of a shuffled pack.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.bench.mixing import mix
from tools.geoip import format as geoip_format
from tools.geoip.city import CitySection, Place, city_metadata
from tools.geoip.format import Records, Tree
from udfs.enrich.countries import country_names

DATABASE_TYPE = "Made-City"
FULL_DEPTH = 23
"""Bits of an IPv4 network: 8 million networks, about the size of DB-IP City Lite."""

_PREFIX = 96
_PLACES_PER_NETWORK = 1 / 32
_UNKNOWN = 0.03
_SEED = 5
_BUILT = 1_735_689_600
_NOT_GLOBAL = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "224.0.0.0/3",
)  # fmt: skip


def make_city_database(path: Path, depth: int = FULL_DEPTH) -> None:
    """Writes the database; the same depth gives the same file.

    Args:
        path: The file.
        depth: Bits of each IPv4 network, 8 to 24.

    Raises:
        OSError: The file cannot be written.
    """
    networks = 1 << depth
    section, offsets = _places(max(1, int(networks * _PLACES_PER_NETWORK)))
    draw = np.random.Generator(np.random.PCG64(_SEED))
    leaves = offsets[draw.integers(0, len(offsets), networks)]
    leaves[draw.random(networks) < _UNKNOWN] = _NOT_FOUND
    for network in map(IPv4Network, _NOT_GLOBAL):
        first = int(network.network_address) >> (32 - depth)
        leaves[first : first + max(1, network.num_addresses >> (32 - depth))] = _NOT_FOUND
    metadata = city_metadata(DATABASE_TYPE, "Made for measuring; no place in it is real.", _BUILT)
    geoip_format.write(path, _full_tree(leaves), bytes(section), metadata)


_NOT_FOUND = -1


def _places(count: int) -> tuple[CitySection, NDArray[np.int64]]:
    """A data section of so many places, and where in it each lies."""
    section = CitySection()
    codes = sorted(country_names())
    offsets = [
        section.add(
            Place(
                city=f"{_NAMES[mix(number, 31) % len(_NAMES)]} {number}",
                country_code=codes[mix(number, 32) % len(codes)],
                latitude=(mix(number, 33) % 1_700_000 - 850_000) / 10_000,
                longitude=(mix(number, 34) % 3_600_000 - 1_800_000) / 10_000,
            )
        )
        for number in range(count)
    ]
    return section, np.array(offsets, dtype=np.int64)


_NAMES = ("Aldersund", "Bromo", "Caer Wen", "Dörrfeld", "Estrelada", "Fonteval", "Göksu", "Hiraoka")


def _full_tree(leaves: Records) -> Tree:
    """A chain of 96 nodes for ``::/96``, and below it a full tree numbered level by level."""
    inner = len(leaves) - 1
    nodes = _PREFIX + inner
    numbers = np.arange(inner, dtype=np.int64)
    chain = np.arange(1, _PREFIX + 1, dtype=np.int64)
    left = np.concatenate([chain, _PREFIX + 2 * numbers + 1])
    right = np.concatenate([np.full(_PREFIX, nodes), _PREFIX + 2 * numbers + 2])
    # The lowest level points at records instead of nodes.
    records = np.where(leaves == _NOT_FOUND, nodes, nodes + 1 + leaves)
    lowest = len(leaves) // 2
    left[-lowest:] = records[0::2]
    right[-lowest:] = records[1::2]
    return Tree(left, right)
