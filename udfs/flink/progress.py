"""How far a stream has come in event time, safe against lines with a wrong date or none."""

from __future__ import annotations

import time
from collections.abc import Callable

# Lines in a row without a usable time before the clock takes over.
_FAILURES = 20
# How long a stream must have shown nothing else before it is taken to be a live one.
_MS_WITHOUT_ANY_TIME = 30_000


class StreamProgress:
    """The largest event time that can be trusted.

    A line within the tolerance of the progress may move it. A larger step forward, and the very
    first time, counts only once consecutive lines confirm it, and as far as all of them do: to the
    earliest of their times. So a lone line from the far future closes no window, and a true gap in
    a log costs the watermark a delay of two lines. So does each line of a stream so sparse that all
    its steps are large.

    Where no line has a usable time, as in an outage, time still has to go on: windows would never
    close, and the alert about the outage with them. So after twenty such lines in a row the
    progress moves on as time does, whatever the clock on the wall jumps to. A replay is not
    disturbed: it is through with them in a moment. A stream that has shown nothing else for half a
    minute is taken to be live, and the time on the wall for its own.
    """

    __slots__ = (
        "_ahead",
        "_clock",
        "_confirmations",
        "_failing_since",
        "_failures",
        "_progress_before",
        "_tolerance",
        "_wall",
        "current",
    )

    def __init__(
        self,
        tolerance_ms: int,
        confirmations: int = 3,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Starts without progress.

        Args:
            tolerance_ms: Step in milliseconds that needs no confirmation.
            confirmations: Lines in a row that a larger step takes, at least 1.
            clock: Gives seconds from any fixed point.
            wall: Gives the time in seconds since 1970-01-01 UTC.
        """
        if tolerance_ms < 0 or confirmations < 1:
            raise ValueError("tolerance_ms must not be negative, confirmations at least 1")
        self._tolerance = tolerance_ms
        self._confirmations = confirmations
        self._ahead: list[int] = []
        self._clock, self._wall = clock, wall
        self._failures = 0
        self._failing_since = 0.0
        self._progress_before: int | None = None
        self.current: int | None = None
        """Progress in milliseconds since 1970-01-01 UTC, None before the first confirmed time."""

    def observe(self, event_time_ms: int) -> int | None:
        """Takes one line's time into account and return the progress after it."""
        self._failures = 0
        current, ahead = self.current, self._ahead
        if current is not None and event_time_ms <= current + self._tolerance:
            if ahead:
                ahead.clear()
            if event_time_ms > current:
                self.current = current = event_time_ms
            return current
        ahead.append(event_time_ms)
        if len(ahead) == self._confirmations:
            confirmed = min(ahead)
            if current is None or confirmed > current:  # The clock may have moved it meanwhile.
                self.current = current = confirmed
            # The next lines may confirm a later time.
            self._ahead = [time for time in ahead[1:] if time > current + self._tolerance]
        return current

    def fail(self) -> int | None:
        """Takes a line without a usable time into account and return the progress after it."""
        now = self._clock()
        if not self._failures:
            self._failing_since = now
            self._progress_before = self.current
        self._failures += 1
        if self._failures < _FAILURES:
            return self.current
        passed = int((now - self._failing_since) * 1000)
        if self._progress_before is None:
            if passed < _MS_WITHOUT_ANY_TIME:
                return None
            self._progress_before = int(self._wall() * 1000) - passed
        self.current = self._progress_before + passed
        return self.current
