from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flink_app.local.cluster import PROJECT_DIRECTORY
from flink_app.local.emulator import emulator
from flink_app.ops.layout import JAR
from tests.kinesis.streams import Streams

JAR_VARIABLE = "WEBLOG_CONNECTOR_JAR"


@pytest.fixture(scope="session")
def connector_jar() -> Path:
    named = os.environ.get(JAR_VARIABLE)
    jar = Path(named) if named else PROJECT_DIRECTORY / JAR
    if not named and not jar.exists():
        pytest.skip(
            f"needs the connector jar: {JAR} (./build.sh package makes it) or {JAR_VARIABLE}"
        )
    return jar.resolve()


@pytest.fixture(scope="session")
def streams() -> Iterator[Streams]:
    """Kinesis, emulated on this machine."""
    with emulator("tests.kinesis.server") as url:
        yield Streams(url)
