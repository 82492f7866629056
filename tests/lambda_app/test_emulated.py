"""The functions against emulated services (moto), through the network.

These tests try the calls of the functions; test_function.py tries the calls to them. Moto's Lambda
needs Docker to run a function, and its Firehose calls no function.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from aws.arn import read_arn
from aws.destinations import AwsDestination, packed
from aws.put import Message
from lambda_app.deadline import Deadline
from lambda_app.tally import Tally
from tests.support.aws import Aws
from tests.support.functions import (
    ACCOUNT,
    BAD,
    REGION,
    FakeContext,
    consumer,
    firehose_event,
    good,
    kinesis_event,
    transformation,
)
from tests.support.streams import Streams, arn, delivery_arn


@pytest.fixture
def streams(aws: Aws) -> Streams:
    return Streams(aws.endpoint)


def received(aws: Aws, queue_url: str) -> list[Any]:
    """Removes all messages from a queue, and returns them read as JSON."""
    sqs = aws.client("sqs")
    bodies: list[Any] = []
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        if not answer.get("Messages"):
            return bodies
        for message in answer["Messages"]:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def new_queue(aws: Aws) -> tuple[str, str]:
    """Makes a queue, and returns its URL and ARN."""
    url: str = aws.client("sqs").create_queue(QueueName="letters")["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"


def transform(dead_letter_arn: str, records: list[bytes], tally: Tally) -> list[str]:
    function = transformation(AwsDestination(read_arn(dead_letter_arn)))
    response = function.run(firehose_event(records), Deadline(FakeContext()), tally)
    return [answer["result"] for answer in response["records"]]


def test_dead_letters_to_a_queue(aws: Aws) -> None:
    url, queue_arn = new_queue(aws)
    # A queue refuses U+FFFF.
    bad = [BAD + f" {number} \uffff".encode() for number in range(25)]
    records = [good(0), *bad]

    results = transform(queue_arn, records, Tally())

    assert results == ["Ok", *["Dropped"] * 25]
    letters = received(aws, url)
    assert sorted(base64.b64decode(letter["raw"]) for letter in letters) == sorted(bad)
    assert {letter["schema"] for letter in letters} == {"weblog.dead-letter/1"}


def test_dead_letters_to_a_topic(aws: Aws) -> None:
    url, queue_arn = new_queue(aws)
    sns = aws.client("sns")
    topic = sns.create_topic(Name="letters")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )

    results = transform(topic, [good(0), BAD, *[BAD] * 12], Tally())

    assert results == ["Ok", *["Dropped"] * 13]
    assert len(received(aws, url)) == 13


@pytest.mark.usefixtures("aws")
def test_a_missing_queue_fails_the_records_and_is_logged() -> None:
    tally = Tally()

    results = transform(f"arn:aws:sqs:{REGION}:{ACCOUNT}:absent", [good(0), BAD], tally)

    assert results == ["Ok", "ProcessingFailed"]
    assert list(tally.undelivered) == ["AWS.SimpleQueueService.NonExistentQueue"]


def consume(output_arn: str, dead_letter_arn: str, records: list[bytes], **more: Any) -> Any:
    output, letters = (
        AwsDestination(read_arn(output_arn)),
        AwsDestination(read_arn(dead_letter_arn)),
    )
    function = consumer(output, letters, **more)
    return function.run(kinesis_event(records), Deadline(FakeContext()), Tally())


def test_enriched_records_to_a_stream(aws: Aws, streams: Streams) -> None:
    url, queue_arn = new_queue(aws)
    streams.create({"enriched": 2})
    records = [*map(good, range(1200)), BAD]

    answer = consume(arn("enriched"), queue_arn, records)

    assert answer == {"batchItemFailures": []}
    # Lines of one client are in one shard, in their order.
    (written,) = filter(None, streams.records("enriched").values())
    pages = [json.loads(record["Data"])["webpage"] for record in written]
    assert pages == [f"page{number}" for number in range(1200)]
    assert {record["PartitionKey"] for record in written} == {"81.2.69.142"}
    assert len(received(aws, url)) == 1


def test_a_long_key_is_cut(streams: Streams) -> None:
    streams.create({"enriched": 1})
    AwsDestination(read_arn(arn("enriched"))).put([Message(b"{}", 0, "h" * 300)])
    ((record,),) = streams.records("enriched").values()
    assert record["PartitionKey"] == "h" * 256


def test_enriched_records_to_a_delivery_stream(aws: Aws, streams: Streams) -> None:
    _, queue_arn = new_queue(aws)
    streams.create_bucket("weblog")
    streams.create_delivery_stream("enriched", "weblog")

    answer = consume(delivery_arn("enriched"), queue_arn, [*map(good, range(300))], pack=packed)

    assert answer == {"batchItemFailures": []}
    stored = b"".join(streams.objects("weblog").values())
    pages = [json.loads(line)["webpage"] for line in stored.splitlines()]
    assert pages == [f"page{number}" for number in range(300)]


def test_a_missing_stream_holds_the_checkpoint(aws: Aws) -> None:
    _, queue_arn = new_queue(aws)

    answer = consume(arn("absent"), queue_arn, [good(0), BAD])

    assert answer["batchItemFailures"][0]["itemIdentifier"].endswith("000000")
