"""The dashboard beside a command: there while it goes on, and afterwards until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

from tools.dashboard.server import open_browser, serving

_TURN_S = 1.0


def run_beside(output: Path, command: Callable[[], int], nothing_new: Collection[int]) -> int:
    """Runs a command with the dashboard of its output folder open in the browser.

    Args:
        output: The folder that the command writes to.
        command: Gives its exit status.
        nothing_new: Statuses after which there is nothing of the command to look at: the page
            then ends with it.

    Returns:
        The command's exit status.

    Raises:
        ServerError: The dashboard could not be started.
    """
    with serving(output) as server:
        print(f"Dashboard {server.url}", flush=True)
        open_browser(server.url)
        status = command()
        if status not in nothing_new:
            print(f"\nDashboard {server.url} stays until Ctrl-C", flush=True)
            wait_for_interrupt()
    return status


def wait_for_interrupt() -> None:
    """Returns at Ctrl-C."""
    try:
        # In turns: Python does not notice a signal that comes just before a wait without limit.
        while True:
            time.sleep(_TURN_S)
    except KeyboardInterrupt:
        print()
