"""Programs that a test ends with Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from udfs.config.root import ROOT


@contextmanager
def hearing_interrupts() -> Iterator[None]:
    """Lets programs started in the block hear SIGINT and SIGHUP.

    Tests that a shell runs in the background ignore SIGINT, and tests behind `nohup` ignore
    SIGHUP. Programs inherit that.
    """
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGHUP, hang_up)


@contextmanager
def in_a_terminal(program: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs a Python program in a folder as the leader of a process group, as a terminal does.

    The program hears SIGINT. When the block fails, its group is killed.
    """
    with (
        hearing_interrupts(),
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
