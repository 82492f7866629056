"""The two stages as two jobs, with a second stream between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.core import CITY_DATABASE
from tests.support.lines import log_line
from tests.support.streams import Streams
from udfs.config.core import CoreSettings, GeoIpSettings
from udfs.enrichment import Enricher
from udfs.outcomes import Enriched

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

GEOIP = {"weblog.geoip": {"database.path": str(CITY_DATABASE)}}
MINUTES = 5


def lines() -> list[str]:
    return [
        log_line(
            f"28/Oct/2025:10:{minute:02}:{10 * second:02} +0000",
            host=f"81.2.69.{140 + second}",
            request=f"GET /page{second}?minute={minute} HTTP/1.1",
            status=404 if second == 0 else 200,
        )
        for minute in range(MINUTES)
        for second in range(6)
    ]


def test_basic_records_are_enriched_by_a_second_job(
    connector_jar: Path, cluster: SharedCluster, streams: Streams, tmp_path: Path
) -> None:
    streams.create({"raw": 2, "basic": 1, "basic-letters": 1, "full": 2, "windows-of-full": 1})
    good = lines()
    put = [*good, "not a log line"]
    streams.put("raw", [("0", "".join(put))])
    basic = {
        "weblog.pipeline": {"stage": "basic"},
        "weblog.source": streams.source("raw", initial_position="TRIM_HORIZON"),
        "weblog.sink.records": streams.sink("basic"),
        "weblog.sink.letters": streams.sink("basic-letters"),
        # The default stands for the outputs that the stage writes, so for no aggregates.
        "weblog.outputs": {"default": "letters", "enriched": "records"},
    }
    advanced = GEOIP | {
        "weblog.pipeline": {"stage": "advanced"},
        "weblog.source": streams.source("basic", initial_position="TRIM_HORIZON"),
        "weblog.windows": {"out.of.orderness": "5 s", "idle.timeout": "2 s"},
        "weblog.sink.records": streams.sink("full"),
        "weblog.sink.windows": streams.sink("windows-of-full"),
        "weblog.outputs": {"enriched": "records", "traffic_overview": "windows"},
    }
    with (
        cluster.job(tmp_path / "basic", basic) as first,
        cluster.job(tmp_path / "advanced", advanced) as job,
    ):
        first.wait_until(lambda: len(streams.rows("basic")) == len(good), "basic records")
        job.wait_until(lambda: len(streams.rows("full")) == len(good), "enriched records")
        job.wait_until(
            lambda: len(streams.rows("windows-of-full")) >= MINUTES - 1, "windows of both jobs"
        )

    assert all("country" not in row for row in streams.rows("basic"))
    (letter,) = streams.rows("basic-letters")
    assert letter["raw"] == "not a log line"
    written = sorted(
        record["Data"] for records in streams.records("full").values() for record in records
    )
    whole = Enricher.create(CoreSettings(geoip=GeoIpSettings(database_path=CITY_DATABASE)))
    outcomes = whole.process("".join(put).encode())
    assert written == sorted(one.json.encode() for one in outcomes if isinstance(one, Enriched))
    assert {json.loads(data)["country"] for data in written} >= {"United Kingdom"}
    # A stream of one shard keeps the order, so the windows are complete.
    assert {row["requests"] for row in streams.rows("windows-of-full")} == {6}
