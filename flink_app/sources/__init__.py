"""Where raw log lines come from. A kind of source is a file here and a line below."""

from __future__ import annotations

from flink_app.connector import SOURCE_GROUP, Source, load_connector
from flink_app.sources.filesystem import FilesystemSource
from flink_app.sources.kinesis import KinesisSource
from udfs.config.input import ENVELOPE_KEY
from udfs.config.properties import Properties

SOURCE_TYPES: dict[str, type[Source]] = {
    "filesystem": FilesystemSource,
    "kinesis": KinesisSource,
}


def load_source(properties: Properties) -> Source:
    """Reads the group `weblog.source`; without a type it is a filesystem source.

    Raises:
        ConfigurationError: An unknown type, or settings that it does not accept or lacks.
    """
    # The envelope around lines is the core's setting, whatever the kind of source.
    configured = properties.get(SOURCE_GROUP, {})
    own = {key: value for key, value in configured.items() if key != ENVELOPE_KEY}
    return load_connector(SOURCE_GROUP, {SOURCE_GROUP: own}, SOURCE_TYPES, "filesystem")
