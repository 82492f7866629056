"""A circuit breaker: a service that fails all the time is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after so many failures in a row; after a pause one call probes the service.

    Attributes:
        opened: How often it has opened.
    """

    def __init__(
        self, failures: int, pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Starts closed.

        Args:
            failures: Failures in a row that open it, at least 1.
            pause_seconds: How long no call is let through.
            clock: Seconds from any fixed instant.
        """
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._failures = 0
        self._next_probe: float | None = None
        self.opened = 0

    def allow(self) -> bool:
        """Returns whether a call may be made now; after True the caller must report its end."""
        if self._next_probe is None:
            return True
        now = self._clock()
        if now < self._next_probe:
            return False
        # One probe. If nobody reports how it went, another is due after a pause.
        self._next_probe = now + self._pause
        return True

    def succeeded(self) -> None:
        """Notes that a call went well."""
        self._failures = 0
        self._next_probe = None

    def failed(self) -> None:
        """Notes that a call failed."""
        self._failures += 1
        if self._failures >= self._limit:
            if self._next_probe is None:
                self.opened += 1
            self._next_probe = self._clock() + self._pause
