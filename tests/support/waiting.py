"""Waiting for what a test has set off."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 600
"""How long a test waits before it fails. A busy machine is slow, which says nothing of the code."""
_PAUSE_SECONDS = 0.05


def wait_until(
    condition: Callable[[], object],
    what: str,
    still: Callable[[], object] = lambda: True,
    account: Callable[[], str] = str,
) -> None:
    """Waits for a condition.

    Args:
        condition: What to wait for.
        what: Its name, for the failure.
        still: Whether there is any use in waiting.
        account: What else the failure is to say.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        # What ended meanwhile may have fulfilled the condition last of all.
        assert still() or condition(), f"ended before {what}:\n{account()}"
        assert time.monotonic() < deadline, f"not in time: {what}\n{account()}"
        time.sleep(_PAUSE_SECONDS)
