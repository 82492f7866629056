"""Where a run writes, and how its results replace those of the run before.

A run works in a hidden folder of its own inside the output folder. Only when it has ended well
are its outputs moved into place, so what lies in the output folder is always one whole run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flink_app.sql_files import output_files
from tools.local.summary import data_files
from tools.shell import CommandError

SUMMARY_FILE = "summary.json"
RUN_FILE = "run.json"
REPORT_FILE = "report.html"
WORK_DIRECTORY = ".work"
_LOG_FILE = "job.log"
_LOCK_FILE = ".lock"


@dataclass(frozen=True, slots=True)
class Reservation:
    """An output folder that is one run's.

    Attributes:
        work: The run's work folder; its `results/` is there and empty.
        lock: The descriptor of the folder's lock. The folder is reserved as long as any process
            holds it open: the runner, and the JVM that may outlive a runner that is killed.
    """

    work: Path
    lock: int


@contextmanager
def reserved(output: Path) -> Iterator[Reservation]:
    """Reserves an output folder for one run, and removes what runs that were killed left.

    Args:
        output: The user's output folder; made if missing.

    Raises:
        CommandError: It holds files that no run made, is in use, or cannot be written.
    """
    with ExitStack() as stack:
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
            _refuse_foreign_files(output)
            _refuse_links(output)
            # Not followed, nor emptied, should it be a link by now.
            lock = os.open(output / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            stack.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CommandError(
                    f"another run, or the Java process of one that was killed, "
                    f"is writing to {output}"
                ) from error
            folder = output / WORK_DIRECTORY
            folder.mkdir(exist_ok=True)
            for left in folder.iterdir():
                shutil.rmtree(left, ignore_errors=True)
            work = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
            (work / "results").mkdir()
        yield Reservation(work, lock)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Tells what goes wrong in the block as what it is: a folder that cannot be written.

    Raises:
        CommandError: The disk is full, or some such thing.
    """
    try:
        yield
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error.strerror or error}") from error


def publish(output: Path, work: Path, names: list[str], extras: Sequence[Path] = ()) -> None:
    """Puts a finished run's outputs in the place of the former ones.

    Args:
        output: The user's output folder.
        work: The run's work folder, with `results/` and `logs/`.
        names: Every output that the run had switched on; one without rows gets an
            empty folder.
        extras: More files to lie beside the outputs.
    """
    made = _made_by_runs(output)
    # The mark of a complete run goes first and comes back last.
    (output / SUMMARY_FILE).unlink(missing_ok=True)
    for entry in _visible(output):
        if entry.name in made:
            shutil.rmtree(entry) if _is_folder(entry) else entry.unlink()
    for name in names:
        written = work / "results" / name
        target = output / name
        target.mkdir()
        # Flink names parts after a random id of the writer. Folders by event time stay.
        for number, part in enumerate(data_files(written)):
            folder = target / part.parent.relative_to(written)
            folder.mkdir(parents=True, exist_ok=True)
            part.replace(folder / f"part-{number:05d}.jsonl")
    (work / "logs" / _LOG_FILE).replace(output / _LOG_FILE)
    for extra in extras:
        shutil.copy(extra, output)
    (work / "results" / SUMMARY_FILE).replace(output / SUMMARY_FILE)
    shutil.rmtree(work)
    with suppress(OSError):
        work.parent.rmdir()


def _refuse_foreign_files(output: Path) -> None:
    # Where no run has been, a folder named as an output is somebody's too.
    made = _made_by_runs(output) if (output / _LOCK_FILE).exists() else frozenset()
    foreign = sorted(
        entry.name for entry in _visible(output) if entry.name not in made or entry.is_symlink()
    )
    if foreign:
        raise CommandError(
            f"{output} holds what was not made by a run ({foreign[0]}): "
            "name an empty folder with --out"
        )


def _refuse_links(output: Path) -> None:
    for name in (_LOCK_FILE, WORK_DIRECTORY):
        if (output / name).is_symlink():
            raise CommandError(f"{output / name} is a symbolic link, which no run made: remove it")


def _is_folder(entry: Path) -> bool:
    # What lies behind a link is not a run's.
    return entry.is_dir() and not entry.is_symlink()


def _made_by_runs(output: Path) -> frozenset[str]:
    """Returns the names of what runs put into an output folder, of outputs now off too."""
    try:
        former = json.loads((output / SUMMARY_FILE).read_bytes())["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        former = ()
    files = (SUMMARY_FILE, RUN_FILE, REPORT_FILE, _LOG_FILE)
    return frozenset((*files, *former, *(output.name for output in output_files())))


def _visible(output: Path) -> list[Path]:
    return [entry for entry in output.iterdir() if not entry.name.startswith(".")]
