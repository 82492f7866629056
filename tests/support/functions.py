"""Events and stand-ins that the tests of the Lambda functions share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aws.put import CallLimits, Delivery, Destination, Message, Rejection
from lambda_app.firehose import FirehoseTransformation
from lambda_app.kinesis import KinesisConsumer
from lambda_app.records import RecordProcessor
from lambda_app.settings import PartitionBy, Settings
from tests.support.core import NOW, combined
from udfs.config.properties import Properties
from udfs.enrichment import Enricher

GOOD = combined().encode()
BAD = b"not a log line"

ACCOUNT = "123456789012"
REGION = "eu-west-1"


def good(number: int) -> bytes:
    """Returns a good line that differs from those of other numbers."""
    return combined(request=f"GET /page{number}.php HTTP/1.1").encode()


# --- events in the form that AWS documents -----------------------------------------------------


def firehose_event(records: Iterable[bytes], *, ids: Sequence[str] | None = None) -> dict[str, Any]:
    """Returns the event of a delivery stream that reads a Kinesis stream."""
    data = list(records)
    return {
        "invocationId": "invoked123",
        "deliveryStreamArn": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/weblog",
        "sourceKinesisStreamArn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/weblog",
        "region": REGION,
        "records": [
            {
                "recordId": ids[index] if ids else f"4954698681318005412{index:06}",
                "approximateArrivalTimestamp": 1_510_772_160_000 + index,
                "data": base64.b64encode(one).decode(),
                "kinesisRecordMetadata": {
                    "sequenceNumber": f"4954641569063340508{index:06}",
                    "subsequenceNumber": 0,
                    "partitionKey": "4d1ad2b9-24f8-4b9d-a088-76e9947c317a",
                    "shardId": "shardId-000000000000",
                    "approximateArrivalTimestamp": 1_510_772_160_000 + index,
                },
            }
            for index, one in enumerate(data)
        ],
    }


def sequence_number(index: int) -> str:
    """The sequence number of a record in `kinesis_event`."""
    return f"49590338271490256608559692538361571095921575989136{index:06}"


def kinesis_event(records: Iterable[bytes]) -> dict[str, Any]:
    """Returns the event of an event source mapping over a Kinesis stream."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "1",
                    "sequenceNumber": sequence_number(index),
                    "data": base64.b64encode(one).decode(),
                    "approximateArrivalTimestamp": 1_545_084_650.987,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000006:{sequence_number(index)}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/lambda-role",
                "awsRegion": REGION,
                "eventSourceARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/weblog",
            }
            for index, one in enumerate(records)
        ]
    }


def data_of(answer: Any) -> bytes:
    """The bytes that a Firehose answer carries."""
    return base64.b64decode(answer["data"], validate=True)


# --- stand-ins ----------------------------------------------------------------------------------


class FakeContext:
    """Lambda's context, with a clock that only the test moves.

    Args:
        seconds: The time left.
        per_question: Seconds that pass at each question for the time left.
    """

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    function_name = "weblog-transform"

    def __init__(self, seconds: float = 60, per_question: float = 0) -> None:
        self.left = seconds
        self._per_question = per_question

    def get_remaining_time_in_millis(self) -> int:
        left = self.left
        self.left -= self._per_question
        return int(left * 1000)

    def sleep(self, seconds: float) -> None:
        self.left -= seconds


class FakeDestination:
    """A service that keeps what it takes.

    Args:
        behave: Called for each batch with the number of the call. It returns the answer, or raises
            the error of the call.
        limits: Limits of a call.
    """

    def __init__(
        self,
        behave: Callable[[int, Sequence[Message]], list[Rejection]] | None = None,
        limits: CallLimits | None = None,
    ) -> None:
        self.limits = limits or CallLimits(messages=10, total_bytes=262_144, message_bytes=262_144)
        self.taken: list[Message] = []
        self.calls: list[list[Message]] = []
        self._behave = behave or (lambda call, batch: [])

    def put(self, batch: Sequence[Message]) -> list[Rejection]:
        self.calls.append(list(batch))
        rejections = self._behave(len(self.calls) - 1, batch)
        refused = {one.index for one in rejections}
        self.taken += [one for index, one in enumerate(batch) if index not in refused]
        return rejections

    def bodies(self) -> list[Any]:
        """Returns the bodies of the records taken, read as JSON."""
        return [json.loads(one.body) for one in self.taken]


def delivery(destination: Destination, context: FakeContext | None = None, **more: Any) -> Delivery:
    """A delivery whose pauses take no time but move the context's clock."""
    sleep = (lambda _: None) if context is None else context.sleep
    return Delivery(destination, more.pop("attempts", 4), sleep=sleep, jitter=max, **more)


def processor(
    properties: Properties | None = None,
    salt: bytes | None = None,
    *,
    outage_minimum: int = 10,
    gzip_maximum: int = 1_000_000,
) -> RecordProcessor:
    """Returns a processor whose clock stands still."""
    function = {
        "gzip.maximum.bytes": str(gzip_maximum),
        "outage.minimum.lines": str(outage_minimum),
    }
    settings = Settings.load({"weblog.lambda": function, **(properties or {})})
    looks_up = settings.reference.file is not None
    core = Enricher.create(
        settings.core,
        clock=lambda: NOW,
        salt=salt,
        trusts_own_files=True,
        client_address=looks_up,
        max_unpacked_bytes=settings.function.gzip_maximum_bytes,
    )
    return RecordProcessor(core, settings)


def transformation(
    dead_letters: Destination | None = None,
    context: FakeContext | None = None,
    *,
    of: RecordProcessor | None = None,
    partition_by: PartitionBy = "none",
) -> FirehoseTransformation:
    return FirehoseTransformation(
        of or processor(),
        None if dead_letters is None else delivery(dead_letters, context),
        partition_by,
    )


def consumer(
    output: Destination,
    dead_letters: Destination,
    context: FakeContext | None = None,
    *,
    of: RecordProcessor | None = None,
    **more: Any,
) -> KinesisConsumer:
    return KinesisConsumer(
        of or processor(),
        delivery(output, context, ordered=True),
        delivery(dead_letters, context),
        **more,
    )
