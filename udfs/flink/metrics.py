"""Counts what becomes of lines, and how long the work takes, for a metrics system.

Counting is plain additions; handing the sums on is left to `OutcomeCounts.take`, called now and
then. A call into a metrics library for every line would cost more than parsing it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from udfs.outcomes import Enriched, Filtered, Outcome


@dataclass(slots=True)
class OutcomeCounts:
    """Counts since the last look.

    Attributes:
        records: Source records; one may hold several lines.
        enriched: Lines that became enriched records.
        filtered: Lines left out on purpose, by reason.
        dead_lettered: Lines that could not be used, by stage.
        seconds: Time spent on them.
        reload_failures: New GeoIP databases that could not be taken.
    """

    records: int = 0
    enriched: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    dead_lettered: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    reload_failures: int = 0

    @property
    def lines(self) -> int:
        """Returns all lines, whatever became of them."""
        return self.enriched + self.filtered.total() + self.dead_lettered.total()

    @property
    def micros_per_line(self) -> int:
        """Returns the mean time for a line in microseconds; 0 without lines."""
        return round(self.seconds * 1e6 / self.lines) if self.lines else 0

    def add(self, outcomes: Iterable[Outcome], seconds: float) -> None:
        """Counts the outcomes of one source record and the time they took."""
        self.records += 1
        self.seconds += seconds
        for outcome in outcomes:
            if isinstance(outcome, Enriched):
                self.enriched += 1
            elif isinstance(outcome, Filtered):
                self.filtered[outcome.reason] += 1
            else:
                self.dead_lettered[outcome.letter.stage] += 1

    def __iadd__(self, other: Self) -> Self:
        """Adds other counts to these."""
        self.records += other.records
        self.enriched += other.enriched
        self.filtered += other.filtered
        self.dead_lettered += other.dead_lettered
        self.seconds += other.seconds
        self.reload_failures += other.reload_failures
        return self

    def take(self) -> Self:
        """Returns the counts since the last call and starts again from zero."""
        counts = replace(self)
        self.records, self.enriched, self.seconds, self.reload_failures = 0, 0, 0.0, 0
        self.filtered, self.dead_lettered = Counter(), Counter()
        return counts
