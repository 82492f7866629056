"""What every figure of one run is measured on: logs, a City database, sizes."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, cycle, islice, product
from pathlib import Path
from string import ascii_uppercase
from tempfile import TemporaryDirectory

import numpy as np
from mmdb_writer import METADATA_MAGIC, Encoder

from tools.bench.made_log import made_log, mix
from tools.run.command import SAMPLE_LOG
from udfs.config.file import PropertyGroups
from udfs.errors import WebLogError


@dataclass(frozen=True, slots=True)
class Setup:
    """What a figure gets: the run's folder with its files, and the sizes that it keeps to."""

    work: Path
    records: int
    database: Path
    latency_seconds: float
    jar: Path | None = None
    """The AWS connectors; else they are where `./build.sh package` puts them."""

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Yields a folder for one figure, on the run's own disk; removed afterwards."""
        with TemporaryDirectory(dir=self.work, ignore_cleanup_errors=True) as name:
            yield Path(name)

    def log(self, name: str = "made") -> Path:
        """Returns a whole log, `made` or `sample`, as a gzip file, which Flink does not split."""
        return self.work / f"{name}.gz"

    @property
    def halves(self) -> Path:
        """Returns the folder with the made log dealt out in turn to two files."""
        return self.work / "halves"

    @property
    def core_properties(self) -> PropertyGroups:
        """Returns the core's settings: the defaults, with this database and the logs' own hosts."""
        return {
            "weblog.site": {"internal.hosts": "semicomplete.com, example.com"},
            "weblog.geoip": {"database.path": str(self.database)},
        }


def make_logs(setup: Setup, seed: int) -> None:
    """Writes the made log, whole and in halves, and the bundled one repeated."""
    setup.halves.mkdir()
    paths = setup.log(), setup.log("halves/even"), setup.log("halves/odd")
    with _packed(paths[0]) as whole, _packed(paths[1]) as even, _packed(paths[2]) as odd:
        for line, half in zip(made_log(setup.records, seed), cycle((even, odd)), strict=False):
            whole.write(line)
            half.write(line)
    with _packed(setup.log("sample")) as sample:
        sample.writelines(repeated(SAMPLE_LOG, setup.records))


def _packed(path: Path) -> gzip.GzipFile:
    # Level 1: written once, read a few times.
    return gzip.open(path, "wb", compresslevel=1)


_DATE = re.compile(rb"(?<=\[)\d\d/[A-Z][a-z]{2}/\d{4}(?=:)")


def repeated(path: Path, records: int) -> Iterator[bytes]:
    """Returns the lines of a gzipped log again and again, each time days later, with new times.

    Raises:
        WebLogError: So many would reach the future, from which lines are refused.
    """
    log = gzip.decompress(path.read_bytes())
    texts = {*_DATE.findall(log)}
    days = {text: datetime.strptime(f"{text.decode()}Z", "%d/%b/%Y%z") for text in texts}
    step = max(days.values()) - min(days.values()) + timedelta(days=1)
    repeats = -(-records // log.count(b"\n"))
    if max(days.values()) + repeats * step > datetime.now(UTC):
        raise WebLogError(f"{records} lines of {path} would reach beyond the present")

    def moved(number: int) -> list[bytes]:
        dates = {text: f"{day + number * step:%d/%b/%Y}".encode() for text, day in days.items()}
        return _DATE.sub(lambda date: dates[date[0]], log).splitlines(keepends=True)

    return islice(chain.from_iterable(map(moved, range(repeats))), records)


FULL_DEPTH = 23
"""Bits of a network: 8 million networks, about the size of DB-IP City Lite."""
_PREFIX, _SEPARATOR = 96, bytes(16)
_CITIES = ("Aldersund", "Bromo", "Caer Wen", "Dörrfeld", "Estrelada", "Fonteval", "Göksu", "Hira")
_COUNTRIES = ["".join(letters) for letters in product(ascii_uppercase, repeat=2)][:250]


def make_city_database(path: Path, depth: int = FULL_DEPTH) -> None:
    """Writes a made City database; the same depth (8 to 24) gives the same file.

    How long a look-up takes depends on the depth of the tree and on how far apart its nodes and
    records lie. So this one is a full binary tree over the IPv4 addresses, with many places in
    shuffled order.
    """
    networks = 1 << depth
    nodes = _PREFIX + networks - 1
    encoder = Encoder()
    # A place has 32 networks.
    places = map(_location, range(networks >> 5))
    offsets = [encoder.encode(place, return_offset=True) for place in places]
    draw = np.random.Generator(np.random.PCG64(5))
    # A record beyond the nodes points into the data; the number of nodes says "not found".
    leaves = nodes + len(_SEPARATOR) + draw.choice(offsets, networks)
    leaves[draw.random(networks) < 0.03] = nodes
    leaves[10 << depth - 8 : 11 << depth - 8] = nodes  # the private ones of the made log
    # A chain of 96 nodes for `::/96`, and below it a full tree numbered level by level.
    tree = np.empty((nodes, 2), dtype=">u4")
    tree[:_PREFIX] = [(node + 1, nodes) for node in range(_PREFIX)]
    tree[_PREFIX:] = (_PREFIX + 1 + np.arange(2 * networks - 2)).reshape(-1, 2)
    tree[-networks // 2 :] = leaves.reshape(-1, 2)
    metadata = {
        "binary_format_major_version": 2, "binary_format_minor_version": 0,
        "build_epoch": 1_735_689_600, "database_type": "Made-City",
        "description": {"en": "Made for measuring; no place in it is real."},
        "ip_version": 6, "languages": ["en"], "node_count": nodes, "record_size": 32,
    }  # fmt: skip
    with path.open("wb") as file:
        file.write(tree.tobytes() + _SEPARATOR)
        file.writelines(encoder.data_list)
        file.write(METADATA_MAGIC + Encoder(cache=False).encode_meta(metadata))


def _location(number: int) -> dict[str, object]:
    code = _COUNTRIES[mix(number, 32) % len(_COUNTRIES)]
    return {
        "city": {"names": {"en": f"{_CITIES[mix(number, 31) % len(_CITIES)]} {number}"}},
        "country": {"iso_code": code, "names": {"en": f"Land {code}"}},
        "location": {
            "latitude": (mix(number, 33) % 1_700_000 - 850_000) / 10_000,
            "longitude": (mix(number, 34) % 3_600_000 - 1_800_000) / 10_000,
        },
    }
