"""Where outputs go: named sinks, each a property group `weblog.sink.<name>`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aws.streams import (
    OUTPUT_PLACEHOLDER,
    arn_for,
    name_of,
    sink_client_options,
    stream_arn,
)
from flink_app.sql_files import milliseconds
from flink_app.variants import Variant, load_variant
from udfs.config.properties import (
    Properties,
    boolean,
    choice,
    duration,
    endpoint,
    integer,
    setting,
    text,
)

SINK_GROUP_PREFIX = "weblog.sink."
_GROUP_PATTERN = SINK_GROUP_PREFIX + "<name>"

type FilePartitions = Literal["none", "date", "hour"]
type RecordKeys = Literal["key", "random"]

# How often a file's age is looked at; no use in more often than a checkpoint.
_LONGEST_ROLLOVER_CHECK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class FilesystemSink(Variant, name=_GROUP_PATTERN):
    """Files of JSON lines: a folder or, with Flink's S3 plugin, a bucket. Exactly once."""

    type: Literal["filesystem"] = choice("filesystem", "Kind of sink.")
    path: str = setting(
        text(), "", "Folder, or s3a://bucket/prefix; each output gets a folder in it."
    )
    partition_by: FilePartitions = choice(
        "none",
        "Folders event_date=2025-10-28/event_hour=10 (or the date alone) by event time in UTC.",
    )
    rollover_size_mb: int = setting(
        integer(1, 4096), "128", "Size in MB at which a file is closed."
    )
    rollover_interval: timedelta = setting(
        duration("1 s", "1 d"), "15 min", "Age at which a file is closed."
    )

    def check(self) -> None:
        """Raises ConfigurationError when the path is missing."""
        if not self.path:
            raise self.error("path", self.path, "a folder")

    def options(self, output: str) -> dict[str, str]:
        """Connector options of an output's table; a closed file shows with a checkpoint."""
        check = min(self.rollover_interval, _LONGEST_ROLLOVER_CHECK)
        return {
            "connector": "filesystem",
            "path": f"{self.path.rstrip('/')}/{output}",
            "sink.rolling-policy.file-size": f"{self.rollover_size_mb}MB",
            "sink.rolling-policy.rollover-interval": f"{milliseconds(self.rollover_interval)} ms",
            "sink.rolling-policy.check-interval": f"{milliseconds(check)} ms",
        }


@dataclass(frozen=True, slots=True)
class KinesisSink(Variant, name=_GROUP_PATTERN):
    """A Kinesis data stream, or one for each output. At least once."""

    type: Literal["kinesis"] = choice("kinesis", "Kind of sink.")
    stream_arn: str = setting(stream_arn("kinesis", per_output=True), "", "ARN of the stream.")
    endpoint: str = setting(endpoint(), "", "Another endpoint than the region's.")
    partition_key: RecordKeys = choice(
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
        """Connector options of an output's table."""
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


@dataclass(frozen=True, slots=True)
class FirehoseSink(Variant, name=_GROUP_PATTERN):
    """A Firehose delivery stream, or one for each output. At least once, in no order.

    The delivery stream has to put the line breaks between records (its processor
    `AppendDelimiterToRecord`).
    """

    type: Literal["firehose"] = choice("firehose", "Kind of sink.")
    stream_arn: str = setting(
        stream_arn("firehose", per_output=True), "", "ARN of the delivery stream."
    )
    endpoint: str = setting(endpoint(), "", "Another endpoint than the region's.")
    batch_size: int = setting(integer(1, 500), "500", "Most records of one PutRecordBatch call.")
    flush_interval: timedelta = setting(
        duration("50 ms", "1 min"), "1 s", "Longest wait before a call."
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
        """Connector options of an output's table."""
        arn = arn_for(self.stream_arn, output)
        return {
            "connector": "firehose",
            "delivery-stream": name_of(arn),
            **sink_client_options(arn, self.endpoint),
            "sink.batch.max-size": str(self.batch_size),
            "sink.flush-buffer.timeout": str(milliseconds(self.flush_interval)),
            "sink.fail-on-error": str(self.fail_on_error).lower(),
        }


@dataclass(frozen=True, slots=True)
class DiscardSink(Variant, name=_GROUP_PATTERN):
    """Nowhere; for measuring the job without what writes."""

    type: Literal["discard"] = choice("discard", "Kind of sink.")

    def options(self, output: str) -> dict[str, str]:  # noqa: ARG002 - nowhere is nowhere
        """Connector options."""
        return {"connector": "blackhole"}


type Sink = FilesystemSink | KinesisSink | FirehoseSink | DiscardSink

SINK_TYPES: dict[str, type[FilesystemSink | KinesisSink | FirehoseSink | DiscardSink]] = {
    "filesystem": FilesystemSink,
    "kinesis": KinesisSink,
    "firehose": FirehoseSink,
    "discard": DiscardSink,
}


def load_sinks(properties: Properties) -> dict[str, Sink]:
    """Reads every group `weblog.sink.<name>`.

    Raises:
        ConfigurationError: An unknown type, or settings that its type does not accept or lacks.
    """
    return {
        group.removeprefix(SINK_GROUP_PREFIX): load_variant(group, values, SINK_TYPES)
        for group, values in properties.items()
        if group.startswith(SINK_GROUP_PREFIX)
    }


def is_shared(sink: Sink) -> bool:
    """Whether all outputs of this sink go into one and the same stream."""
    return isinstance(sink, KinesisSink | FirehoseSink) and (
        OUTPUT_PLACEHOLDER not in sink.stream_arn
    )
