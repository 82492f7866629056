"""Jobs that read a log and write files, for tests of these files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import SharedCluster
from tests.support.rows import Row, lines_in, rows_in
from udfs.config.file import PropertyGroups
from udfs.config.properties import Properties

RECORDS = ("enriched", "filtered", "dead_letters", "late")


@dataclass(frozen=True, slots=True)
class Results:
    """The outputs of a job or a run, each in the folder of its name."""

    folder: Path

    def rows(self, output: str) -> list[Row]:
        return rows_in(self.folder / output)

    def lines(self, output: str) -> list[str]:
        return lines_in(self.folder / output)


def between_files(source: Path, results: Path, *outputs: str) -> PropertyGroups:
    """Returns the settings of a job from files to files, with all outputs or those named."""
    return {
        "weblog.source": {"type": "filesystem", "path": str(source)},
        "weblog.sink.files": {"type": "filesystem", "path": str(results)},
        "weblog.outputs": dict.fromkeys(outputs, "files") or {"default": "files"},
    }


def run_job(
    cluster: SharedCluster,
    folder: Path,
    lines: str | bytes,
    *outputs: str,
    settings: Properties | None = None,
) -> Results:
    """Runs a job over lines of a log.

    By default its functions run inside Java (thread mode): the start of a Python process takes
    as long as the rest of a short job.

    Args:
        cluster: The cluster that runs it.
        folder: A new folder for its input and its results.
        lines: The log.
        outputs: The outputs beside the records.
        settings: More settings.
    """
    folder.mkdir(exist_ok=True)
    log = folder / "access.log"
    log.write_bytes(lines.encode() if isinstance(lines, str) else lines)
    results = folder / "results"
    properties: Mapping[str, Mapping[str, str]] = {
        **between_files(log, results, *RECORDS, *outputs),
        "weblog.job": {"execution.mode": "thread"},
        **(settings or {}),
    }
    with cluster.job(folder, properties) as job:
        job.finish()
    return Results(results)
