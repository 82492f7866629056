"""The rows that a job wrote to files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.local.summary import data_files

type Row = dict[str, Any]


def lines_in(folder: Path) -> list[str]:
    """Returns the lines of all finished files below a folder, without their line breaks."""
    # Only \n ends a line of JSON; other line breaks may stand inside it.
    return [
        line for path in data_files(folder) for line in path.read_text("utf-8").split("\n")[:-1]
    ]


def rows_in(folder: Path) -> list[Row]:
    """Returns the JSON documents in all finished files below a folder."""
    return [json.loads(line) for line in lines_in(folder)]
