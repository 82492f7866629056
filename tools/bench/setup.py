"""What every figure of one run is measured on: input files, database, sizes."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from flink_app.connector import SINK_GROUP_PREFIX, SOURCE_GROUP
from flink_app.settings import OUTPUTS_GROUP
from tools.bench.city_database import FULL_DEPTH, make_city_database
from tools.bench.made_log import MadeLog
from tools.bench.sample_log import RepeatedLog
from tools.run.command import SAMPLE_LOG
from udfs.config.file import (
    DEFAULT_FILE,
    PropertyGroups,
    dump_properties,
    load_properties,
)

SINK = "bench"


@dataclass(frozen=True, slots=True)
class Input:
    """One log as gzip files, which Flink reads in order and does not split.

    Attributes:
        whole: All lines.
        halves: The same dealt out in turn to two files, as to two shards.
        records: Number of lines.
        bytes: Their size, line breaks included.
        sha256: Digest of the lines.
    """

    whole: str
    halves: tuple[str, str]
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What a figure is told; it travels to the figure's process as JSON.

    Attributes:
        work: Folder of this run's files.
        made: The made log.
        sample: The bundled log repeated.
        log: The one of the two that jobs and loops read: `made` or `sample`.
        memory: The made log for the memory figures.
        database: The City database.
        latency_seconds: How long latency is measured.
        latency_rate: Lines a second meanwhile.
        jar: The AWS connectors; None: where `./build.sh package` puts them.
    """

    work: str
    made: Input
    sample: Input
    log: str
    memory: Input
    database: str
    latency_seconds: float
    latency_rate: float
    jar: str | None = None

    @property
    def input(self) -> Input:
        """What jobs and loops read."""
        return self.made if self.log == "made" else self.sample

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Setup:
        """Reads what `to_json` wrote."""
        values = json.loads(text)
        for name in ("made", "sample", "memory"):
            found = values[name]
            values[name] = Input(**{**found, "halves": tuple(found["halves"])})
        return cls(**values)


def prepare(
    work: Path,
    *,
    records: int,
    memory_records: int,
    seed: int,
    log: str,
    database: Path | None,
    depth: int = FULL_DEPTH,
    latency_seconds: float = 20.0,
    latency_rate: float = 1000.0,
    jar: Path | None = None,
) -> Setup:
    """Makes the input files and, if none is given, a database.

    Args:
        work: Folder to write to.
        records: Lines of each log.
        memory_records: Lines of the log for the memory figures.
        seed: Of the made log.
        log: What jobs and loops read: `made` or `sample`.
        database: A City database; None makes one.
        depth: Size of a made one.
        latency_seconds: How long latency is measured.
        latency_rate: Lines a second meanwhile.
        jar: The AWS connectors, if not where `./build.sh package` puts them.
    """
    if database is None:
        database = work / "made-city.mmdb"
        make_city_database(database, depth)
    made = write_input(MadeLog(records, seed), work / "made")
    return Setup(
        work=str(work),
        made=made,
        sample=write_input(RepeatedLog(SAMPLE_LOG, records), work / "sample"),
        log=log,
        memory=made
        if memory_records == records
        else write_input(MadeLog(memory_records, seed), work / "memory"),
        database=str(database.resolve()),
        latency_seconds=latency_seconds,
        latency_rate=latency_rate,
        jar=None if jar is None else str(jar.resolve()),
    )


def write_input(lines: Iterable[bytes], folder: Path) -> Input:
    """Writes a log as one file and as two."""
    (folder / "halves").mkdir(parents=True)
    paths = [folder / "whole.gz", folder / "halves" / "even.gz", folder / "halves" / "odd.gz"]
    # Level 1: written once, read a few times.
    digest = hashlib.sha256()
    records = size = 0
    with ExitStack() as files:
        whole, *halves = [
            files.enter_context(gzip.open(path, "wb", compresslevel=1)) for path in paths
        ]
        for line in lines:
            whole.write(line)
            halves[records % 2].write(line)
            digest.update(line)
            records += 1
            size += len(line)
    even, odd = map(str, paths[1:])
    return Input(str(paths[0]), (even, odd), records, size, digest.hexdigest())


def read_lines(file: Input, count: int | None = None) -> list[bytes]:
    """The first lines, without line breaks."""
    with gzip.open(file.whole) as stream:
        return [
            line.rstrip(b"\n") for line, _ in zip(stream, range(count or 1 << 62), strict=False)
        ]


def core_properties(setup: Setup) -> PropertyGroups:
    """The project's own settings with the run's database."""
    properties = {
        name: group
        for name, group in load_properties(DEFAULT_FILE).items()
        if not name.startswith((SINK_GROUP_PREFIX, SOURCE_GROUP, OUTPUTS_GROUP))
    }
    # The made log's own host too, so that as many referrers are internal as a site has.
    properties["weblog.site"] = {"internal.hosts": "semicomplete.com, example.com"}
    properties["weblog.geoip"] = {"database.path": setup.database}
    return properties


def job_properties(
    setup: Setup, *, path: str, mode: str, outputs: str, sink: str
) -> PropertyGroups:
    """Settings of a job.

    Args:
        setup: The run's.
        path: Input file or folder.
        mode: `process` or `thread`.
        outputs: `enriched` for that output alone, `all` for all.
        sink: `discard`, or a folder to write files to.
    """
    properties = core_properties(setup)
    properties["weblog.job"] = properties.get("weblog.job", {}) | {"execution.mode": mode}
    properties[SOURCE_GROUP] = {"type": "filesystem", "path": path}
    properties[SINK_GROUP_PREFIX + SINK] = (
        {"type": "discard"} if sink == "discard" else {"type": "filesystem", "path": sink}
    )
    properties[OUTPUTS_GROUP] = (
        {"default": SINK} if outputs == "all" else {"default": "off", "enriched": SINK}
    )
    return properties


def write_properties(properties: PropertyGroups, folder: Path) -> Path:
    """Writes the file that the job reads."""
    path = folder / "application_properties.json"
    dump_properties(properties, path)
    return path
