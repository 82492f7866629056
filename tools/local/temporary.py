"""Folders of commands that have no output folder, in the system's temporary one."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR

_PREFIX = "weblog-"


@contextmanager
def temporary_folder(kind: str, *, keep_after: type[BaseException] | None = None) -> Iterator[Path]:
    """Makes a folder for the time of the block, and removes those that killed commands left.

    Args:
        kind: What the folder is for; only folders of the same kind are looked at.
        keep_after: After an error of this type the folder stays until the next command of the
            kind, with the log in it.
    """
    parent = Path(tempfile.gettempdir())
    for former in parent.glob(f"{_PREFIX}{kind}-*"):
        _remove_unless_held(former)
    # It gets its name when it is held: until then another command would take it for a former one.
    made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}{kind}-", dir=parent))
    descriptor = _held(made)
    folder = made.rename(made.with_name(made.name[1:]))
    try:
        yield folder
    except BaseException as error:
        if keep_after is None or not isinstance(error, keep_after):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _held(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _remove_unless_held(folder: Path) -> None:
    # Another's, held, or gone by now.
    with suppress(OSError):
        status = folder.lstat()
        if S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            descriptor = _held(folder)
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)
