"""Counts what becomes of lines, and how long the work takes, for a metrics system.

Counting is plain additions; handing the sums on is left to :meth:`OutcomeCounts.take`, called now
and then. A call into a metrics library for every line would cost more than parsing it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from udfs.outcomes import Enriched, Filtered, Outcome


@dataclass(frozen=True, slots=True)
class Sums:
    """What has come together since the last look.

    Attributes:
        records: Source records; one may hold several lines.
        enriched: Lines that became enriched records.
        filtered: Lines left out on purpose, by reason.
        dead_lettered: Lines that could not be used, by stage.
        seconds: Time spent on them.
    """

    records: int = 0
    enriched: int = 0
    filtered: dict[str, int] = field(default_factory=dict)
    dead_lettered: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def lines(self) -> int:
        """All lines, whatever became of them."""
        return self.enriched + sum(self.filtered.values()) + sum(self.dead_lettered.values())

    def __add__(self, other: Self) -> Self:
        """The sums of both."""
        return type(self)(
            self.records + other.records,
            self.enriched + other.enriched,
            dict(Counter(self.filtered) + Counter(other.filtered)),
            dict(Counter(self.dead_lettered) + Counter(other.dead_lettered)),
            self.seconds + other.seconds,
        )

    @property
    def micros_per_line(self) -> int:
        """Mean time for a line in microseconds; 0 without lines."""
        return round(self.seconds * 1e6 / self.lines) if self.lines else 0


class OutcomeCounts:
    """Running counts of one worker."""

    __slots__ = ("_dead_lettered", "_enriched", "_filtered", "_records", "_seconds")

    def __init__(self) -> None:
        self._clear()

    def add(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        """Count the outcomes of one source record and the time they took."""
        self._records += 1
        self._seconds += seconds
        for outcome in outcomes:
            if isinstance(outcome, Enriched):
                self._enriched += 1
            elif isinstance(outcome, Filtered):
                self._filtered[outcome.reason] += 1
            else:
                self._dead_lettered[outcome.letter.stage] += 1

    def take(self) -> Sums:
        """The sums since the last call; counting starts anew."""
        sums = Sums(
            self._records,
            self._enriched,
            dict(self._filtered),
            dict(self._dead_lettered),
            self._seconds,
        )
        self._clear()
        return sums

    def _clear(self) -> None:
        self._records = self._enriched = 0
        self._filtered: Counter[str] = Counter()
        self._dead_lettered: Counter[str] = Counter()
        self._seconds = 0.0
