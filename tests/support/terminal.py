"""A program in a terminal, into which a test types."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.support.waiting import PATIENCE_SECONDS

# Ctrl-C reaches a program only from its controlling terminal.
_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CTRL_C = "\x03"


class Terminal:
    """The terminal's end of a program.

    Args:
        descriptor: The stream of the program's output and of the keys typed.
        process: The program.
    """

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self._process = process
        self._shown = b""

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str) -> None:
        """Waits for a text, behind the text that the last call waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text.encode() not in self._shown:
            assert time.monotonic() < deadline, self._shown.decode("utf-8", "replace")
            if select.select([self._descriptor], [], [], 1)[0]:
                self._shown += self._read()
        _, _, self._shown = self._shown.partition(text.encode())

    def end(self) -> int:
        """Waits for the end of the program and returns its status."""
        while self._read():
            pass
        return self._process.wait(PATIENCE_SECONDS)

    def _read(self) -> bytes:
        # Linux reports an error when nothing has the terminal open any more.
        with suppress(OSError):
            return os.read(self._descriptor, 65_536)
        return b""


@contextmanager
def terminal(command: Sequence[str], environment: dict[str, str]) -> Iterator[Terminal]:
    """Runs a program in a terminal of 40 lines by 160 columns, and kills it with the block."""
    own, program = os.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLED, *command],
        env=environment | {"TERM": "xterm"},
        stdin=program,
        stdout=program,
        stderr=program,
        start_new_session=True,
    )
    os.close(program)
    try:
        yield Terminal(own, process)
    finally:
        process.kill()
        process.wait()
        os.close(own)
