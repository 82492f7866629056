"""A Kinesis stream as the source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from aws.arn import region_of, stream_arn
from flink_app.connector import Resource, Source, client_options, unless_active
from flink_app.sql_files import milliseconds
from udfs.config.properties import (
    Parser,
    choice,
    duration,
    endpoint,
    integer,
    pattern,
    setting,
    text,
)

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def initial_timestamp() -> Parser[str]:
    """Reads a time in one of the two forms that the connector reads, or empty.

    The connector itself looks at it only in the running job.
    """

    def read(value: str) -> str:
        if re.fullmatch(r"\d{1,11}(\.\d{1,3})?", value):
            return value
        if value:
            if not re.fullmatch(r"[-\d]{10}T[\d:]{8}\.\d{3}(Z|[+-]\d\d:\d\d)", value):
                raise ValueError
            # Raises ValueError for a 30 February.
            datetime.fromisoformat(value)
        return value

    return Parser(read, "a time such as 2025-10-28T10:15:30.000Z, or seconds since 1970-01-01 UTC")


@dataclass(frozen=True, slots=True)
class KinesisSource(Source):
    """A Kinesis data stream."""

    needs_jar: ClassVar[bool] = True

    type: Literal["kinesis"] = choice("kinesis", "Kind of source.")
    stream_arn: str = setting(stream_arn("kinesis"), "", "ARN of the stream.")
    endpoint: str = setting(endpoint(), "", "Another endpoint than the region's.")
    initial_position: Literal["LATEST", "TRIM_HORIZON", "AT_TIMESTAMP"] = choice(
        "LATEST", "Where to start when there is no snapshot."
    )
    initial_timestamp: str = setting(initial_timestamp(), "", "The start for AT_TIMESTAMP.")
    role_arn: str = setting(
        pattern(r"(arn:aws[a-z-]*:iam::[0-9]{12}:role/.+)?", "the ARN of a role"),
        "",
        "Role to read the stream by, for a stream of another account.",
    )
    role_external_id: str = setting(text(), "", "The external id that the role asks for, if any.")
    reader_type: Literal["POLLING", "EFO"] = choice(
        "POLLING", "Shared throughput (GetRecords), or enhanced fan-out."
    )
    consumer_name: str = setting(
        pattern(r"[a-zA-Z0-9_.-]{0,128}", "up to 128 letters, digits and any of _ . -"),
        "",
        "The consumer for EFO.",
    )
    consumer_lifecycle: Literal["JOB_MANAGED", "SELF_MANAGED"] = choice(
        "JOB_MANAGED", "EFO: the job registers and removes the consumer, or you have made it."
    )
    shard_discovery_interval: timedelta = setting(
        # The connector fails when the second look begins before the first has ended.
        duration("3 s", "1 h"),
        "10 s",
        "How often new shards are looked for.",
    )
    records_per_fetch: int = setting(
        integer(1, 10_000), "1000", "Most records of one GetRecords call."
    )
    empty_fetch_interval: timedelta = setting(
        duration("200 ms", "1 min"),
        "250 ms",
        "Pause after a call without records; a shard takes 5 calls a second of all consumers.",
    )

    def check(self) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: A setting is missing, or has no use beside the others.
        """
        if not self.stream_arn:
            raise self.error("stream.arn", self.stream_arn, "a stream's ARN")
        if (self.initial_position == "AT_TIMESTAMP") != bool(self.initial_timestamp):
            expected = "a time exactly when initial.position is AT_TIMESTAMP"
            raise self.error("initial.timestamp", self.initial_timestamp, expected)
        if self.role_external_id and not self.role_arn:
            raise self.error("role.external.id", self.role_external_id, "nothing without role.arn")
        if (self.reader_type == "EFO") != bool(self.consumer_name):
            expected = "a name exactly when reader.type is EFO"
            raise self.error("consumer.name", self.consumer_name, expected)

    def options(self) -> dict[str, str]:
        """Returns the options of the `raw_log` table."""
        options = {
            "connector": "kinesis",
            "stream.arn": self.stream_arn,
            "format": "raw",
            **client_options(self.stream_arn, self.endpoint),
            "source.init.position": self.initial_position,
            "source.reader.type": self.reader_type,
            "source.shard.discovery.interval": f"{milliseconds(self.shard_discovery_interval)} ms",
            "source.shard.get-records.max-record-count": str(self.records_per_fetch),
            "source.reader.empty-records-fetch-interval": (
                f"{milliseconds(self.empty_fetch_interval)} ms"
            ),
        }
        if self.role_arn:
            options["aws.credentials.provider"] = "ASSUME_ROLE"
            options["aws.credentials.role.arn"] = self.role_arn
            options["aws.credentials.role.sessionName"] = "weblog"
        if self.role_external_id:
            options["aws.credentials.role.externalId"] = self.role_external_id
        if self.initial_timestamp:
            options["source.init.timestamp"] = self.initial_timestamp
        if self.reader_type == "EFO":
            options["source.efo.consumer.name"] = self.consumer_name
            options["source.efo.lifecycle"] = self.consumer_lifecycle
        return options

    def resources(self) -> Iterator[Resource]:
        """Returns the stream, and the consumer where the job does not register it."""
        yield kinesis_stream(self.stream_arn, self.endpoint)
        if self.reader_type == "EFO" and self.consumer_lifecycle == "SELF_MANAGED":
            yield Resource(
                "consumer.name",
                self.consumer_name,
                "registered consumer",
                "kinesis:DescribeStreamConsumer",
                self._look_at_consumer,
                region_of(self.stream_arn),
                self.endpoint,
            )

    def _look_at_consumer(self, client: KinesisClient) -> str | None:
        answer = client.describe_stream_consumer(
            StreamARN=self.stream_arn, ConsumerName=self.consumer_name
        )
        return unless_active("consumer", answer["ConsumerDescription"]["ConsumerStatus"])


def kinesis_stream(arn: str, endpoint: str) -> Resource:
    """Returns the stream of an ARN as a resource of the setting `stream.arn`."""

    def look(client: KinesisClient) -> str | None:
        answer = client.describe_stream_summary(StreamARN=arn)
        return unless_active("stream", answer["StreamDescriptionSummary"]["StreamStatus"])

    action = "kinesis:DescribeStreamSummary"
    return Resource("stream.arn", arn, "stream", action, look, region_of(arn), endpoint)
