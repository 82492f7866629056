"""The functions against emulated services (moto), through the network.

moto's own Lambda needs Docker to run a function and its Firehose calls none, so that the calls
of the functions are tried here and the calls to them in test_package.py.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest

from aws.arn import read_arn
from lambda_app.deadline import Deadline
from lambda_app.firehose import FirehoseTransformation
from lambda_app.kinesis import KinesisConsumer
from lambda_app.settings import FunctionSettings
from lambda_app.tally import Tally
from lambda_app.targets import dead_letter_target, output_target
from tests.support.functions import (
    ACCOUNT,
    BAD,
    REGION,
    FakeContext,
    delivery,
    firehose_event,
    good,
    kinesis_event,
    processor,
)


@pytest.fixture(autouse=True)
def environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)


def client(service: str) -> Any:
    make: Any = boto3.client
    return make(service, region_name=REGION)


def received(queue_url: str) -> list[Any]:
    """All messages of a queue, read as JSON and removed."""
    sqs = client("sqs")
    found: list[Any] = []
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        if not answer.get("Messages"):
            return found
        for message in answer["Messages"]:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def new_queue(name: str) -> tuple[str, str]:
    """URL and ARN of a new queue."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, attributes["Attributes"]["QueueArn"]


def transform(dead_letter_arn: str, records: list[bytes], tally: Tally) -> list[str]:
    function = FirehoseTransformation(
        processor(), delivery(dead_letter_target(read_arn(dead_letter_arn))), FunctionSettings()
    )
    response = function.run(firehose_event(records), Deadline(FakeContext()), tally)
    return [one["result"] for one in response["records"]]


def test_dead_letters_to_a_queue() -> None:
    url, arn = new_queue("letters")
    # The queue refuses U+FFFF.
    bad = [BAD + f" {number} \uffff".encode() for number in range(25)]
    records = [good(0), *bad]

    results = transform(arn, records, Tally())

    assert results == ["Ok", *["Dropped"] * 25]
    letters = received(url)
    assert sorted(base64.b64decode(one["raw"]) for one in letters) == sorted(bad)
    assert {one["schema"] for one in letters} == {"weblog.dead-letter/1"}


def test_dead_letters_to_a_topic() -> None:
    url, queue_arn = new_queue("subscribed")
    sns = client("sns")
    topic = sns.create_topic(Name="letters")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
    )

    results = transform(topic, [good(0), BAD, *[BAD] * 12], Tally())

    assert results == ["Ok", *["Dropped"] * 13]
    assert len(received(url)) == 13


def test_a_missing_queue_fails_the_records_and_is_told() -> None:
    tally = Tally()

    results = transform(f"arn:aws:sqs:{REGION}:{ACCOUNT}:absent", [good(0), BAD], tally)

    assert results == ["Ok", "ProcessingFailed"]
    assert list(tally.undelivered) == ["AWS.SimpleQueueService.NonExistentQueue"]


def consume(output_arn: str, dead_letter_arn: str, records: list[bytes]) -> Any:
    output = output_target(read_arn(output_arn))
    function = KinesisConsumer(
        processor(),
        output,
        delivery(output, ordered=True),
        delivery(dead_letter_target(read_arn(dead_letter_arn))),
        FunctionSettings(),
    )
    return function.run(kinesis_event(records), Deadline(FakeContext()), Tally())


def test_enriched_records_to_a_stream() -> None:
    url, dead_letter_arn = new_queue("letters-of-stream")
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName="enriched", ShardCount=2)
    arn = kinesis.describe_stream_summary(StreamName="enriched")["StreamDescriptionSummary"][
        "StreamARN"
    ]
    records = [*map(good, range(1200)), BAD]

    answer = consume(arn, dead_letter_arn, records)

    assert answer == {"batchItemFailures": []}
    pages: list[str] = []
    for shard in kinesis.list_shards(StreamName="enriched")["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName="enriched", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
            if not answer["Records"]:
                break
            pages += [json.loads(one["Data"])["webpage"] for one in answer["Records"]]
            assert {one["PartitionKey"] for one in answer["Records"]} == {"81.2.69.142"}
            iterator = answer["NextShardIterator"]
    # One client, so one shard and the order of the lines.
    assert pages == [f"page{number}" for number in range(1200)]
    assert len(received(url)) == 1


def test_enriched_records_to_a_delivery_stream() -> None:
    _, dead_letter_arn = new_queue("letters-of-delivery")
    client("s3").create_bucket(
        Bucket="weblog", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    arn = client("firehose").create_delivery_stream(
        DeliveryStreamName="enriched",
        ExtendedS3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::weblog",
            "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
        },
    )["DeliveryStreamARN"]

    answer = consume(arn, dead_letter_arn, [*map(good, range(300))])

    assert answer == {"batchItemFailures": []}
    s3 = client("s3")
    stored = b"".join(
        s3.get_object(Bucket="weblog", Key=one["Key"])["Body"].read()
        for one in s3.list_objects_v2(Bucket="weblog")["Contents"]
    )
    pages = [json.loads(line)["webpage"] for line in stored.splitlines()]
    assert pages == [f"page{number}" for number in range(300)]


def test_a_missing_stream_holds_the_checkpoint() -> None:
    _, dead_letter_arn = new_queue("unused")
    absent = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/absent"

    answer = consume(absent, dead_letter_arn, [good(0), BAD])

    assert answer["batchItemFailures"][0]["itemIdentifier"].endswith("000000")
