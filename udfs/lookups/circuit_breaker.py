"""A circuit breaker: a service that fails all the time is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after so many failures in a row; after a pause one call probes the service.

    Attributes:
        opened: how often it has opened.
    """

    def __init__(
        self, failures: int, pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start closed.

        Args:
            failures: failures in a row that open it, at least 1.
            pause_seconds: how long no call is let through.
            clock: seconds from any fixed instant.
        """
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._failures = 0
        self._next_probe: float | None = None
        self.opened = 0

    def allow(self) -> bool:
        """Whether a call may be made now; a caller that gets True must tell how it went."""
        if self._next_probe is None:
            return True
        now = self._clock()
        if now < self._next_probe:
            return False
        # One probe; should its outcome never be told, another is due after a pause.
        self._next_probe = now + self._pause
        return True

    def succeeded(self) -> None:
        """A call went well."""
        self._failures = 0
        self._next_probe = None

    def failed(self) -> None:
        """A call failed."""
        self._failures += 1
        if self._failures >= self._limit:
            if self._next_probe is None:
                self.opened += 1
            self._next_probe = self._clock() + self._pause
