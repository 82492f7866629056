"""A Kinesis stream as a sink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from aws.arn import arn_for, stream_arn
from flink_app.connector import Layout, Resource, Sink, output_name, sink_client_options
from flink_app.sinks.keyed_body import KEYED_BODY
from flink_app.sources.kinesis import kinesis_stream
from flink_app.sql_files import OutputFile, milliseconds
from udfs.config.properties import boolean, choice, duration, endpoint, integer, setting


@dataclass(frozen=True, slots=True)
class KinesisSink(Sink):
    """A Kinesis data stream, or one for each output. At least once."""

    needs_jar: ClassVar[bool] = True

    type: Literal["kinesis"] = choice("kinesis", "Kind of sink.")
    stream_arn: str = setting(stream_arn("kinesis", per_output=True), "", "ARN of the stream.")
    endpoint: str = setting(endpoint(), "", "Another endpoint than the region's.")
    partition_key: Literal["key", "random"] = choice(
        "key", "A record's key (a client's records share a shard and keep their order), or none."
    )
    batch_size: int = setting(integer(1, 500), "500", "Most records of one PutRecords call.")
    flush_interval: timedelta = setting(
        duration("50 ms", "1 min"), "1 s", "Longest wait before a call."
    )
    requests_in_flight: int = setting(
        integer(1, 100),
        "1",
        "Calls a subtask makes at a time; more than one can change the order of records.",
    )
    fail_on_error: bool = setting(
        boolean(),
        "false",
        "Fail the job where the connector would retry: throttling, denied access.",
    )

    def check(self) -> None:
        """Raises ConfigurationError when the ARN is missing."""
        if not self.stream_arn:
            raise self.error("stream.arn", self.stream_arn, "a stream's ARN")

    def options(self, output: str) -> dict[str, str]:
        """Returns the connector's options."""
        arn = arn_for(self.stream_arn, output)
        return {
            "connector": "kinesis",
            "stream.arn": arn,
            **sink_client_options(arn, self.endpoint),
            "sink.batch.max-size": str(self.batch_size),
            # The connector reads a plain number of milliseconds here.
            "sink.flush-buffer.timeout": str(milliseconds(self.flush_interval)),
            "sink.requests.max-inflight": str(self.requests_in_flight),
            # Has to exceed the batch; twice keeps the next one filling while one is sent.
            "sink.requests.max-buffered": str(self.batch_size * (self.requests_in_flight + 1)),
            "sink.fail-on-error": str(self.fail_on_error).lower(),
        }

    def layout(self, output: OutputFile) -> Layout:
        """Returns the partition key, and the output's name where outputs share the stream."""
        key = output.key if self.partition_key == "key" else ()
        if key and output.is_record:
            return KEYED_BODY
        return Layout(output_name(output, self.stream_arn), partitions=key)

    def resources(self, output: str) -> Iterator[Resource]:
        """Returns the stream."""
        yield kinesis_stream(arn_for(self.stream_arn, output), self.endpoint)
