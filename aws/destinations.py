"""The services that messages are put into, each behind the same call: put a batch.

Clients are made once and kept: connections outlive a function's invocations. boto3 comes with
Lambda's Python; it is imported late because that takes 0.2 s, and a Firehose transformation
without bad lines never needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws.arn import Arn
from aws.put import CallError, CallLimits, Message, Rejection

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_KIB = 1024
_MIB = 1024 * 1024
TOPIC_BYTES = 256 * _KIB
"""Bytes that every SNS topic takes at a time; a topic can be set to take more."""
_MAXIMUM_KEY_LENGTH = 256
# Errors that have a 4xx status and yet pass.
_PASSING = frozenset(
    {
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
    }
)
# Firehose bills direct puts in steps of 5 KB and an enriched record has 0.9 KB: lines that
# travel together cost a fifth.
_PACKED_BYTES = 100 * _KIB


def make_client(
    service: str,
    region: str | None,
    *,
    endpoint: str | None = None,
    connect_seconds: float = 1,
    read_seconds: float = 3,
    attempts: int = 1,
) -> Any:
    """Returns a client of a service.

    Args:
        service: Name of the service.
        region: Its region; None for the one that the environment names.
        endpoint: Another endpoint than the region's.
        connect_seconds: Longest wait for a connection.
        read_seconds: Longest wait for an answer.
        attempts: How often the client itself makes a call that fails. Once behind a
            `aws.put.Delivery`, which knows how much time is left.
    """
    # ruff: noqa: PLC0415
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=connect_seconds,
        read_timeout=read_seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        tcp_keepalive=True,
    )
    make: Any = boto3.client  # Its overloads want a literal name.
    return make(service, region_name=region, endpoint_url=endpoint, config=config)


class AwsDestination:
    """A queue, topic, stream or delivery stream, as `aws.put.Destination`.

    Args:
        arn: Its ARN.
        client: A client of its service; without one it is made when it is first needed.
    """

    def __init__(self, arn: Arn, client: Any = None) -> None:
        self._arn = arn
        self._client = client
        self.limits, self._put = _SERVICES[arn.service]

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Makes one call.

        Raises:
            CallError: The call failed as a whole.
        """
        with _translated():
            if self._client is None:
                self._client = make_client(self._arn.service, self._arn.region)
            return self._put(self._client, self._arn, batch)


def _into_queue(client: SQSClient, arn: Arn, batch: Sequence[Message]) -> list[Rejection]:
    # The form of a queue's address is fixed; asking for it would take a call more and a
    # permission more.
    answer = client.send_message_batch(
        QueueUrl=f"{client.meta.endpoint_url}/{arn.account}/{arn.name}",
        Entries=[
            {"Id": str(index), "MessageBody": message.body.decode()}
            for index, message in enumerate(batch)
        ],
    )
    return _failed(answer)


def _into_topic(client: SNSClient, arn: Arn, batch: Sequence[Message]) -> list[Rejection]:
    answer = client.publish_batch(
        TopicArn=arn.text,
        PublishBatchRequestEntries=[
            {"Id": str(index), "Message": message.body.decode()}
            for index, message in enumerate(batch)
        ],
    )
    return _failed(answer)


def _failed(answer: Any) -> list[Rejection]:
    """Returns the rejections of a queue or topic, which names what it did not take."""
    return [
        Rejection(int(failure["Id"]), failure["Code"], permanent=failure["SenderFault"])
        for failure in answer.get("Failed", [])
    ]


def _into_stream(client: KinesisClient, arn: Arn, batch: Sequence[Message]) -> list[Rejection]:
    answer = client.put_records(
        StreamARN=arn.text,
        Records=[
            {"Data": message.body, "PartitionKey": message.key[:_MAXIMUM_KEY_LENGTH]}
            for message in batch
        ],
    )
    return _refused(answer["Records"])


def _into_delivery(client: FirehoseClient, arn: Arn, batch: Sequence[Message]) -> list[Rejection]:
    answer = client.put_record_batch(
        DeliveryStreamName=arn.name, Records=[{"Data": message.body} for message in batch]
    )
    return _refused(answer["RequestResponses"])


def _refused(results: Sequence[Any]) -> list[Rejection]:
    """Returns the rejections of a stream, which answers with a result for each record in order."""
    return [
        Rejection(index, result["ErrorCode"])
        for index, result in enumerate(results)
        if result.get("ErrorCode")
    ]


type _Put = Callable[[Any, Arn, Sequence[Message]], list[Rejection]]

_SERVICES: dict[str, tuple[CallLimits, _Put]] = {
    "sqs": (CallLimits(10, _MIB, _MIB), _into_queue),
    "sns": (CallLimits(10, TOPIC_BYTES, TOPIC_BYTES), _into_topic),
    # The service takes 10 MiB; a stream takes records of 1 MiB unless set otherwise.
    "kinesis": (CallLimits(500, 5 * _MIB, _MIB), _into_stream),
    "firehose": (CallLimits(500, 4 * _MIB, 1000 * _KIB), _into_delivery),
}


def packed(lines: Iterable[Message], most_bytes: int = _PACKED_BYTES) -> Iterator[Message]:
    """Yields lines put together for Firehose; a message belongs to the owner of its first line.

    Args:
        lines: The lines in their order, without line breaks.
        most_bytes: Longest message, with a line break behind each line. A longer line has a
            message of its own.
    """
    bodies: list[bytes] = []
    owner = size = 0
    for line in lines:
        if bodies and size + len(line.body) + 1 > most_bytes:
            yield Message(b"".join(bodies), owner)
            bodies, size = [], 0
        if not bodies:
            owner = line.owner
        bodies += (line.body, b"\n")
        size += len(line.body) + 1
    if bodies:
        yield Message(b"".join(bodies), owner)


@contextmanager
def _translated() -> Iterator[None]:
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        passing = status >= 500 or "Throttl" in code or code in _PASSING
        raise CallError(code, passing=passing) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise CallError(type(error).__name__, passing=True) from error
    except exceptions.BotoCoreError as error:
        # No credentials, no region, bad parameters: the next call would fail likewise.
        raise CallError(type(error).__name__, passing=False) from error
