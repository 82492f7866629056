"""The services that functions write to, each behind the same call: put a batch.

Clients are made once and kept: connections outlive invocations. boto3 comes with Lambda's
Python; it is imported late because that takes 0.2 s, and a Firehose transformation without bad
lines never needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from aws.arn import Arn
from lambda_app.delivery import Limits, Message, Rejection, Target
from lambda_app.errors import RefusedError
from lambda_app.settings import TOPIC_BYTES
from udfs.errors import TransientError

if TYPE_CHECKING:
    # Named in quotes below, where the linter does not look.
    from mypy_boto3_firehose import FirehoseClient  # noqa: F401
    from mypy_boto3_kinesis import KinesisClient  # noqa: F401
    from mypy_boto3_sns import SNSClient  # noqa: F401
    from mypy_boto3_sqs import SQSClient  # noqa: F401

_CONNECT_SECONDS = 1.0
_READ_SECONDS = 3.0
_KIB = 1024
_MIB = 1024 * 1024
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


class OutputTarget(Target, Protocol):
    """A service for enriched records."""

    def connect(self) -> None:
        """Makes the client now rather than at the first call."""

    def pack(self, records: Sequence[Message]) -> list[Message]:
        """Makes the service's messages of enriched records, in their order."""


def dead_letter_target(arn: Arn) -> Target:
    """The queue or topic for dead letters."""
    return SqsTarget(arn) if arn.service == "sqs" else SnsTarget(arn)


def output_target(arn: Arn) -> OutputTarget:
    """The stream for enriched records."""
    return KinesisTarget(arn) if arn.service == "kinesis" else FirehoseTarget(arn)


class _AwsTarget[Client]:
    """A resource of AWS, with a client of its service that is made when it is first needed."""

    def __init__(self, arn: Arn) -> None:
        self._arn = arn

    @cached_property
    def _client(self) -> Client:
        client: Client = _make_client(self._arn.service, self._arn.region)
        return client

    def connect(self) -> None:
        """Makes the client; no call is made."""
        _ = self._client


class SqsTarget(_AwsTarget["SQSClient"]):
    """An SQS queue."""

    limits = Limits(messages=10, total_bytes=_MIB, message_bytes=_MIB)

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Sends a batch; see :class:`lambda_app.delivery.Target`."""
        with _translated():
            # The form of a queue's address is fixed; asking for it would take a call more and
            # a permission more.
            endpoint = self._client.meta.endpoint_url
            answer = self._client.send_message_batch(
                QueueUrl=f"{endpoint}/{self._arn.account}/{self._arn.name}",
                Entries=[
                    {"Id": str(index), "MessageBody": message.body.decode()}
                    for index, message in enumerate(batch)
                ],
            )
        return [_rejection(one) for one in answer.get("Failed", [])]


class SnsTarget(_AwsTarget["SNSClient"]):
    """An SNS topic."""

    limits = Limits(messages=10, total_bytes=TOPIC_BYTES, message_bytes=TOPIC_BYTES)

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Publishes a batch; see :class:`lambda_app.delivery.Target`."""
        with _translated():
            answer = self._client.publish_batch(
                TopicArn=self._arn.text,
                PublishBatchRequestEntries=[
                    {"Id": str(index), "Message": message.body.decode()}
                    for index, message in enumerate(batch)
                ],
            )
        return [_rejection(one) for one in answer.get("Failed", [])]


class KinesisTarget(_AwsTarget["KinesisClient"]):
    """A Kinesis stream: one record for each line, a client's records in one shard."""

    # The service takes 10 MiB; a stream takes records of 1 MiB unless set otherwise.
    limits = Limits(messages=500, total_bytes=5 * _MIB, message_bytes=_MIB)

    def pack(self, records: Sequence[Message]) -> list[Message]:
        """The records as they are, with keys of a length that the service takes."""
        return [Message(one.body, one.owner, one.key[:_MAXIMUM_KEY_LENGTH]) for one in records]

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Puts a batch; see :class:`lambda_app.delivery.Target`."""
        with _translated():
            answer = self._client.put_records(
                StreamARN=self._arn.text,
                Records=[{"Data": one.body, "PartitionKey": one.key} for one in batch],
            )
        return _rejections(answer["Records"])


class FirehoseTarget(_AwsTarget["FirehoseClient"]):
    """A Firehose delivery stream: lines, several to a record."""

    limits = Limits(messages=500, total_bytes=4 * _MIB, message_bytes=1000 * _KIB)

    def pack(self, records: Sequence[Message]) -> list[Message]:
        """Lines put together; each message belongs to the record of its first line."""
        return list(_packed(records))

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        """Puts a batch; see :class:`lambda_app.delivery.Target`."""
        with _translated():
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._arn.name,
                Records=[{"Data": one.body} for one in batch],
            )
        return _rejections(answer["RequestResponses"])


def _packed(records: Sequence[Message]) -> Iterator[Message]:
    lines: list[bytes] = []
    owner = size = 0
    for one in records:
        if lines and size + len(one.body) + 1 > _PACKED_BYTES:
            yield Message(b"".join(lines), owner)
            lines, size = [], 0
        if not lines:
            owner = one.owner
        lines += (one.body, b"\n")
        size += len(one.body) + 1
    if lines:
        yield Message(b"".join(lines), owner)


def _make_client(service: str, region: str) -> Any:
    # ruff: noqa: PLC0415
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        # lambda_app.delivery retries; it knows how much time is left.
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
    )
    make: Any = boto3.client  # Its overloads want a literal name.
    return make(service, region_name=region, config=config)


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of the AWS client as errors of this project; their texts may hold data."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status >= 500 or "Throttl" in code or code in _PASSING:
            raise TransientError("sink", code, "the service failed or is busy") from None
        raise RefusedError("sink", code, "the service refused the call") from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise TransientError("sink", type(error).__name__, "no answer") from None
    except exceptions.BotoCoreError as error:
        # No credentials, no region, bad parameters: the next call would fail likewise.
        raise RefusedError("sink", type(error).__name__, "the call cannot be made") from None


def _rejections(results: Sequence[Any]) -> list[Rejection]:
    """Of a stream, which answers with a result for each record in order."""
    return [
        Rejection(index, one["ErrorCode"])
        for index, one in enumerate(results)
        if one.get("ErrorCode")
    ]


def _rejection(one: Any) -> Rejection:
    return Rejection(int(one["Id"]), one["Code"], permanent=one["SenderFault"])
