"""How far a stream has come in event time, safe against lines with a wrong date."""

from __future__ import annotations


class StreamProgress:
    """The largest event time that can be trusted.

    A line within the tolerance of the progress may move it. A larger step forward, and the very
    first time, counts only once consecutive lines confirm it: their times must agree within the
    tolerance. So a lone line from the far future closes no window, and a true gap in a log costs
    the watermark a delay of two lines.
    """

    __slots__ = (
        "_candidate_high",
        "_candidate_low",
        "_confirmations",
        "_seen",
        "_tolerance",
        "current",
    )

    def __init__(self, tolerance_ms: int, confirmations: int = 3) -> None:
        """Start without progress.

        Args:
            tolerance_ms: step in milliseconds that needs no confirmation.
            confirmations: lines that must agree on a larger step, at least 1.
        """
        if tolerance_ms < 0 or confirmations < 1:
            raise ValueError("tolerance_ms must not be negative, confirmations at least 1")
        self._tolerance = tolerance_ms
        self._confirmations = confirmations
        self._candidate_low = self._candidate_high = 0
        self._seen = 0
        self.current: int | None = None
        """Progress in milliseconds since 1970-01-01 UTC, None before the first confirmed time."""

    def observe(self, event_time_ms: int) -> int | None:
        """Take one line's time into account and return the progress after it."""
        current = self.current
        if current is not None and event_time_ms <= current + self._tolerance:
            self._seen = 0
            if event_time_ms > current:
                self.current = current = event_time_ms
            return current
        low = high = event_time_ms
        if self._seen:
            low = min(low, self._candidate_low)
            high = max(high, self._candidate_high)
        if high - low > self._tolerance:
            low = high = event_time_ms
            self._seen = 0
        self._candidate_low, self._candidate_high = low, high
        self._seen += 1
        if self._seen >= self._confirmations:
            self._seen = 0
            self.current = high
        return self.current
