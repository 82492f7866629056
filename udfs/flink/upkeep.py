"""Chores of a worker, between two records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Chore:
    """A chore that is done again and again.

    Attributes:
        every: Seconds from one time to the next.
        do: What to do.
        due: When it is due next, on the clock of `Upkeep.run`.
    """

    every: float
    do: Callable[[], None]
    due: float


class Upkeep:
    """Runs chores when they are due.

    A record pays for a comparison of a time it has anyway with `due`. Without records
    nothing is done: there is nothing to tell, and nobody asks an old database.

    Attributes:
        due: When `run` has something to do next.
    """

    __slots__ = ("_chores", "due")

    def __init__(self) -> None:
        self._chores: list[Chore] = []
        self.due = float("inf")

    def add(self, every: float, do: Callable[[], None], now: float) -> None:
        """Adds a chore.

        Args:
            every: Seconds between two times.
            do: What to do.
            now: The present on the caller's monotonic clock.
        """
        self._chores.append(Chore(every, do, now + every))
        self.due = min(self.due, now + every)

    def run(self, now: float) -> None:
        """Does what is due."""
        for chore in self._chores:
            if chore.due <= now:
                chore.due = now + chore.every
                chore.do()
        self.due = min((chore.due for chore in self._chores), default=float("inf"))
