"""The feeder and the reader of the emulator's streams; the tests need no connectors."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.stub import Stubber

from aws.errors import NotFoundError
from tests.support.streams import Streams, arn
from tools.run.kinesis.emulator import emulator
from tools.run.kinesis.feeder import Feeder, partition_key
from tools.run.kinesis.tail import StreamTail
from tools.shell import CommandError


def test_refused_records_are_put_again_and_none_is_lost(streams: Streams) -> None:
    streams.create({"throttled-feed": 2})
    lines = [b"203.0.113.%d line %d" % (number % 9, number) for number in range(1700)]
    feeder = Feeder(streams.client, arn("throttled-feed"), rate=0)
    feeder.feed(lines)
    records = [one for found in streams.records("throttled-feed").values() for one in found]
    assert sorted(record["Data"] for record in records) == sorted(lines)
    assert all(record["PartitionKey"] == partition_key(record["Data"]) for record in records)
    assert feeder.fed == len(lines)
    assert feeder.throttled > 0


def test_a_stream_that_takes_nothing_is_given_up(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeder = Feeder(streams.client, arn("any"), rate=0)
    monkeypatch.setattr("aws.put._FIRST_PAUSE_SECONDS", 0.0)
    refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "too fast"}
    with Stubber(streams.client) as stubber:
        for _ in range(10):
            stubber.add_response("put_records", {"FailedRecordCount": 1, "Records": [refused]})
        with pytest.raises(CommandError, match="stream/any did not take 1 records: Provisioned"):
            feeder.feed([b"line"])


def test_a_missing_stream_is_an_error(streams: Streams) -> None:
    with pytest.raises(NotFoundError, match=r"putting records into .*nowhere: there is none"):
        Feeder(streams.client, arn("nowhere"), rate=0).feed([b"line"])


def test_the_rate_is_kept(streams: Streams) -> None:
    """On a made clock, each batch waits until its time."""
    streams.create({"slow-feed": 1})
    waits: list[float] = []
    feeder = Feeder(streams.client, arn("slow-feed"), rate=100, clock=lambda: 0.0)
    feeder._stopped.wait = waits.append  # type: ignore[method-assign, assignment]
    feeder.feed([b"line"] * 50)
    assert waits == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_large_lines_are_put_in_calls_of_less_than_5_mb(streams: Streams) -> None:
    streams.create({"large-feed": 1})
    lines = [bytes([65 + number]) * 900_000 for number in range(12)]
    Feeder(streams.client, arn("large-feed"), rate=0).feed(lines)
    (records,) = streams.records("large-feed").values()
    assert [record["Data"] for record in records] == lines


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"203.0.113.7 - - [x]", "203.0.113.7"),
        (b"", "-"),
        (b" leading", "-"),
        (b"\xff\xfe x", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"a" * 300, "a" * 256),
    ],
)
def test_partition_keys_are_never_refused(line: bytes, key: str) -> None:
    assert partition_key(line) == key


def test_a_tail_gives_each_record_once_also_after_a_split(streams: Streams) -> None:
    streams.create({"tailed": 1})
    tail = StreamTail(streams.client, "tailed")
    assert tail.read() == []
    streams.put("tailed", [("0", "one"), ("0", "two")])
    assert [record["Data"] for record in tail.read()] == [b"one", b"two"]
    assert tail.read() == []
    (shard,) = streams.shards("tailed")
    streams.client.split_shard(
        StreamName="tailed", ShardToSplit=shard, NewStartingHashKey=str(2**127)
    )
    streams.put("tailed", [("0", "three"), (str(2**127), "four")])
    assert {record["Data"] for record in tail.read()} == {b"three", b"four"}
    assert tail.read() == []


def test_users_have_the_emulator_of_the_tests() -> None:
    with emulator() as url:
        test_a_tail_gives_each_record_once_also_after_a_split(Streams(url))


def test_a_tail_leaves_out_what_came_before(streams: Streams) -> None:
    streams.create({"old": 1})
    streams.put("old", [("0", "one")])
    later = datetime.now(UTC) + timedelta(hours=1)
    assert StreamTail(streams.client, "old", since=later).read() == []


def test_an_emulator_that_does_not_start_is_an_error() -> None:
    wanted = pytest.raises(CommandError, match=r"did not start: .*No module named nowhere")
    with wanted, emulator("nowhere"):
        pass


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_an_emulator_ends_with_the_command_that_is_killed() -> None:
    script = (
        "from tools.run.kinesis.emulator import emulator\n"
        "with emulator() as url:\n"
        "    print(url, flush=True)\n"
        "    input()\n"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert command.stdout is not None
    assert command.stdout.readline().startswith("http://127.0.0.1:")
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text("ascii").split()
    assert len(children) == 1
    # A process's file descriptor is readable after its end.
    child = os.pidfd_open(int(children[0]))
    try:
        command.send_signal(signal.SIGKILL)
        command.communicate()
        readable, _, _ = select.select([child], [], [], 20)
        assert readable == [child]
    finally:
        os.close(child)
