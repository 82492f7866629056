"""The log of a worker of the job: one structured line an interval.

The lines hold numbers, codes of this project and, of the database, its type and date: no text of a
record, no secret and no path gets here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any

from udfs.flink.metrics import OutcomeCounts
from udfs.log_line import Level, LogHead, log_line
from udfs.outcomes import good_lines

# As many bad lines and no good one are a fault of the feed or of the job, not of the lines.
_OUTAGE_LINES = 20


class WorkerLog:
    """Adds up an interval's counts and writes its line.

    Flink does not tell a function its subtask, so a worker is named by a random id; a line by that
    and a number of its own.

    Args:
        write: Takes a level and a line.
        clock: Gives the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self, write: Callable[[Level, str], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._write = write
        self._clock = clock
        self._worker = token_hex(4)
        self._lines = 0
        self._since = clock()
        self._sums = OutcomeCounts()

    def add(self, sums: OutcomeCounts) -> None:
        """Adds counts to the interval's."""
        self._sums += sums

    def interval(self, cache_hits: Mapping[str, int]) -> None:
        """Writes the line of the interval that ends now; none if nothing came.

        Args:
            cache_hits: Percent found, by cache, since the worker's start.
        """
        now, sums = self._clock(), self._sums
        if sums.records:
            failed = sums.dead_lettered.total()
            more = {
                "interval_ms": round((now - self._since) * 1000),
                "lines_in": sums.lines,
                "lines_enriched": sums.enriched,
                "lines_filtered": sums.filtered.total(),
                "lines_dead_lettered": failed,
                "enrichment_micros_per_line": round(sums.seconds * 1e6 / sums.lines, 1),
                **{f"filtered_{reason}": n for reason, n in sums.filtered.items()},
                **{f"dead_lettered_{stage}": n for stage, n in sums.dead_lettered.items()},
                **{f"{name}_cache_hit_percent": percent for name, percent in cache_hits.items()},
            }
            work = (sums.seconds * 1000, sums.records, failed)
            self._line("interval", _level(sums, failed), more, work)
        self._sums = OutcomeCounts()
        self._since = now

    def event(self, event_type: str, level: Level, **more: str) -> None:
        """Writes the line of something that happened; `more` are texts of this project."""
        self._line(event_type, level, more, (0.0, 0, 0))

    def _line(
        self,
        event_type: str,
        level: Level,
        more: Mapping[str, Any],
        work: tuple[float, int, int],
    ) -> None:
        self._lines += 1
        head = LogHead(
            int(self._clock() * 1000),
            level,
            f"{self._worker}/{self._lines}",
            event_type,
            *work,
        )
        self._write(level, log_line(head, more))


def _level(sums: OutcomeCounts, failed: int) -> Level:
    if failed >= _OUTAGE_LINES and not good_lines(sums.enriched, sums.filtered):
        return "ERROR"
    return "WARNING" if failed else "INFO"
