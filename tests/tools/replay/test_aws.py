"""`./build.sh replay` from an SQS queue, into Kinesis and Firehose, all emulated (moto)."""

from __future__ import annotations

import argparse
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aws.errors import DeployError
from tests.support.aws import REGION, Aws
from tests.support.core import combined, dead, enricher
from tests.support.stacks import template
from tools.cli import run_command
from tools.replay import command
from tools.replay.letters import Queue
from tools.replay.resend import FirehoseTarget, KinesisTarget, StreamTarget, batches
from udfs.letters.replay import read_envelope

replay = partial(run_command, "replay")

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/log"
BAD = combined().replace(" 200 ", " 2OO ")


@pytest.fixture
def queue(aws: Aws) -> str:
    url: str = aws.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
    return url


@pytest.fixture
def stream(aws: Aws) -> str:
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName="log", ShardCount=2)
    arn: str = kinesis.describe_stream_summary(StreamName="log")["StreamDescriptionSummary"][
        "StreamARN"
    ]
    return arn


def fill(aws: Aws, queue: str, bodies: list[str]) -> None:
    sqs = aws.client("sqs")
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def waiting(aws: Aws, queue: str) -> int:
    """Messages that a reader would get now."""
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def records(aws: Aws, arn: str) -> list[bytes]:
    kinesis = aws.client("kinesis")
    found: list[bytes] = []
    for shard in kinesis.list_shards(StreamARN=arn)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=arn.rpartition("/")[2],
            ShardId=shard["ShardId"],
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        found += [one["Data"] for one in kinesis.get_records(ShardIterator=iterator)["Records"]]
    return found


def test_looking_changes_nothing(aws: Aws, queue: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(aws, queue, [dead(enricher(), BAD).json] * 12 + ["no letter"])
    for _ in range(2):
        assert replay([queue]) == 0
        out = capsys.readouterr().out
        assert out.startswith("12 dead letters\n")
        assert "1  entries that are no dead letter" in out
    assert waiting(aws, queue) == 13


def test_repaired_lines_are_sent_and_only_they_are_deleted(
    aws: Aws, queue: str, stream: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(aws, queue, [dead(enricher(), line).json for line in [BAD] * 11 + ["poison"] * 2])
    arguments = [queue, "--replace", " 2OO ", " 200 ", "--send", stream]
    assert replay(arguments) == 0
    assert "11 of 11 sent" in capsys.readouterr().out
    got = [read_envelope(data) for data in records(aws, stream)]
    assert got == [(combined().encode(), 2)] * 11
    assert waiting(aws, queue) == 2


def test_letters_are_read_as_the_pipe_of_the_stack_carries_them(
    aws: Aws, queue: str, stream: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = template("weblog")["Resources"]["DeadLetterPipe"]["Properties"]
    carried = pipe["TargetParameters"]["InputTemplate"]
    letter = dead(enricher(), BAD).json
    fill(aws, queue, [carried.replace("<$.data>", letter), letter])
    assert replay([queue, "--send", stream]) == 0
    assert "2 of 2 sent" in capsys.readouterr().out
    assert [read_envelope(data) for data in records(aws, stream)] == [(BAD.encode(), 2)] * 2
    assert waiting(aws, queue) == 0


def test_lines_go_back_to_firehose(
    aws: Aws, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.client("s3").create_bucket(
        Bucket="taken", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    arn = aws.client("firehose").create_delivery_stream(
        DeliveryStreamName="log",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::taken",
            "RoleARN": "arn:aws:iam::123456789012:role/delivery",
        },
    )["DeliveryStreamARN"]
    fill(aws, queue, [dead(enricher(), BAD).json])

    assert replay([queue, "--send", arn]) == 0

    assert "1 of 1 sent" in capsys.readouterr().out
    (taken,) = aws.client("s3").list_objects_v2(Bucket="taken")["Contents"]
    body = aws.client("s3").get_object(Bucket="taken", Key=taken["Key"])["Body"].read()
    assert read_envelope(body) == (BAD.encode(), 2)
    assert waiting(aws, queue) == 0


def test_a_queue_can_be_moved_to_a_file(aws: Aws, queue: str, tmp_path: Path) -> None:
    fill(aws, queue, [dead(enricher(), BAD).json] * 3)
    target = tmp_path / "draft.jsonl"
    assert replay([queue, "--send", str(target)]) == 0
    assert len(target.read_bytes().splitlines()) == 3
    assert waiting(aws, queue) == 0


def test_no_more_is_taken_than_asked_for(
    aws: Aws, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(aws, queue, [dead(enricher(), BAD).json] * 15)
    assert replay([queue, "--limit", "12"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("12 dead letters\n")
    assert out.endswith("stopped at --limit 12: more may wait\n")


def test_what_the_limit_left_is_a_failure_to_send(
    aws: Aws, queue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(aws, queue, [dead(enricher(), BAD).json] * 15)
    stopped = "error: stopped at --limit 12: more may wait\n"
    limited = [queue, "--limit", "12", "--send"]
    # None of them is wanted, of those beyond nothing is known.
    assert replay([*limited, str(tmp_path / "none"), "--only", "bad_method"]) == 1
    assert capsys.readouterr() == ("0 dead letters\nnothing to send\n", stopped)
    assert replay([*limited, str(tmp_path / "first")]) == 1
    captured = capsys.readouterr()
    assert "12 of 12 sent" in captured.out
    assert captured.err == stopped
    assert replay([*limited, str(tmp_path / "rest")]) == 0
    assert "3 of 3 sent" in capsys.readouterr().out


@pytest.mark.parametrize("resource", ["kinesis {}:stream/nowhere", "firehose {}:deliverystream/no"])
def test_a_missing_stream_is_told_and_nothing_is_deleted(
    aws: Aws, queue: str, resource: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service, _, rest = resource.partition(" ")
    arn = f"arn:aws:{service}:" + rest.format("eu-west-1:123456789012")
    fill(aws, queue, [dead(enricher(), BAD).json])
    assert replay([queue, "--send", arn]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: putting records into {arn}: there is none")
    assert "0 of 1 sent" in captured.out
    assert waiting(aws, queue) == 1


def test_a_missing_queue_is_told(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay([f"{aws.endpoint}/123456789012/nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: reading the queue ")


class Throttled:
    """A stream that takes every second record of a call, and nothing of the first ones."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.taken: list[bytes] = []
        self.calls = 0

    def put_records(self, *, StreamARN: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert StreamARN == ARN
        return {"Records": self._results(Records)}

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803
        Records: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        assert DeliveryStreamName == "log"
        return {"RequestResponses": self._results(Records)}

    def _results(self, records: list[dict[str, Any]]) -> list[dict[str, str]]:
        self.calls += 1
        results: list[dict[str, str]] = []
        for index, record in enumerate(records):
            if self.calls <= self.refusals or index % 2:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                self.taken.append(record["Data"])
                results.append({"SequenceNumber": "1"})
        return results


BOTH = pytest.mark.parametrize("kind", [KinesisTarget, FirehoseTarget])


@BOTH
def test_what_a_stream_does_not_take_is_tried_again_ever_more_slowly(
    kind: type[StreamTarget],
) -> None:
    pauses: list[float] = []
    client = Throttled(refusals=2)
    target = kind(client, ARN, longest_pause=0.5, sleep=pauses.append, jitter=lambda _, most: most)
    lines = [b"%d" % number for number in range(5)]
    assert target.send(lines) == {0, 1, 2, 3, 4}
    assert sorted(client.taken) == lines
    assert pauses == [0.2, 0.4, 0.5, 0.5, 0.5][: client.calls - 1]


def test_pauses_are_random_so_that_senders_do_not_meet() -> None:
    pauses: list[float] = []
    target = KinesisTarget(Throttled(3), ARN, sleep=pauses.append, jitter=random.Random(1).uniform)
    target.send([b"x"])
    assert len(set(pauses)) == 3
    assert all(0 <= pause <= 0.2 * 2**number for number, pause in enumerate(pauses))


@BOTH
def test_what_is_never_taken_is_told(kind: type[StreamTarget]) -> None:
    client = Throttled(refusals=100)
    target = kind(client, ARN, attempts=3, sleep=lambda _: None)
    assert target.send([b"a", b"b"]) == set()
    assert client.calls == 3


def test_letters_that_were_not_taken_stay_in_the_queue(
    aws: Aws,
    queue: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(aws, queue, [dead(enricher(), line).json for line in ("one", "two")])

    class Picky:
        def send(self, lines: list[bytes]) -> set[int]:
            return {index for index, line in enumerate(lines) if b"two" in line}

    monkeypatch.setattr(command, "_target", lambda _: Picky())
    assert replay([queue, "--send", "x"]) == 1
    assert "1 of 2 sent" in capsys.readouterr().out
    monkeypatch.undo()
    source = Queue(aws.client("sqs"), queue, 10)
    assert [letter.raw for letter in source.letters()] == [b"one"]


@pytest.mark.parametrize(
    ("kind", "large", "largest"),
    [(KinesisTarget, [5, 5, 1], 1_048_576 - 32), (FirehoseTarget, [4, 4, 3], 1_024_000)],
)
def test_batches_fit_a_call(kind: type[StreamTarget], large: list[int], largest: int) -> None:
    def sizes(lines: list[bytes]) -> list[int]:
        return [len(batch) for batch in batches(lines, kind.limits)]

    assert sizes([b"x"] * 1001) == [500, 500, 1]
    assert sizes([b"x" * 1_000_000] * 11) == large
    lines = [b"a", b"x" * (largest + 1), b"x" * largest]
    assert list(batches(lines, kind.limits)) == [[0, 2]]
    assert sizes([]) == []


def test_an_unreachable_endpoint_is_one_error(aws: Aws) -> None:
    source = Queue(aws.client("sqs"), f"{aws.endpoint}/123456789012/nowhere", 10)
    with pytest.raises(DeployError, match="reading the queue"):
        list(source.letters())


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.us-west-2.amazonaws.com/123456789012/letters", "us-west-2"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/letters", "cn-north-1"),
        ("http://localhost:4566/123456789012/letters", REGION),
    ],
)
@pytest.mark.usefixtures("aws")
def test_a_queues_address_tells_its_region(url: str, region: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    source = command._source(parser.parse_args([url]))
    assert isinstance(source, Queue)
    assert source._client.meta.region_name == region
