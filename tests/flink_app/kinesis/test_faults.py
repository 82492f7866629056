"""Streams that are throttled, denied, or deleted and made again, as an operator sees them.

The tests look for the logs and exceptions that docs/runbook.md describes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster, SubmittedJob
from tests.support.kinesis_server import REFUSED_TAG
from tests.support.lines import log_line
from tests.support.streams import Streams
from tests.support.waiting import wait_until
from udfs.config.properties import Properties

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

REMADE = "shard no longer exists. Marking split as complete"
SECOND_FAILOVER = "Partial recovery is not supported"


def put_lines(streams: Streams, stream: str, numbers: range) -> None:
    lines = [
        log_line(f"28/Oct/2025:10:00:{number:02} +0000", request=f"GET /page{number} HTTP/1.1")
        for number in numbers
    ]
    streams.put(stream, [("0", line) for line in lines])


def pages(streams: Streams, stream: str) -> set[str]:
    return {row["webpage"] for row in streams.rows(stream)}


def between(streams: Streams, source: str, sink: str) -> Properties:
    streams.create({source: 1, sink: 1})
    put_lines(streams, source, range(5))
    return {
        "weblog.source": streams.source(source, initial_position="TRIM_HORIZON"),
        "weblog.sink.out": streams.sink(sink),
        "weblog.outputs": {"enriched": "out"},
    }


def refuse(streams: Streams, stream: str, call_and_code: str) -> None:
    streams.client.add_tags_to_stream(StreamName=stream, Tags={REFUSED_TAG: call_and_code})


def allow(streams: Streams, stream: str) -> None:
    streams.client.remove_tags_from_stream(StreamName=stream, TagKeys=[REFUSED_TAG])


def failures(job: SubmittedJob) -> str:
    entries = job.get("/exceptions")["exceptionHistory"]["entries"]
    return "\n".join(entry["stacktrace"] for entry in entries)


@pytest.fixture
def logged(cluster: SharedCluster) -> Callable[[], str]:
    """Returns a function that reads the cluster's log from now on."""
    start = cluster.log_file.stat().st_size

    def read() -> str:
        return cluster.log_file.read_bytes()[start:].decode("utf-8", "replace")

    return read


def test_a_sink_without_rights_waits_and_loses_nothing(
    connector_jar: Path,
    cluster: SharedCluster,
    streams: Streams,
    tmp_path: Path,
    logged: Callable[[], str],
) -> None:
    properties = between(streams, "for-denied", "denied")
    refuse(streams, "denied", "PutRecords=AccessDeniedException")
    with cluster.job(tmp_path, properties) as job:
        job.wait_until(lambda: "KDS Sink failed to write and will retry" in logged(), "a refusal")
        job.wait_until(lambda: job.metric("numRecordsSendErrors") > 0, "a count of refusals")
        assert "AccessDeniedException" in logged()
        assert streams.rows("denied") == []
        allow(streams, "denied")
        job.wait_until(lambda: len(pages(streams, "denied")) == 5, "all lines")


def test_a_source_without_rights_fails_the_job(
    connector_jar: Path, cluster: SharedCluster, streams: Streams, tmp_path: Path
) -> None:
    properties = between(streams, "not-to-be-read", "of-nothing")
    refuse(streams, "not-to-be-read", "GetRecords=AccessDeniedException")
    with cluster.job(tmp_path, properties) as job:
        wait_until(lambda: job.state == "FAILED", "the job's failure")
        assert "AccessDeniedException" in failures(job)


def test_a_throttled_source_costs_two_failovers_and_no_line(
    connector_jar: Path, cluster: SharedCluster, streams: Streams, tmp_path: Path
) -> None:
    properties = between(streams, "too-many-readers", "slowed")
    with cluster.job(tmp_path, properties, restart_attempts=50) as job:
        job.wait_until(lambda: len(pages(streams, "slowed")) == 5, "the first lines")
        refuse(streams, "too-many-readers", "GetRecords=ProvisionedThroughputExceededException")
        put_lines(streams, "too-many-readers", range(5, 10))
        # Throttling causes the first failover, after some 35 s of retries, the connector the next.
        job.wait_until(lambda: SECOND_FAILOVER in failures(job), "the second failover")
        assert "ProvisionedThroughputExceededException" in failures(job)
        allow(streams, "too-many-readers")
        job.wait_until(lambda: len(pages(streams, "slowed")) == 10, "all lines")


def test_a_stream_that_is_made_again_is_read_by_a_new_job_only(
    connector_jar: Path,
    cluster: SharedCluster,
    streams: Streams,
    tmp_path: Path,
    logged: Callable[[], str],
) -> None:
    properties = between(streams, "remade", "of-remade")
    # The search for shards of a missing stream fails the job again and again, to no effect.
    with cluster.job(tmp_path / "first", properties, restart_attempts=50) as job:
        job.wait_until(lambda: len(pages(streams, "of-remade")) == 5, "the first lines")
        streams.client.delete_stream(StreamName="remade")
        job.wait_until(lambda: REMADE in logged(), "the end of the shard")
        streams.create({"remade": 1})
        put_lines(streams, "remade", range(5, 10))

        def checkpoints() -> int:
            completed: int = job.get("/checkpoints")["counts"]["completed"]
            return completed

        # The wait is longer than a search for shards: the job is RUNNING and makes checkpoints,
        # but reads nothing.
        before = checkpoints()
        job.wait_until(lambda: checkpoints() > before + 15, "checkpoints")
        assert len(pages(streams, "of-remade")) == 5
    with cluster.job(tmp_path / "second", properties) as job:
        job.wait_until(lambda: len(pages(streams, "of-remade")) == 10, "the new stream's lines")
