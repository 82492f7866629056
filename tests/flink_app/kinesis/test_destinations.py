"""A job that delivers through Firehose, and lines too long for any sink."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.lines import log_line
from tests.support.rows import rows_in
from tests.support.streams import Streams, delivery_arn

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

LONGEST_RECORD = 1024 * 1024
LINES = 100
LONGEST_NAME = ".".join(["h" * 63] * 3 + ["h" * 61])


def line(number: int) -> str:
    return log_line(f"28/Oct/2025:10:{number // 10:02}:00 +0000", host=f"203.0.113.{number % 9}")


def test_no_line_stops_the_job(
    connector_jar: Path, cluster: SharedCluster, streams: Streams, tmp_path: Path
) -> None:
    """Kinesis would refuse a long record or key, and the whole batch with it, at each attempt."""
    streams.create({"hostile": 1, "unhurt": 2, "long-letters": 1})
    streams.create_bucket("delivered")
    streams.create_delivery_stream("windows", "delivered", "AppendDelimiterToRecord")
    hostile = [
        # Each quotation mark becomes two characters of JSON: more than a record may hold.
        '"' * 900_000,
        # The line is short enough, but its record holds each byte three times as six characters.
        log_line("28/Oct/2025:10:00:30 +0000", request="GET /" + "\x01" * 65_000 + " HTTP/1.1"),
        # A partition key has 1 to 256 characters. A longer host is no client, and neither is `-`;
        # the longest host name is one.
        log_line("28/Oct/2025:10:00:40 +0000", host="h" * 300),
        log_line("28/Oct/2025:10:00:45 +0000", host="-", request="-", status=408),
        log_line("28/Oct/2025:10:00:50 +0000", host=LONGEST_NAME),
    ]
    blank = "\n"
    streams.put("hostile", [("0", one) for one in [line(0) + blank, *hostile]])
    streams.put("hostile", [("0", line(number)) for number in range(1, LINES)])
    properties = {
        "weblog.source": streams.source("hostile", initial_position="TRIM_HORIZON"),
        "weblog.windows": {"out.of.orderness": "5 s", "idle.timeout": "2 s"},
        "weblog.sink.records": streams.sink("unhurt"),
        "weblog.sink.letters": streams.sink("long-letters"),
        "weblog.sink.lake": {
            "type": "firehose",
            "stream.arn": delivery_arn("windows"),
            "endpoint": streams.url,
            "flush.interval": "100 ms",
        },
        "weblog.sink.files": {
            "type": "filesystem",
            "path": str(tmp_path / "files"),
            "partition.by": "date",
            "rollover.interval": "1 s",
        },
        "weblog.outputs": {
            "enriched": "records",
            "filtered": "files",
            "dead_letters": "letters",
            "traffic_overview": "lake",
        },
    }
    good = LINES + 1
    with cluster.job(tmp_path, properties) as job:
        job.wait_until(lambda: len(streams.rows("long-letters")) == 4, "all dead letters")
        job.wait_until(lambda: len(streams.rows("unhurt")) == good, "all other lines")
        job.wait_until(lambda: len(delivered(streams)) >= LINES // 10 - 2, "the windows")
        # The sink closes a file by its age, while the job goes on.
        job.wait_until(lambda: rows_in(tmp_path / "files" / "filtered"), "a file")

    letters = {row["reason"]: row for row in streams.rows("long-letters")}
    assert letters.keys() == {"line_too_long", "record_too_large", "bad_client"}
    assert letters["line_too_long"]["raw_bytes"] == 900_000
    longest = max(len(one["Data"]) for one in streams.records("long-letters").popitem()[1])
    assert longest < LONGEST_RECORD
    keys = [
        record["PartitionKey"]
        for records in streams.records("unhurt").values()
        for record in records
        if json.loads(record["Data"])["host"] == LONGEST_NAME
    ]
    assert keys == [LONGEST_NAME]
    (filtered,) = rows_in(tmp_path / "files" / "filtered")
    assert filtered["reason"] == "blank_line"
    windows = [json.loads(one) for one in delivered(streams)]
    assert [row["requests"] for row in windows[:2]] == [11, 10]


def delivered(streams: Streams) -> list[bytes]:
    """Returns the sorted lines of the files that Firehose wrote."""
    files = streams.objects("delivered", "windows/")
    return sorted(row for body in files.values() for row in body.splitlines())
