"""The dashboard beside a command: there while it goes on, and afterwards until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.dashboard.server import open_browser, serving

_TURN_S = 1.0


@contextmanager
def dashboard_beside(output: Path) -> Iterator[None]:
    """Keeps the dashboard of an output folder open in the browser, and afterwards until Ctrl-C.

    An exception ends it at once: there is nothing new to look at.

    Raises:
        CommandError: The dashboard could not be started.
    """
    with serving(output) as server:
        print(f"Dashboard {server.url}", flush=True)
        open_browser(server.url)
        yield
        print(f"\nDashboard {server.url} stays until Ctrl-C", flush=True)
        wait_for_interrupt()


def wait_for_interrupt() -> None:
    """Returns at Ctrl-C."""
    try:
        # In turns: Python does not notice a signal that comes just before a wait without limit.
        while True:
            time.sleep(_TURN_S)
    except KeyboardInterrupt:
        print()
