"""`./build.sh replay` from an SQS queue, into Kinesis and Firehose, all emulated (moto)."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import pytest

from aws.errors import AwsError
from tests.support.aws import REGION, Aws
from tests.support.core import combined, dead, enricher
from tests.support.stacks import job
from tests.support.streams import Streams, delivery_arn
from tests.support.streams import arn as stream_arn
from tools.cli import run_command
from tools.replay import command
from tools.replay.queue import Queue
from udfs.letters.replay import Replayed, envelope, read_envelope

replay = partial(run_command, "replay")

BAD = combined().replace(" 200 ", " 2OO ")


@pytest.fixture(scope="module")
def carried() -> str:
    """Returns the template of the job's pipe of letters. The stack empties the emulator."""
    template: str = job()["DeadLetterPipe"]["TargetParameters"]["InputTemplate"]
    return template


@pytest.fixture
def queue(aws: Aws) -> str:
    url: str = aws.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
    return url


@pytest.fixture
def streams(aws: Aws) -> Streams:
    return Streams(aws.endpoint)


@pytest.fixture
def stream(streams: Streams) -> str:
    streams.create({"log": 2})
    return stream_arn("log")


def fill(aws: Aws, queue: str, bodies: list[str]) -> None:
    sqs = aws.client("sqs")
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def waiting(aws: Aws, queue: str) -> int:
    """Returns the number of messages that a reader would get now."""
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def lines_in(streams: Streams) -> list[Replayed]:
    """Returns the envelopes in the stream."""
    records = [record for shard in streams.records("log").values() for record in shard]
    return [read_envelope(record["Data"]) for record in records]


def test_looking_changes_nothing(aws: Aws, queue: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(aws, queue, [dead(enricher(), BAD).json] * 12 + ["no letter"])
    for _ in range(2):
        assert replay([queue]) == 0
        out = capsys.readouterr().out
        assert out.startswith("12 dead letters\n")
        assert "1  entries that are no dead letter" in out
    assert waiting(aws, queue) == 13


def test_repaired_lines_are_sent_and_only_they_are_deleted(
    aws: Aws, queue: str, stream: str, streams: Streams, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(aws, queue, [dead(enricher(), line).json for line in [BAD] * 11 + ["poison"] * 2])
    arguments = [queue, "--replace", " 2OO ", " 200 ", "--send", stream]
    assert replay(arguments) == 0
    assert "11 of 11 sent" in capsys.readouterr().out
    assert lines_in(streams) == [(combined().encode(), 2)] * 11
    assert waiting(aws, queue) == 2


@pytest.mark.usefixtures("stream")
def test_letters_are_read_as_the_pipe_of_the_stack_carries_them(
    carried: str, aws: Aws, queue: str, streams: Streams, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = dead(enricher(), BAD).json
    fill(aws, queue, [carried.replace("<$.data>", letter), letter])
    assert replay([queue, "--send", stream_arn("log")]) == 0
    assert "2 of 2 sent" in capsys.readouterr().out
    assert lines_in(streams) == [(BAD.encode(), 2)] * 2
    assert waiting(aws, queue) == 0


def test_lines_go_back_to_firehose(
    aws: Aws, queue: str, streams: Streams, capsys: pytest.CaptureFixture[str]
) -> None:
    streams.create_bucket("taken")
    streams.create_delivery_stream("log", "taken")
    fill(aws, queue, [dead(enricher(), BAD).json])

    assert replay([queue, "--send", delivery_arn("log")]) == 0

    assert "1 of 1 sent" in capsys.readouterr().out
    (body,) = streams.objects("taken").values()
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
    # No letter within the limit is wanted, and the command knows nothing of the others.
    assert replay([*limited, str(tmp_path / "none"), "--only", "bad_method"]) == 1
    assert capsys.readouterr() == ("0 dead letters\nnothing to send\n", stopped)
    assert replay([*limited, str(tmp_path / "first")]) == 1
    captured = capsys.readouterr()
    assert "12 of 12 sent" in captured.out
    assert captured.err == stopped
    assert replay([*limited, str(tmp_path / "rest")]) == 0
    assert "3 of 3 sent" in capsys.readouterr().out


@pytest.mark.parametrize("resource", ["kinesis {}:stream/nowhere", "firehose {}:deliverystream/no"])
def test_a_missing_stream_is_an_error_and_nothing_is_deleted(
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


def test_a_missing_queue_is_an_error(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay([f"{aws.endpoint}/123456789012/nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: reading the queue ")


def test_a_line_too_large_for_a_record_is_not_taken(
    stream: str, streams: Streams, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = tmp_path / "letters.jsonl"
    large = envelope(b"x" * 1024 * 1024, 2)
    letters.write_bytes(large + b"\n" + envelope(b"small", 2))
    assert replay([str(letters), "--send", stream]) == 1
    captured = capsys.readouterr()
    assert captured.out.endswith("1 of 2 sent\n")
    assert captured.err == "error: 1 lines were not taken\n"
    assert lines_in(streams) == [(b"small", 2)]


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

    monkeypatch.setattr(command, "_destination", lambda _: Picky())
    assert replay([queue, "--send", "x"]) == 1
    assert "1 of 2 sent" in capsys.readouterr().out
    monkeypatch.undo()
    source = Queue(aws.client("sqs"), queue, 10)
    assert [letter and letter.raw for letter in source.read()] == [b"one"]


def test_an_unreachable_endpoint_is_one_error(aws: Aws) -> None:
    source = Queue(aws.client("sqs"), f"{aws.endpoint}/123456789012/nowhere", 10)
    with pytest.raises(AwsError, match="reading the queue"):
        list(source.read())


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.us-west-2.amazonaws.com/123456789012/letters", "us-west-2"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/letters", "cn-north-1"),
        ("http://localhost:4566/123456789012/letters", REGION),
    ],
)
@pytest.mark.usefixtures("aws")
def test_a_queues_address_has_its_region(url: str, region: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    source = command._queue(parser.parse_args([url]))
    assert source is not None
    assert source._client.meta.region_name == region
