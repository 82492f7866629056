"""Programs that are to be ended with Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hearing_interrupts() -> Iterator[None]:
    """A program started within hears SIGINT.

    Tests that a shell runs in the background ignore the signal, and hand that down.
    """
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
