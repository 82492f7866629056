"""Becomes another program, which Linux kills as soon as the process that started it has ended.

Usage: python -IS with_parent.py PARENT COMMAND...

PARENT is the id of that process. (`preexec_fn` would need no program, but does not go together
with threads, and the dashboard has some.)
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks Linux, and becomes the program; ends instead where the parent has ended meanwhile."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == int(parent):
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
