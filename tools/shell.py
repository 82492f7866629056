"""How a command answers the shell that started it: exit statuses, and errors of one line."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from udfs.errors import WebLogError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# What a shell gives for a program that ended by SIGPIPE.
EXIT_UNHEARD = 141

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1", "[::1]")


class CommandError(WebLogError):
    """A command cannot do what it was asked; the message is for the person who asked."""


def print_error(message: object) -> None:
    """Writes one line on standard error."""
    # Where that is closed or full, the exit status has to say it.
    with suppress(OSError):
        print(f"error: {printable(str(message))}", file=sys.stderr)


def provide_streams() -> None:
    """Puts the null device in the place of standard streams that are closed, as by `>&-`.

    The first files that a command opens would get their descriptors. `sys.stdin` stays None, so
    that no input and an empty input are two things.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The system gives the lowest number that is free.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def spare_loopback_proxies() -> None:
    """Exempts this machine from the environment's proxies, for a command and all that it starts.

    A proxy would look for the address on its own machine, and read what is sent.
    """
    former = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = ",".join(filter(None, (former, *_LOOPBACK_HOSTS)))
    # "*" is only known when it stands by itself.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*" if former == "*" else hosts


def flush_streams(status: int) -> int:
    """Writes out what Python holds back; its own attempt at its end would complain in many lines.

    Args:
        status: The exit status that the command is to have.

    Returns:
        It, or what tells that the output could not be written.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            unheard = isinstance(error, BrokenPipeError)
            if stream is sys.stdout and not unheard:
                print_error(error)
            status = status or (EXIT_UNHEARD if unheard else EXIT_FAILED)
    return status


def printable(text: str) -> str:
    """Returns text from a log line or a file's name, harmless to a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
