"""A job that joins lines for Firehose, beside an output without lines to join."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import SharedCluster
from tests.support.lines import log_line
from tests.support.streams import Streams, delivery_arn

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

LINES, BAD_LINES = 2500, 20
OUTPUTS = ("enriched", "filtered", "dead_letters", "traffic_overview")
STEP = 5 * 1024


def test_each_line_is_in_one_record(
    connector_jar: Path, cluster: SharedCluster, streams: Streams, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    time = "28/Oct/2025:10:00:00 +0000"
    lines = [log_line(time, request=f"GET /{number} HTTP/1.1") for number in range(LINES)]
    lines[100:100] = ["\n", "no line of a log\n"] * BAD_LINES
    log.write_text("".join(lines), "utf-8")
    streams.create_bucket("packed")
    for output in OUTPUTS:
        # Without a processor, Firehose puts no line break between two records in a file.
        streams.create_delivery_stream(f"packed-{output}".replace("_", "-"), "packed")
    properties = {
        "weblog.source": {"type": "filesystem", "path": str(log)},
        "weblog.sink.lake": {
            "type": "firehose",
            "stream.arn": delivery_arn("packed-{output}"),
            "endpoint": streams.url,
            "pack.kib": "5",
        },
        "weblog.outputs": dict.fromkeys(OUTPUTS, "lake"),
    }
    plan = cluster.plans(properties)["outputs"].partition("== Optimized Execution Plan ==")[2]
    # The filter for the output's lines comes first, and each line crosses into Python once.
    packing = r"PythonCalc\(select=\[pack_lines\(body, 5120\) AS \S+\]\)\n +\+- Calc\(.* where="
    assert len(re.findall(packing, plan)) == plan.count("pack_lines") == 3
    with cluster.job(tmp_path, properties) as job:
        job.finish()

    enriched = records(streams, "enriched")
    assert sorted(request(row) for rows in enriched for row in rows) == sorted(range(LINES))
    assert max(map(size, enriched)) <= STEP
    # Records are full, but for the last one of each batch that Flink gives to Python.
    steps = sum(size(rows) for rows in enriched) / STEP
    assert len(enriched) < 1.5 * steps < LINES / 2
    for output in ("filtered", "dead-letters"):
        packed = records(streams, output)
        assert sum(map(len, packed)) == BAD_LINES > len(packed)
    assert [len(rows) for rows in records(streams, "traffic-overview")] == [1]


def records(streams: Streams, output: str) -> list[list[str]]:
    """Returns the lines of each record put."""
    files = streams.objects("packed", f"packed-{output}/")
    text = "".join(body.decode() for body in files.values())
    return [one.split("\n") for one in text.replace("}{", "}\0{").split("\0")]


def request(row: str) -> int:
    parsed: dict[str, Any] = json.loads(row)
    return int(parsed["webpage"])


def size(rows: list[str]) -> int:
    return sum(len(row.encode()) + 1 for row in rows)
