"""Answers of each service, made ones and those of the emulators (moto)."""

from __future__ import annotations

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

from aws.arn import Arn, read_arn
from aws.destinations import AwsDestination, make_client, packed
from aws.errors import NotFoundError, explained
from aws.put import CALL_SECONDS, CallError, Message, Rejection
from lambda_app.deadline import Deadline
from tests.support.functions import FakeContext, FakeDestination, delivery

QUEUE = read_arn("arn:aws:sqs:eu-west-1:123456789012:letters")
TOPIC = read_arn("arn:aws:sns:eu-west-1:123456789012:letters")
STREAM = read_arn("arn:aws:kinesis:eu-west-1:123456789012:stream/enriched")
DELIVERY = read_arn("arn:aws:firehose:eu-west-1:123456789012:deliverystream/enriched")
ALL = pytest.mark.parametrize("arn", [QUEUE, TOPIC, STREAM, DELIVERY], ids=lambda arn: arn.service)

BATCH = [Message(b'{"a":1}', 0, "k0"), Message('{"b":"ä"}'.encode(), 1, "k1")]
# The entries for refused messages: those of a queue and a topic, and that of a stream.
NAMED = [
    {"Id": "1", "Code": "InternalError", "SenderFault": False},
    {"Id": "0", "Code": "InvalidMessageContents", "SenderFault": True},
]
SLOW = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.mark.parametrize(
    ("arn", "operation", "answer"),
    [
        (QUEUE, "send_message_batch", {"Successful": [], "Failed": NAMED}),
        (TOPIC, "publish_batch", {"Failed": NAMED}),
        (
            STREAM,
            "put_records",
            {"Records": [{"SequenceNumber": "1", "ShardId": "shardId-000000000000"}, SLOW]},
        ),
        (
            DELIVERY,
            "put_record_batch",
            {"FailedPutCount": 1, "RequestResponses": [{"RecordId": "x"}, SLOW]},
        ),
    ],
    ids=lambda value: value.service if isinstance(value, Arn) else "",
)
def test_messages_that_were_not_taken(arn: Arn, operation: str, answer: dict[str, Any]) -> None:
    client = make_client(arn.service, arn.region)
    with Stubber(client) as stubber:
        stubber.add_response(operation, answer)
        rejections = AwsDestination(arn, client).put(BATCH)

    if "Failed" in answer:
        assert rejections == [
            Rejection(1, "InternalError"),
            Rejection(0, "InvalidMessageContents", permanent=True),
        ]
    else:
        assert rejections == [Rejection(1, "ServiceUnavailableException")]


@pytest.mark.parametrize(
    ("code", "status", "passing"),
    [
        ("ThrottlingException", 400, True),
        ("Throttling", 400, True),
        ("RequestThrottled", 403, True),
        ("ProvisionedThroughputExceededException", 400, True),
        ("LimitExceededException", 400, True),
        ("InternalFailure", 500, True),
        ("ServiceUnavailable", 503, True),
        ("Unheard", 502, True),
        ("AccessDeniedException", 400, False),
        ("ResourceNotFoundException", 400, False),
        ("ValidationException", 400, False),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, False),
        ("ExpiredTokenException", 403, False),
    ],
)
def test_calls_that_fail_as_a_whole(code: str, status: int, passing: bool) -> None:
    client = make_client(STREAM.service, STREAM.region)
    with Stubber(client) as stubber:
        stubber.add_client_error("put_records", code, "text with data", status)
        with pytest.raises(CallError) as caught:
            AwsDestination(STREAM, client).put(BATCH)

    assert (caught.value.code, caught.value.passing) == (code, passing)
    assert "text with data" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (EndpointConnectionError(endpoint_url="x"), True),
        (ConnectTimeoutError(endpoint_url="x"), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (NoCredentialsError(), False),
    ],
)
def test_calls_without_an_answer(
    error: Exception, passing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(QUEUE.service, QUEUE.region)

    def fail(**_: Any) -> None:
        raise error

    monkeypatch.setattr(client, "send_message_batch", fail)
    with pytest.raises(CallError, match=type(error).__name__) as caught:
        AwsDestination(QUEUE, client).put(BATCH)
    assert caught.value.passing is passing


def test_the_error_has_the_message_of_the_service() -> None:
    client = make_client(STREAM.service, STREAM.region)
    with Stubber(client) as stubber:
        stubber.add_client_error("put_records", "ResourceNotFoundException", "no such stream")
        with (
            pytest.raises(NotFoundError, match=r"^putting: there is none of that name \(no such"),
            explained("putting"),
        ):
            AwsDestination(STREAM, client).put(BATCH)


@ALL
def test_clients_are_made_once_without_retries_of_their_own(
    arn: Arn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make: Any = boto3.client

    def noted(service: str, **options: Any) -> Any:
        made.append(make(service, **options))
        return made[-1]

    monkeypatch.setattr(boto3, "client", noted)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    destination = AwsDestination(arn)
    assert made == []

    for _ in range(2):
        with pytest.raises(CallError, match="EndpointConnectionError"):
            destination.put(BATCH)

    (client,) = made
    assert client.meta.service_model.service_name == arn.service
    assert client.meta.region_name == "eu-west-1"
    config = client.meta.config
    assert config.retries["total_max_attempts"] == 1
    # The time that put.py leaves for a call suffices for the slowest call.
    assert config.connect_timeout + config.read_timeout + 1 <= CALL_SECONDS


def test_a_call_to_nowhere_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    context = FakeContext()

    receipt = delivery(AwsDestination(QUEUE), context, attempts=2).send(
        BATCH, Deadline(context).allows
    )

    assert receipt.failed == {0, 1}
    assert receipt.problems == {"EndpointConnectionError": 2}


@pytest.mark.parametrize(
    ("arn", "key", "large", "largest"),
    [(STREAM, "k" * 32, [5, 5, 1], 1_048_576 - 32), (DELIVERY, "", [4, 4, 3], 1_024_000)],
    ids=["kinesis", "firehose"],
)
def test_batches_fit_a_call(arn: Arn, key: str, large: list[int], largest: int) -> None:
    def owners(*bodies: bytes) -> list[list[int]]:
        destination = FakeDestination(limits=AwsDestination(arn).limits)
        delivery(destination).send(Message(body, owner, key) for owner, body in enumerate(bodies))
        return [[message.owner for message in batch] for batch in destination.calls]

    assert [len(batch) for batch in owners(*[b"x"] * 1001)] == [500, 500, 1]
    assert [len(batch) for batch in owners(*[b"x" * 1_000_000] * 11)] == large
    assert owners(b"a", b"x" * (largest + 1), b"x" * largest) == [[0], [2]]


def lines(*sizes: int) -> list[Message]:
    return [Message(b"x" * size, owner, "k") for owner, size in enumerate(sizes)]


def test_lines_for_firehose_travel_together() -> None:
    messages = list(packed(lines(10, 20, 102_390, 400, 500, 200_000, 1)))

    assert [(message.owner, len(message.body)) for message in messages] == [
        (0, 32),
        (2, 102_391),
        (3, 902),
        (5, 200_001),
        (6, 2),
    ]
    assert b"".join(message.body for message in messages).count(b"\n") == 7
    assert all(message.body.endswith(b"\n") for message in messages)


def test_packing_keeps_every_line_in_order() -> None:
    records = [Message(str(number).encode() * 300, number // 3) for number in range(3000)]

    messages = list(packed(records))

    assert b"".join(message.body for message in messages) == b"".join(
        record.body + b"\n" for record in records
    )
    assert [message.owner for message in messages] == sorted(message.owner for message in messages)
    assert max(message.size for message in messages) < AwsDestination(DELIVERY).limits.message_bytes
