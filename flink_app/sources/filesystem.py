"""Log files as the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flink_app.connector import Source
from udfs.config.properties import choice, setting, text


@dataclass(frozen=True, slots=True)
class FilesystemSource(Source):
    """Files; read once, from first to last."""

    type: Literal["filesystem"] = choice("filesystem", "Kind of source.")
    path: str = setting(text(), "", "A file or a folder; plain or .gz.")

    def check(self) -> None:
        """Raises ConfigurationError when the path is missing."""
        if not self.path:
            raise self.error("path", self.path, "a file or folder")

    def options(self) -> dict[str, str]:
        """Returns the options of the `raw_log` table."""
        return {"connector": "filesystem", "path": self.path, "format": "raw"}
