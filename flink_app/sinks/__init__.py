"""Where outputs go: named sinks. A kind of sink is a file here and a line below."""

from __future__ import annotations

from flink_app.connector import SINK_GROUP_PREFIX, Sink, load_connector
from flink_app.sinks.discard import DiscardSink
from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sinks.firehose import FirehoseSink
from flink_app.sinks.kinesis import KinesisSink
from udfs.config.properties import Properties

SINK_TYPES: dict[str, type[Sink]] = {
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
        group.removeprefix(SINK_GROUP_PREFIX): load_connector(group, properties, SINK_TYPES)
        for group in properties
        if group.startswith(SINK_GROUP_PREFIX)
    }
