"""How much of an invocation's time is left."""

from __future__ import annotations

from typing import Protocol


class Context(Protocol):
    """What is used of the context that Lambda gives to a handler."""

    @property
    def aws_request_id(self) -> str:
        """Id of the invocation."""

    @property
    def function_name(self) -> str:
        """Name of the function."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


class Deadline:
    """The end of one invocation. Lambda kills the process there, and the whole batch with it."""

    def __init__(self, context: Context) -> None:
        self._remaining_ms = context.get_remaining_time_in_millis

    def remaining(self) -> float:
        """Seconds left."""
        return self._remaining_ms() / 1000

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long would still end in time."""
        return self._remaining_ms() > seconds * 1000
