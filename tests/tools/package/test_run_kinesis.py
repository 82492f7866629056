"""The complete zip with its connectors, run as in the service between Kinesis streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import service
from tests.support.core import DEMO_DATABASE, sample_lines
from tests.support.packages import unpack
from tests.support.streams import ENVIRONMENT, Streams
from tests.support.waiting import wait_until
from tools.package.command import JobPackageOptions, build
from tools.package.layout import read_manifest
from udfs.config.file import dump_properties

LINES = 2_000
pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]


def test_streams_in_and_out(
    connector_jar: Path, interpreter: Path, streams: Streams, tmp_path: Path
) -> None:
    archive = build(
        JobPackageOptions(out=tmp_path / "dist", jar=connector_jar, geoip=DEMO_DATABASE)
    )
    manifest = read_manifest(archive)
    code = tmp_path / "code"
    unpack(archive, code)
    streams.create({"packaged-in": 2, "packaged-out": 2})
    lines = [line.decode() for line in sample_lines()[:LINES]]
    # Every other line goes into the other shard.
    streams.put("packaged-in", [(str(n % 2 << 127), line) for n, line in enumerate(lines)])
    properties = tmp_path / "properties.json"
    dump_properties(
        {
            "weblog.geoip": {"database.path": str(manifest.geoip)},
            "weblog.source": streams.source("packaged-in", initial_position="TRIM_HORIZON"),
            "weblog.sink.out": streams.sink("packaged-out"),
            "weblog.outputs": {"enriched": "out"},
        },
        properties,
    )

    process = service.start(
        interpreter,
        code,
        run_options=manifest.run_options(),
        properties=properties,
        work=tmp_path / "work",
        environment=ENVIRONMENT,
    )
    try:
        wait_until(
            lambda: len(streams.rows("packaged-out")) >= LINES,
            "all records",
            still=lambda: process.poll() is None,
        )
    finally:
        service.stop(process)

    rows = streams.rows("packaged-out")
    assert len(rows) == LINES
    # The sample has a few lines twice, whose id is made of the line.
    assert len({row["event_id"] for row in rows}) == len(set(lines)) < LINES
    assert {(row["host"], row["request"]) for row in rows} == {
        (line.split()[0], line.split('"')[1]) for line in lines
    }
    assert all(row["country"] for row in rows)
