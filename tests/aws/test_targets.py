"""What is asked of each service, and what is made of its answers; no service needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from aws.arn import read_arn
from lambda_app import targets
from lambda_app.deadline import Deadline
from lambda_app.delivery import CALL_SECONDS, Message, Rejection, Target
from lambda_app.errors import RefusedError
from lambda_app.targets import FirehoseTarget, KinesisTarget, dead_letter_target, output_target
from tests.support.functions import FakeContext, delivery
from udfs.errors import TransientError

QUEUE = read_arn("arn:aws:sqs:eu-west-1:123456789012:letters")
TOPIC = read_arn("arn:aws:sns:eu-west-1:123456789012:letters")
STREAM = read_arn("arn:aws:kinesis:eu-west-1:123456789012:stream/enriched")
DELIVERY = read_arn("arn:aws:firehose:eu-west-1:123456789012:deliverystream/enriched")

BATCH = [Message(b'{"a":1}', 0, "k0"), Message('{"b":"ä"}'.encode(), 1, "k1")]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def stubbed() -> Iterator[Any]:
    """Makes a target whose client answers what the test says."""
    stubbers: list[Stubber] = []

    def make(target: Any) -> tuple[Any, Stubber]:
        stubber = Stubber(target._client)
        stubber.activate()
        stubbers.append(stubber)
        return target, stubber

    yield make
    for stubber in stubbers:
        stubber.assert_no_pending_responses()


def test_a_queue(stubbed: Any) -> None:
    target, stubber = stubbed(dead_letter_target(QUEUE))
    stubber.add_response(
        "send_message_batch",
        {
            "Successful": [],
            "Failed": [
                {"Id": "1", "Code": "InternalError", "SenderFault": False},
                {"Id": "0", "Code": "InvalidMessageContents", "SenderFault": True},
            ],
        },
        {
            "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/letters",
            "Entries": [
                {"Id": "0", "MessageBody": '{"a":1}'},
                {"Id": "1", "MessageBody": '{"b":"ä"}'},
            ],
        },
    )

    assert target.put(BATCH) == [
        Rejection(1, "InternalError"),
        Rejection(0, "InvalidMessageContents", permanent=True),
    ]


def test_a_topic(stubbed: Any) -> None:
    target, stubber = stubbed(dead_letter_target(TOPIC))
    stubber.add_response(
        "publish_batch",
        {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": False}]},
        {
            "TopicArn": TOPIC.text,
            "PublishBatchRequestEntries": [
                {"Id": "0", "Message": '{"a":1}'},
                {"Id": "1", "Message": '{"b":"ä"}'},
            ],
        },
    )

    assert target.put(BATCH) == [Rejection(0, "InternalError")]


def test_a_stream(stubbed: Any) -> None:
    target, stubber = stubbed(output_target(STREAM))
    stubber.add_response(
        "put_records",
        {
            "FailedRecordCount": 1,
            "Records": [
                {"SequenceNumber": "1", "ShardId": "shardId-000000000000"},
                {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow"},
            ],
        },
        {
            "StreamARN": STREAM.text,
            "Records": [
                {"Data": b'{"a":1}', "PartitionKey": "k0"},
                {"Data": '{"b":"ä"}'.encode(), "PartitionKey": "k1"},
            ],
        },
    )

    assert target.put(BATCH) == [Rejection(1, "ProvisionedThroughputExceededException")]


def test_a_delivery_stream(stubbed: Any) -> None:
    target, stubber = stubbed(output_target(DELIVERY))
    stubber.add_response(
        "put_record_batch",
        {
            "FailedPutCount": 1,
            "RequestResponses": [
                {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow"},
                {"RecordId": "x"},
            ],
        },
        {
            "DeliveryStreamName": "enriched",
            "Records": [{"Data": b'{"a":1}'}, {"Data": '{"b":"ä"}'.encode()}],
        },
    )

    assert target.put(BATCH) == [Rejection(0, "ServiceUnavailableException")]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("Throttling", 400),
        ("RequestThrottled", 403),
        ("ProvisionedThroughputExceededException", 400),
        ("LimitExceededException", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
        ("Unheard", 502),
    ],
)
def test_errors_that_pass(stubbed: Any, code: str, status: int) -> None:
    target, stubber = stubbed(output_target(STREAM))
    stubber.add_client_error("put_records", code, "text with data", status)

    with pytest.raises(TransientError) as caught:
        target.put(BATCH)

    assert caught.value.reason == code
    assert "text with data" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 400),
        ("ResourceNotFoundException", 400),
        ("ValidationException", 400),
        ("AWS.SimpleQueueService.NonExistentQueue", 400),
        ("ExpiredTokenException", 403),
    ],
)
def test_errors_that_stay(stubbed: Any, code: str, status: int) -> None:
    target, stubber = stubbed(dead_letter_target(QUEUE))
    stubber.add_client_error("send_message_batch", code, "text", status)

    with pytest.raises(RefusedError) as caught:
        target.put(BATCH)

    assert caught.value.reason == code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="x"), TransientError),
        (ConnectTimeoutError(endpoint_url="x"), TransientError),
        (ReadTimeoutError(endpoint_url="x"), TransientError),
        (NoCredentialsError(), RefusedError),
    ],
)
def test_calls_without_an_answer(
    error: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    target: Any = dead_letter_target(QUEUE)

    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(target._client, "send_message_batch", fail)
    with pytest.raises(kind, match=type(error).__name__):
        target.put(BATCH)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, STREAM, DELIVERY], ids=lambda arn: arn.service)
def test_clients_are_made_once_without_retries_of_their_own(
    arn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    original = boto3.client

    def count(service: str, **options: Any) -> Any:
        made.append(service)
        make: Any = original
        return make(service, **options)

    monkeypatch.setattr(boto3, "client", count)
    target: Any = (dead_letter_target if arn.service in {"sqs", "sns"} else output_target)(arn)
    assert made == []

    config = target._client.meta.config
    assert target._client is target._client

    assert made == [arn.service]
    assert target._client.meta.region_name == "eu-west-1"
    assert config.retries["total_max_attempts"] == 1
    # What delivery.py leaves for a call is enough for its slowest end.
    assert config.connect_timeout + config.read_timeout + 1 <= CALL_SECONDS


def test_a_call_to_nowhere_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    context = FakeContext()

    receipt = delivery(dead_letter_target(QUEUE), context, attempts=2).send(
        BATCH, Deadline(context)
    )

    assert receipt.failed == {0, 1}
    assert receipt.problems == {"EndpointConnectionError": 2}


def lines(*sizes: int) -> list[Message]:
    return [Message(b"x" * size, owner, "k") for owner, size in enumerate(sizes)]


def test_lines_for_firehose_travel_together() -> None:
    packed = FirehoseTarget(DELIVERY).pack(lines(10, 20, 102_390, 400, 500, 200_000, 1))

    assert [(one.owner, len(one.body)) for one in packed] == [
        (0, 32),
        (2, 102_391),
        (3, 902),
        (5, 200_001),
        (6, 2),
    ]
    assert b"".join(one.body for one in packed).count(b"\n") == 7
    assert all(one.body.endswith(b"\n") for one in packed)


def test_packing_keeps_every_line_in_order() -> None:
    records = [Message(str(number).encode() * 300, number // 3) for number in range(3000)]

    packed = FirehoseTarget(DELIVERY).pack(records)

    assert b"".join(one.body for one in packed) == b"".join(one.body + b"\n" for one in records)
    assert [one.owner for one in packed] == sorted(one.owner for one in packed)
    limit = FirehoseTarget.limits.message_bytes
    assert max(one.size for one in packed) < limit


def test_keys_of_streams_are_cut() -> None:
    (short, long) = KinesisTarget(STREAM).pack(
        [Message(b"x", 0, "203.0.113.7"), Message(b"y", 1, "h" * 300)]
    )
    assert (short.key, long.key) == ("203.0.113.7", "h" * 256)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, STREAM, DELIVERY], ids=lambda arn: arn.service)
def test_limits_hold_a_message_of_the_largest_size(arn: Any) -> None:
    target: Target = (dead_letter_target if arn.service in {"sqs", "sns"} else output_target)(arn)
    assert target.limits.message_bytes <= target.limits.total_bytes


def test_boto3_is_not_imported_with_the_module() -> None:
    assert "boto3" not in vars(targets)
