"""Where a run writes, and how its results replace those of the run before.

A run works in a hidden folder inside the output folder. Only when it has ended well are
its outputs moved into place, so what lies in the output folder is always one whole run.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flink_app.local.summary import data_files
from udfs.errors import WebLogError

SUMMARY_FILE = "summary.json"
_WORK_DIRECTORY = ".work"
_LOCK_FILE = ".lock"
_LOG_FILE = "job.log"


class OutputError(WebLogError):
    """The output folder cannot be used."""


@contextmanager
def reserved(output: Path) -> Iterator[Path]:
    """Reserves an output folder for one run and gives its empty work folder.

    Args:
        output: The user's output folder; made if missing.

    Raises:
        OutputError: It holds files that no run made, is in use, or cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_files(output)
        with (output / _LOCK_FILE).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise OutputError(f"another run is writing to {output}") from error
            work = output / _WORK_DIRECTORY
            shutil.rmtree(work, ignore_errors=True)
            (work / "results").mkdir(parents=True)
            yield work
    except OSError as error:
        raise OutputError(f"cannot write to {output}: {error.strerror or error}") from error


def publish(output: Path, work: Path, names: list[str], extras: Sequence[Path] = ()) -> None:
    """Puts a finished run's outputs in the place of the former ones.

    Args:
        output: The user's output folder.
        work: The run's work folder, with `results/` and `logs/`.
        names: Every output that the run had switched on; one without rows gets an
            empty folder.
        extras: More files to lie beside the outputs.
    """
    # The mark of a complete run goes first and comes back last.
    (output / SUMMARY_FILE).unlink(missing_ok=True)
    for entry in _visible(output):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name in names:
        written = work / "results" / name
        target = output / name
        target.mkdir()
        # Flink names parts after a random id of the writer.
        for number, part in enumerate(data_files(written)):
            part.replace(target / f"part-{number:05d}.jsonl")
    (work / "logs" / _LOG_FILE).replace(output / _LOG_FILE)
    for extra in extras:
        shutil.copy(extra, output)
    (work / "results" / SUMMARY_FILE).replace(output / SUMMARY_FILE)
    shutil.rmtree(work)


def _refuse_foreign_files(output: Path) -> None:
    if _visible(output) and not (output / _LOCK_FILE).exists():
        raise OutputError(
            f"{output} is not empty and was not made by a run: name an empty folder with --out"
        )


def _visible(output: Path) -> list[Path]:
    return [entry for entry in output.iterdir() if not entry.name.startswith(".")]
