"""The time that is left of an invocation."""

from __future__ import annotations

from typing import Protocol

from lambda_app.settings import FunctionSettings


class Context(Protocol):
    """The members in use of the context that Lambda gives to a handler."""

    @property
    def aws_request_id(self) -> str:
        """Returns the id of the invocation."""

    @property
    def function_name(self) -> str:
        """Returns the name of the function."""

    def get_remaining_time_in_millis(self) -> int:
        """Returns the milliseconds until Lambda ends the invocation."""


class Deadline:
    """The end of one invocation. Lambda kills the process there, and the whole batch with it."""

    def __init__(self, context: Context) -> None:
        self._remaining_ms = context.get_remaining_time_in_millis

    def check(self, reserve: float) -> None:
        """Checks at the begin of an invocation that some of its time is not reserve.

        Raises:
            ConfigurationError: There would be no time for a single record.
        """
        remaining = self._remaining_ms() / 1000
        if remaining <= reserve:
            raise FunctionSettings.error(
                "timeout.reserve",
                f"{reserve:.0f} s",
                f"less than the timeout of the function, which is {remaining:.1f} s",
            )

    def allows(self, seconds: float) -> bool:
        """Returns whether something that takes so long would still end in time."""
        return self._remaining_ms() > seconds * 1000
