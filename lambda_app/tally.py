"""Counts of one invocation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from udfs.outcomes import good_lines

if TYPE_CHECKING:
    from aws.put import Receipt


@dataclass(slots=True)
class Tally:
    """Counts of one invocation.

    Attributes:
        records: Records of the event.
        failed: Records with bad data, or that were not delivered.
        enriched: Lines that became enriched records.
        filtered: Filtered lines by reason.
        dead_lettered: Bad lines by `stage/reason`.
        undelivered: Messages that a service did not take, by error code.
        retries: Calls made again.
        deferred: Records answered as failed because they did not fit the response or time was
            up.
        misfiled: Lines that Firehose puts into a folder of another time.
        outage: Whether the batch as a whole was taken for an outage.
        enrichment_seconds: Time spent in the core.
    """

    records: int = 0
    failed: int = 0
    enriched: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    dead_lettered: Counter[str] = field(default_factory=Counter)
    undelivered: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    deferred: int = 0
    misfiled: int = 0
    outage: bool = False
    enrichment_seconds: float = 0.0

    @property
    def lines(self) -> int:
        """Returns all lines, whatever became of them."""
        return self.enriched + self.filtered.total() + self.dead_lettered.total()

    def note(self, receipt: Receipt) -> None:
        """Adds what became of messages."""
        self.undelivered += receipt.problems
        self.retries += receipt.retries

    def is_outage(self, minimum_lines: int) -> bool:
        """Returns whether no line was good, and there were enough lines to judge."""
        bad = self.dead_lettered.total()
        good = good_lines(self.enriched, self.filtered)
        return 0 < minimum_lines <= bad and good == 0

    def main_problem(self) -> str:
        """Returns the most frequent `stage/reason`."""
        return self.dead_lettered.most_common(1)[0][0]
