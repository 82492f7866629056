"""The job between Kinesis streams: one run with every event of a shard's life.

There are three shards, of which one is always empty, and four subtasks, of which one has no shard.
Records hold several lines. While the job runs, one shard is split and two are merged. The stream
`throttled-pages` refuses every third row. At last only one shard gets lines, whose time closes all
windows.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.core import CITY_DATABASE
from tests.support.lines import log_line
from tests.support.rows import Row
from tests.support.streams import Streams
from udfs.config.core import CoreSettings, GeoIpSettings
from udfs.enrichment import Enricher
from udfs.outcomes import Enriched

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

HASH_KEYS = 2**128
SHARD_ONE, SHARD_TWO = HASH_KEYS // 3, HASH_KEYS // 3 * 2
HOSTS = tuple(f"203.0.113.{number}" for number in range(8))
LINES_A_RECORD = 5
LAST_MINUTES = 7


def hash_key(host: str) -> str:
    """Returns a host's hash key: half of the hosts are in each of the first two shards."""
    index = HOSTS.index(host)
    low = 0 if index % 2 == 0 else SHARD_ONE
    return str(low + index * (SHARD_ONE // len(HOSTS)))


def minute_of_lines(minute: int) -> list[tuple[str, str]]:
    """Returns a record of several lines for each host; the last line has no line break."""
    return [
        (
            hash_key(host),
            "".join(
                log_line(
                    f"28/Oct/2025:10:{minute:02}:{10 * second:02} +0000",
                    host=host,
                    request=f"GET /page?minute={minute}&second={second} HTTP/1.1",
                    status=404 if second == 0 else 200,
                )
                for second in range(LINES_A_RECORD)
            ).removesuffix("\n"),
        )
        for host in HOSTS
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    put: list[str]
    enriched: dict[str, list[tuple[str, bytes]]]
    dead_letters: list[Row]
    late: list[Row]
    windows: list[Row]
    pages: list[Row]
    refused: int


@pytest.fixture(scope="module")
def outcome(
    connector_jar: Path,
    cluster: SharedCluster,
    streams: Streams,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcome:
    streams.create(
        {"in": 3, "enriched": 4, "other": 1, "late": 1, "windows": 1, "throttled-pages": 2}
    )
    properties = {
        "weblog.geoip": {"database.path": str(CITY_DATABASE)},
        "weblog.source": streams.source(
            "in", initial_position="TRIM_HORIZON", shard_discovery_interval="10 s"
        ),
        "weblog.windows": {"out.of.orderness": "5 s", "idle.timeout": "2 s"},
        "weblog.sink.enriched": streams.sink("enriched"),
        "weblog.sink.other": streams.sink("other"),
        "weblog.sink.late": streams.sink("late"),
        "weblog.sink.windows": streams.sink("windows"),
        "weblog.sink.pages": streams.sink("throttled-pages"),
        "weblog.outputs": {
            "enriched": "enriched",
            "dead_letters": "other",
            "late": "late",
            "traffic_overview": "windows",
            "errors_per_page": "pages",
        },
    }
    put: list[str] = []

    def put_lines(records: list[tuple[str, str]]) -> None:
        streams.put("in", records)
        put.extend(data for _, data in records)

    def arrived() -> bool:
        lines = sum(data.count("\n") + 1 for data in put)
        return len(streams.rows("enriched")) + len(streams.rows("other")) == lines

    first = minute_of_lines(0)
    # The second line of the first record is no log line.
    first[0] = (first[0][0], first[0][1].replace("\n", "\nnot a log line\n", 1))
    put_lines(first)
    with cluster.job(tmp_path_factory.mktemp("job"), properties, parallelism=4) as job:
        job.wait_until(arrived, "the first records")
        for minute in (1, 2):
            put_lines(minute_of_lines(minute))
            job.wait_until(arrived, f"minute {minute}")

        one, two, _ = streams.shards("in")
        streams.client.split_shard(
            StreamName="in", ShardToSplit=one, NewStartingHashKey=str(SHARD_ONE // 2)
        )
        put_lines(minute_of_lines(3))
        job.wait_until(arrived, "what came after a split")
        *_, upper = streams.shards("in")
        streams.client.merge_shards(StreamName="in", ShardToMerge=upper, AdjacentShardToMerge=two)
        for minute in (4, 5):
            put_lines(minute_of_lines(minute))
            job.wait_until(arrived, "what came after a merge")

        # One host goes on, the only one: the other shards are idle.
        for minute in range(20, 20 + LAST_MINUTES):
            put_lines(minute_of_lines(minute)[:1])
        job.wait_until(arrived, "the last records")
        closed = 6 + LAST_MINUTES - 1
        job.wait_until(lambda: len(streams.rows("windows")) >= closed, "the windows")
        job.wait_until(lambda: len(streams.rows("throttled-pages")) >= closed, "the pages")
        # Flink fetches metrics from time to time, so the count may come after the rows.
        job.wait_until(lambda: job.metric("numRecordsSendErrors") > 0, "a count of refused rows")
        refused = job.metric("numRecordsSendErrors")
        letters = streams.rows("other")
        enriched = {
            shard: [(record["PartitionKey"], record["Data"]) for record in records]
            for shard, records in streams.records("enriched").items()
        }
        return Outcome(
            put=put,
            enriched=enriched,
            dead_letters=letters,
            late=streams.rows("late"),
            windows=streams.rows("windows"),
            pages=streams.rows("throttled-pages"),
            refused=refused,
        )


def test_each_line_of_each_record_comes_out_once_as_the_core_makes_it(outcome: Outcome) -> None:
    enricher = Enricher.create(CoreSettings(geoip=GeoIpSettings(database_path=CITY_DATABASE)))
    expected = Counter(
        one.json.encode()
        for data in outcome.put
        for one in enricher.process(data.encode())
        if isinstance(one, Enriched)
    )
    written = Counter(data for records in outcome.enriched.values() for _, data in records)
    assert written == expected
    assert len(outcome.dead_letters) == 1
    assert outcome.dead_letters[0]["raw"] == "not a log line"


def test_a_clients_records_share_its_key_and_their_order(outcome: Outcome) -> None:
    shards: dict[str, set[str]] = defaultdict(set)
    times: dict[str, list[str]] = defaultdict(list)
    for shard, records in outcome.enriched.items():
        for key, data in records:
            record = json.loads(data)
            assert key == record["host"]
            shards[key].add(shard)
            times[key].append(record["event_time"])
    assert set(shards) == set(HOSTS)
    assert all(len(found) == 1 for found in shards.values())
    # The connector's "fixed" partitioner would put all into one shard.
    assert len({shard for found in shards.values() for shard in found}) > 1
    assert all(found == sorted(found) for found in times.values())


def test_windows_close_beside_empty_idle_and_replaced_shards(outcome: Outcome) -> None:
    minutes = [*range(6), *range(20, 20 + LAST_MINUTES - 1)]
    requests = {
        f"2025-10-28T10:{minute:02}:00Z": LINES_A_RECORD * (len(HOSTS) if minute < 6 else 1)
        for minute in minutes
    }
    assert outcome.late == []
    assert {row["window_start"]: row["requests"] for row in outcome.windows} == requests
    assert len(outcome.windows) == len(requests)


def test_refused_rows_are_put_again_and_counted(outcome: Outcome) -> None:
    assert outcome.refused > 0
    pages = Counter((row["window_start"], row["webpage"]) for row in outcome.pages)
    assert set(pages.values()) == {1}
    assert {start for start, _ in pages} == {row["window_start"] for row in outcome.windows}
    # All outputs that share a stream can be kept apart.
    assert {row["output_name"] for row in outcome.pages} == {"errors_per_page"}
