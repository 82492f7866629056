"""A Firehose delivery stream as a sink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from aws.arn import arn_for, name_of, region_of, stream_arn
from flink_app.connector import (
    Layout,
    Resource,
    Sink,
    output_name,
    sink_client_options,
    unless_active,
)
from flink_app.sql_files import OutputFile, milliseconds
from udfs.config.properties import boolean, choice, duration, endpoint, integer, setting

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_firehose.type_defs import DestinationDescriptionTypeDef

_DELIMITER = "AppendDelimiterToRecord"
_OF_FILES = {"DestinationId", "S3DestinationDescription", "ExtendedS3DestinationDescription"}


@dataclass(frozen=True, slots=True)
class FirehoseSink(Sink):
    """A Firehose delivery stream, or one for each output. At least once, in no order.

    The delivery stream has to put the line breaks between records (its processor
    `AppendDelimiterToRecord`).
    """

    needs_jar: ClassVar[bool] = True

    type: Literal["firehose"] = choice("firehose", "Kind of sink.")
    stream_arn: str = setting(
        stream_arn("firehose", per_output=True), "", "ARN of the delivery stream."
    )
    endpoint: str = setting(endpoint(), "", "Another endpoint than the region's.")
    batch_size: int = setting(integer(1, 500), "500", "Most records of one PutRecordBatch call.")
    flush_interval: timedelta = setting(
        duration("50 ms", "1 min"), "1 s", "Longest wait before a call."
    )
    pack_kib: int = setting(
        integer(0, 1000),
        "0",
        "Join lines of enriched, late, filtered and dead letters to records of at most this size, "
        "as Firehose bills each record in steps of 5 KB. Only for delivery into S3: OpenSearch "
        "takes a record for one document. 0: a record for each line.",
    )
    fail_on_error: bool = setting(
        boolean(),
        "false",
        "Fail the job where the connector would retry: throttling, denied access.",
    )

    def check(self) -> None:
        """Raises ConfigurationError when the ARN is missing."""
        if not self.stream_arn:
            raise self.error("stream.arn", self.stream_arn, "a delivery stream's ARN")

    def options(self, output: str) -> dict[str, str]:
        """Returns the connector's options."""
        arn = arn_for(self.stream_arn, output)
        return {
            "connector": "firehose",
            "delivery-stream": name_of(arn),
            **sink_client_options(arn, self.endpoint),
            "sink.batch.max-size": str(self.batch_size),
            "sink.flush-buffer.timeout": str(milliseconds(self.flush_interval)),
            "sink.fail-on-error": str(self.fail_on_error).lower(),
        }

    @property
    def packs(self) -> bool:
        """Returns whether lines are joined."""
        return self.pack_kib > 0

    def layout(self, output: OutputFile) -> Layout:
        """Returns the output's name as a column where outputs share the delivery stream."""
        if output.is_record and self.packs:
            packed = f"pack_lines(body, {self.pack_kib * 1024})"
            return Layout(body_columns="body BYTES NOT NULL", body_values=packed)
        return Layout(output_name(output, self.stream_arn))

    def resources(self, output: str) -> Iterator[Resource]:
        """Returns the delivery stream."""
        arn = arn_for(self.stream_arn, output)

        def look(client: FirehoseClient) -> str | None:
            answer = client.describe_delivery_stream(DeliveryStreamName=name_of(arn))
            description = answer["DeliveryStreamDescription"]
            problem = unless_active("delivery stream", description["DeliveryStreamStatus"])
            destinations = description["Destinations"]
            if problem is None and not all(map(_separates_records, destinations)):
                return (
                    "a delivery stream that puts a line break between records in S3 "
                    f"(its processor {_DELIMITER} is missing)"
                )
            if problem is None and self.packs and not all(map(_takes_lines, destinations)):
                return (
                    "a delivery stream into files in S3 without dynamic partitioning, "
                    "as pack.kib joins lines"
                )
            return problem

        action = "firehose:DescribeDeliveryStream"
        region = region_of(arn)
        yield Resource("stream.arn", arn, "delivery stream", action, look, region, self.endpoint)


def _separates_records(destination: DestinationDescriptionTypeDef) -> bool:
    """Returns whether records do not run together in the files of a destination in S3."""
    if not destination.keys() <= _OF_FILES:
        # The other destinations take each record for itself.
        return True
    files = destination.get("ExtendedS3DestinationDescription", {})
    if files.get("DataFormatConversionConfiguration", {}).get("Enabled"):
        return True  # Parquet has rows, not lines.
    processing = files.get("ProcessingConfiguration", {})
    kinds = {processor["Type"] for processor in processing.get("Processors", [])}
    # A function may write the line breaks itself.
    return bool(processing.get("Enabled")) and bool(kinds & {_DELIMITER, "Lambda"})


def _takes_lines(destination: DestinationDescriptionTypeDef) -> bool:
    """Returns whether a record may be several lines; dynamic partitioning takes one document."""
    files = destination.get("ExtendedS3DestinationDescription", {})
    partitioned = files.get("DynamicPartitioningConfiguration", {}).get("Enabled", False)
    return destination.keys() <= _OF_FILES and not partitioned
