"""Finds the run that an output folder holds: one that goes, the finished one, a failed one."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tools.local.journal import (
    FAILED,
    FINISHED,
    FINISHING,
    INTERRUPTED,
    PREPARING,
    RUNNING,
)
from tools.local.results import RUN_FILE, SUMMARY_FILE, WORK_DIRECTORY

NONE = "none"
LOST = "lost"

_NUMBER = int | float
# What the files of a run hold, as far as it is used: a list of one kind, a pair, a mapping of one
# kind. A file that does not fit is damaged, or another program's.
_JOURNAL = {
    "samples": [(_NUMBER, _NUMBER)],
    "outputs": [str],
    "sources": [str],
    "message": str | None,
    "geoip": str | None,
    "asn": str | None,
    "rest_address": str | None,
}
_SUMMARY = {
    "lines_in": int,
    "enriched": int,
    "late": int,
    "seconds": _NUMBER,
    "filtered": {str: int},
    "dead_lettered": {str: int},
    "outputs": {str: int},
}

# What runs of before did not count.
_LATER = {"networks": [{str: int | str | None}]}

# The runner writes about once a second; busy machines and slow disks get time.
_SILENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its files tell.

    Attributes:
        id: Tells this run from others.
        state: none, preparing, running, finishing, finished, failed, interrupted or
            lost (its process is gone without a word).
        results: The folder with a folder for each output.
        journal: `run.json`, empty where there is none.
        summary: `summary.json` of a finished run.
    """

    id: str
    state: str
    results: Path
    journal: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] | None = None

    @property
    def live(self) -> bool:
        """Returns whether more may come."""
        return self.state in {PREPARING, RUNNING, FINISHING}


def find_run(output: Path) -> Run:
    """Returns the newest run in an output folder.

    Args:
        output: The folder given to `run --out`; it need not exist.
    """
    for work in _work_folders(output):
        journal = _document(work / RUN_FILE, _JOURNAL)
        if journal is None:
            continue
        return Run(str(journal.get("id")), _state(journal, work), work / "results", journal)
    summary = _document(output / SUMMARY_FILE, _SUMMARY | _LATER)
    if summary is None or not summary.keys() >= _SUMMARY.keys():
        return Run(NONE, NONE, output)
    journal = _document(output / RUN_FILE, _JOURNAL) or {}
    return Run(str(journal.get("id")), FINISHED, output, journal, summary)


def _work_folders(output: Path) -> list[Path]:
    """Returns the work folders, the newest first: a run that was killed leaves its own."""
    try:
        folders = [(path.stat().st_mtime, path) for path in (output / WORK_DIRECTORY).iterdir()]
    except OSError:
        return []
    return [path for _, path in sorted(folders, reverse=True)]


def _state(journal: dict[str, Any], work: Path) -> str:
    phase = str(journal.get("phase"))
    if phase in {FAILED, INTERRUPTED}:
        return phase
    if not _alive(journal.get("pid")):
        return LOST
    if phase == RUNNING and time.time() - (work / RUN_FILE).stat().st_mtime > _SILENCE_SECONDS:
        return LOST
    # The results are on their way to the output folder.
    return FINISHING if phase == FINISHED else phase


def _alive(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _document(path: Path, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict):
        return None
    fits = all(_fits(document[name], of) for name, of in schema.items() if name in document)
    return document if fits else None


def _fits(value: object, schema: Any) -> bool:
    match schema:
        case [of]:
            return isinstance(value, list) and all(_fits(item, of) for item in value)
        case (first, second):
            if not isinstance(value, list) or len(value) != 2:
                return False
            return _fits(value[0], first) and _fits(value[1], second)
        case dict():
            (of,) = schema.values()
            return isinstance(value, dict) and all(_fits(item, of) for item in value.values())
    return isinstance(value, schema)
