"""The job over a folder that is watched: a source that does not end, for tests in its midst."""

from __future__ import annotations

import sys

from flink_app.main import main
from flink_app.sources.filesystem import FilesystemSource

_once = FilesystemSource.options


def _watched(source: FilesystemSource) -> dict[str, str]:
    return _once(source) | {"source.monitor-interval": "200 ms"}


FilesystemSource.options = _watched  # type: ignore[assignment]

sys.exit(main())
