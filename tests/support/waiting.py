"""Waiting for the effects of a test's actions."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 600
"""The time after which a waiting test fails; it is long, for busy machines."""
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
        still: Returns whether waiting is still of use.
        account: Returns more text for the failure.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        # A program that has just ended may have fulfilled the condition at its end.
        assert still() or condition(), f"ended before {what}:\n{account()}"
        assert time.monotonic() < deadline, f"not in time: {what}\n{account()}"
        time.sleep(_PAUSE_SECONDS)
