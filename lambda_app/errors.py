"""Errors of the functions, beside those of the core (`udfs/errors.py`)."""

from __future__ import annotations

from udfs.errors import WebLogError


class EventError(WebLogError):
    """The event is not of the kind that the function is made for."""


class OutageError(WebLogError):
    """Every line of a batch is bad data: something is wrong upstream or with the settings.

    Attributes:
        lines: Number of lines that could not be used.
        reason: The most frequent reason, as `stage/reason`.
    """

    def __init__(self, lines: int, reason: str) -> None:
        self.lines = lines
        self.reason = reason
        super().__init__(
            f"all {lines} lines of the batch are bad, mostly {reason}: taken as an outage, "
            "nothing was dead-lettered"
        )
