"""How a command answers the shell that started it: exit statuses, and errors of one line."""

from __future__ import annotations

import sys

from udfs.errors import WebLogError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# What a shell gives for a program that ended by SIGPIPE.
EXIT_UNHEARD = 141


class CommandError(WebLogError):
    """A command cannot do what it was asked; the message is for the person who asked."""


def print_error(message: object) -> None:
    """Writes one line on standard error."""
    print(f"error: {printable(str(message))}", file=sys.stderr)


def printable(text: str) -> str:
    """Returns text from a log line or a file's name, harmless to a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
