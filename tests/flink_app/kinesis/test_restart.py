"""The start position of a job, and the duplicates after a kill in mid-stream."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster, own_cluster
from tests.support.lines import log_line
from tests.support.streams import ENVIRONMENT, Streams, arn
from tests.support.waiting import wait_until
from tools.run.kinesis.feeder import Feeder

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

LINES = 8000
RATE = 400
HASH_KEYS = 2**128


def line(number: int) -> str:
    minutes, seconds = divmod(number // 50, 60)
    return log_line(
        f"28/Oct/2025:10:{minutes % 60:02}:{seconds:02} +0000",
        host=f"203.0.113.{number % 40}",
        request=f"GET /page?line={number} HTTP/1.1",
    ).removesuffix("\n")


def test_a_killed_job_loses_nothing_and_its_duplicates_share_an_event_id(
    connector_jar: Path, cluster: SharedCluster, streams: Streams, tmp_path: Path
) -> None:
    streams.create({"killed-in": 2, "killed-out": 2, "killed-other": 1})
    properties = {
        "weblog.source": streams.source("killed-in", initial_position="TRIM_HORIZON"),
        "weblog.sink.out": streams.sink("killed-out"),
        "weblog.sink.other": streams.sink("killed-other"),
        "weblog.outputs": {"enriched": "out", "dead_letters": "other", "filtered": "other"},
    }

    def written() -> int:
        return sum(map(len, streams.records("killed-out").values()))

    def ids() -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = defaultdict(set)
        for records in streams.records("killed-out").values():
            for record in records:
                found[json.loads(record["Data"])["event_id"]].add(record["Data"])
        return found

    # As log agents do, the feeder goes on while the job runs, is killed and starts again.
    feeder = Feeder(streams.client, arn("killed-in"), RATE)
    lines = [line(number).encode() for number in range(LINES)]
    feeding = threading.Thread(target=feeder.feed, args=[lines])
    try:
        with own_cluster(
            tmp_path / "first", properties, jar=connector_jar, environment=ENVIRONMENT
        ) as first:
            # The job is up first: on a busy machine all lines would be there before it.
            first.wait_until(lambda: first.checkpoints() != [], "the first checkpoint")
            feeding.start()
            first.wait_until(lambda: written() > LINES // 10, "a tenth of the lines")
            before = first.checkpoints()[-1:]
            # The kill has to find output that the last checkpoint does not cover.
            first.wait_until(lambda: first.checkpoints()[-1:] not in ([], before), "another")
            covered = written()
            first.wait_until(lambda: written() > covered, "output after a checkpoint")
            first.kill()
            checkpoint = first.checkpoints()[-1]
        at_kill = written()
        assert at_kill < LINES
        recovery = {"execution.state-recovery.path": checkpoint.as_uri()}
        with cluster.job(tmp_path / "second", properties, extra=recovery) as second:
            second.wait_until(lambda: len(ids()) == LINES, "every line")
    finally:
        feeder.stop()
        if feeding.ident is not None:
            feeding.join()

    # A line that is written twice has the same id and the same bytes.
    assert all(len(bodies) == 1 for bodies in ids().values())
    duplicates = written() - LINES
    # Only lines written since the checkpoint are written twice.
    assert 0 <= duplicates <= at_kill
    assert streams.rows("killed-other") == []


@pytest.mark.parametrize("position", ["LATEST", "AT_TIMESTAMP"])
def test_a_job_starts_at_its_initial_position(
    position: str,
    connector_jar: Path,
    cluster: SharedCluster,
    streams: Streams,
    tmp_path: Path,
) -> None:
    name = position.lower().replace("_", "-")
    streams.create({f"{name}-in": 1, f"{name}-out": 1})
    streams.put(f"{name}-in", [("0", line(number)) for number in range(10)])
    # The emulator's clock gives a record its time of arrival.
    old = streams.records(f"{name}-in")["shardId-000000000000"][-1]["ApproximateArrivalTimestamp"]
    since = old.timestamp() + 0.5
    wait_until(lambda: time.time() > since, "a later record")
    start = {"initial.position": position}
    if position == "AT_TIMESTAMP":
        start["initial.timestamp"] = f"{since:.3f}"
        streams.put(f"{name}-in", [("0", line(1000))])
    properties = {
        "weblog.source": streams.source(f"{name}-in") | start,
        "weblog.sink.out": streams.sink(f"{name}-out"),
        "weblog.outputs": {"enriched": "out"},
    }
    numbers = iter(range(2000, 3000))

    def something_came() -> bool:
        # With LATEST nobody knows when the job begins to read, so lines keep coming.
        streams.put(f"{name}-in", [("0", line(next(numbers)))])
        return bool(streams.rows(f"{name}-out"))

    with cluster.job(tmp_path, properties) as job:
        job.wait_until(something_came, "a line")
    came = [
        int(row["request"].split("line=")[1].split(" ")[0]) for row in streams.rows(f"{name}-out")
    ]
    assert min(came) >= 1000
    if position == "AT_TIMESTAMP":
        assert came[0] == 1000
