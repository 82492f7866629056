"""Finds the run that an output folder holds: one that goes, the finished one, a failed one."""

from __future__ import annotations

import os
import time
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
        """Whether more may come."""
        return self.state in {PREPARING, RUNNING, FINISHING}


def find_run(output: Path) -> Run:
    """The newest run in an output folder.

    Args:
        output: The folder given to `run --out`; it need not exist.
    """
    for work in _work_folders(output):
        journal = _document(work / RUN_FILE)
        if journal is None:
            continue
        return Run(str(journal.get("id")), _state(journal, work), work / "results", journal)
    summary = _document(output / SUMMARY_FILE)
    if summary is None:
        return Run(NONE, NONE, output)
    journal = _document(output / RUN_FILE) or {}
    return Run(str(journal.get("id")), FINISHED, output, journal, summary)


def _work_folders(output: Path) -> list[Path]:
    """Work folders, the newest first; more than one where a run that was killed left its own."""
    try:
        found = [(path.stat().st_mtime, path) for path in (output / WORK_DIRECTORY).iterdir()]
    except OSError:
        return []
    return [path for _, path in sorted(found, reverse=True)]


def _state(journal: dict[str, Any], work: Path) -> str:
    phase = str(journal.get("phase"))
    if phase in {FAILED, INTERRUPTED}:
        return phase
    if not _alive(journal.get("pid")):
        return LOST
    if phase == RUNNING and time.time() - (work / RUN_FILE).stat().st_mtime > _SILENCE_SECONDS:
        return LOST
    return phase


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


def _document(path: Path) -> dict[str, Any] | None:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
