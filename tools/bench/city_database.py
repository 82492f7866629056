"""A made City database as large as a real one, for machines that have none.

How long a look-up takes depends on the depth of the tree and on how far apart in memory its
nodes and records lie, not on what the records say. So this one is a full binary tree over
the address space with many thousand distinct places, in the order of a shuffled pack.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import numpy as np
from mmdb_writer import METADATA_MAGIC, Encoder
from numpy.typing import NDArray

from tools.bench.mixing import mix
from udfs.enrich.countries import country_names

DATABASE_TYPE = "Made-City"
FULL_DEPTH = 23
"""Bits of an IPv4 network: 8 million networks, about the size of DB-IP City Lite."""

_PREFIX = 96
_SEPARATOR = bytes(16)
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
    # A chain of 96 nodes for `::/96`, and below it a full tree numbered level by level.
    nodes = _PREFIX + networks - 1
    encoder = Encoder()
    places = np.array(
        [
            encoder.encode(_place(number), return_offset=True)
            for number in range(max(1, int(networks * _PLACES_PER_NETWORK)))
        ]
    )
    draw = np.random.Generator(np.random.PCG64(_SEED))
    # A record beyond the nodes points into the data; the number of nodes says "not found".
    leaves = nodes + len(_SEPARATOR) + places[draw.integers(0, len(places), networks)]
    leaves[draw.random(networks) < _UNKNOWN] = nodes
    for network in map(IPv4Network, _NOT_GLOBAL):
        first = int(network.network_address) >> (32 - depth)
        leaves[first : first + max(1, network.num_addresses >> (32 - depth))] = nodes
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": _BUILT,
        "database_type": DATABASE_TYPE,
        "description": {"en": "Made for measuring; no place in it is real."},
        "ip_version": 6,
        "languages": ["en"],
        "node_count": nodes,
        "record_size": 32,
    }
    with path.open("wb") as file:
        file.write(_tree(nodes, leaves).tobytes() + _SEPARATOR)
        file.writelines(encoder.data_list)
        file.write(METADATA_MAGIC + Encoder(cache=False).encode_meta(metadata))


_NAMES = ("Aldersund", "Bromo", "Caer Wen", "Dörrfeld", "Estrelada", "Fonteval", "Göksu", "Hiraoka")


def _place(number: int) -> dict[str, object]:
    code, name = list(country_names().items())[mix(number, 32) % len(country_names())]
    return {
        "city": {"names": {"en": f"{_NAMES[mix(number, 31) % len(_NAMES)]} {number}"}},
        "country": {"iso_code": code, "names": {"en": name}},
        "location": {
            "latitude": (mix(number, 33) % 1_700_000 - 850_000) / 10_000,
            "longitude": (mix(number, 34) % 3_600_000 - 1_800_000) / 10_000,
        },
    }


def _tree(nodes: int, leaves: NDArray[np.int64]) -> NDArray[np.uint32]:
    """A pair of records for each node; those of the lowest level are the leaves."""
    tree = np.empty((nodes, 2), dtype=">u4")
    tree[:_PREFIX] = [(node + 1, nodes) for node in range(_PREFIX)]
    inner = np.arange(nodes - _PREFIX)
    tree[_PREFIX:, 0] = _PREFIX + 2 * inner + 1
    tree[_PREFIX:, 1] = _PREFIX + 2 * inner + 2
    tree[-len(leaves) // 2 :] = leaves.reshape(-1, 2)
    return tree
