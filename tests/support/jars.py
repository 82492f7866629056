"""Stand-ins for the connector jar, with its names and none of its code."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

FACTORIES_FILE = "META-INF/services/org.apache.flink.table.factories.Factory"
KINESIS = "org.apache.flink.connector.kinesis.table.KinesisDynamicTableFactory"
FIREHOSE = "org.apache.flink.connector.firehose.table.KinesisFirehoseDynamicTableFactory"
SDK = "software/amazon/awssdk/services/kinesis/KinesisAsyncClient.class"
EVENT_STREAM = "software/amazon/eventstream/MessageDecoder.class"


def write_jar(
    path: Path,
    *,
    factories: Iterable[str] = (KINESIS, FIREHOSE),
    others: Iterable[str] = (SDK, EVENT_STREAM),
) -> Path:
    declared = list(factories)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr(FACTORIES_FILE, "\n".join(declared))
        for factory in declared:
            jar.writestr(f"{factory.replace('.', '/')}.class", b"")
        for name in others:
            jar.writestr(name, b"")
    return path
