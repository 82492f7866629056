"""What a local run shows on the terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tools.local.job import reason_of
from tools.local.progress import RESTARTING, JobProgress
from tools.local.staging import StagedInput
from tools.local.summary import RunSummary
from tools.shell import printable
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_schema import AutonomousSystem, GeoLocation
from udfs.parse.detect import Detection

_NAME_WIDTH = 40
_COLUMN_WIDTH, _COLUMN_GAP = 12, 2
# Of a terminal that does not say how wide it is.
_USUAL_COLUMNS = 80
# In the type of the bundled database, which is as old as it is on purpose.
_DEMO = "demo subset"


class Console:
    """Writes for a person; a line that is overwritten only where a terminal can do that.

    Args:
        stream: Where to write; errors go to standard error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._started: float | None = None
        self._state: str | None = None

    def database(
        self,
        geo: GeoDatabase[GeoLocation] | None,
        max_age_days: int,
        asn: GeoDatabase[AutonomousSystem] | None = None,
    ) -> None:
        """Says which GeoIP databases are used and warns of an old one of places."""
        if asn is not None:
            self._line(f"ASN       {asn}")
        if geo is None:
            self._line("GeoIP     none (weblog.geoip database.path is empty): no city, no country")
            return
        age = geo.age(datetime.now(UTC)).days
        built = f"built {geo.build_date:%Y-%m-%d}, {age} days ago"
        self._line(f"GeoIP     {geo.database_type}, {built}")
        if _DEMO in geo.database_type:
            self._line("          it knows only the bundled log; ./build.sh geoip gets a full one")
        elif age > max_age_days:
            self._line(
                f"warning   the GeoIP database is older than {max_age_days} days "
                "(weblog.geoip database.max.age.days); ./build.sh geoip gets a current one"
            )

    def input(self, staged: StagedInput) -> None:
        """Says what the job is given."""
        files = f"{len(staged.sources)} files" if len(staged.sources) > 1 else staged.sources[0]
        size = staged.uncompressed_bytes / 1e6
        self._line(f"Input     {staged.lines:,} lines, {size:,.1f} MB from {printable(files)}")

    def format(self, detection: Detection) -> None:
        """Says which format the first lines are in."""
        wrapped = ", inside JSON or another wrapping" if detection.is_wrapped else ""
        counted = f"{detection.matching} of the first {detection.lines} lines"
        self._line(f"Format    {detection.format}, by {counted}{wrapped}")

    def starting(self) -> None:
        """Says that Flink starts."""
        self._line("Flink     starting a mini-cluster")

    def progress(self, progress: JobProgress | None, total: int) -> None:
        """Shows how far the job is."""
        if progress is None:
            return
        former, self._state = self._state, progress.state
        if progress.state == RESTARTING and former != RESTARTING:
            self.end_of_progress()
            reason = printable(reason_of(progress.failure or ""))
            self._line(f"Flink     starts again from its last checkpoint: {reason}")
        if not self._live:
            if progress.state != former:
                self._line(f"Flink     {progress.state.lower()}")
            return
        text = f"Flink     {progress.state.lower()}"
        if progress.lines:
            now = time.monotonic()
            self._started = self._started or now
            elapsed = max(now - self._started, 1e-9)
            share = min(progress.lines / total, 1.0) if total else 1.0
            text += f"  {progress.lines:,} of {total:,} lines ({share:.0%})"
            if elapsed >= 1:
                text += f"  {progress.lines / elapsed:,.0f} lines/s"
        # A longer line would wrap, and what is above the last row cannot be overwritten.
        columns = os.get_terminal_size(self._stream.fileno()).columns or _USUAL_COLUMNS
        self._stream.write(f"\r\x1b[K{text[: columns - 1]}")
        self._stream.flush()

    def end_of_progress(self) -> None:
        """Leaves the line that was overwritten."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def summary(self, summary: RunSummary, output: Path) -> None:
        """Shows the accounts and the most telling results of a run."""
        dead = sum(summary.dead_lettered.values())
        filtered = sum(summary.filtered.values())
        self._line("")
        self._line(f"{summary.lines_in:>12,}  lines in, in {summary.seconds:.1f} s with start-up")
        self._line(f"{summary.enriched:>12,}  enriched ({summary.late:,} of them late)")
        self._line(f"{filtered:>12,}  filtered")
        self._reasons(summary.filtered)
        self._line(f"{dead:>12,}  dead-lettered")
        self._reasons(summary.dead_lettered)
        equation = f"{summary.enriched:,} + {filtered:,} + {dead:,} = {summary.accounted_for:,}"
        self._line(f"              every line is accounted for: {equation}")
        self._tables(summary)
        self._line(f"\nWindows   {summary.first_window or '-'} to {summary.last_window or '-'}")
        self._line("Output")
        for name, rows in summary.outputs.items():
            self._line(f"{rows:>12,}  {output / name}")

    def _tables(self, summary: RunSummary) -> None:
        pages = [
            (page.webpage, page.requests, page.client_errors, page.server_errors)
            for page in summary.errors_per_page
        ]
        self._table("Pages with most errors", ("page", "requests", "4xx", "5xx"), pages)
        countries = [
            (country.country, country.requests, _megabytes(country.bytes_sent))
            for country in summary.traffic_per_country
        ]
        self._table("Traffic per country", ("country", "requests", "MB"), countries)
        bots = [(bot.bot_kind, bot.requests, _megabytes(bot.bytes_sent)) for bot in summary.bots]
        self._table("Bots", ("kind", "requests", "MB"), bots)
        slowest = [
            (page.webpage, page.requests, page.mean_ms, page.max_ms)
            for page in summary.slowest_pages
        ]
        self._table("Slowest pages", ("page", "requests", "mean ms", "longest"), slowest)

    def _reasons(self, reasons: Mapping[str, int]) -> None:
        for reason, count in reasons.items():
            self._line(f"{count:>16,}  {printable(reason)}")

    def _table(
        self,
        title: str,
        header: tuple[str, ...],
        rows: Sequence[tuple[str | float | None, ...]],
    ) -> None:
        """Shows a table; none without rows."""
        if not rows:
            return
        self._line(f"\n{title}")
        lines = [header]
        for first, *values in rows:
            label = "(unknown)" if first is None else printable(str(first))
            if len(label) > _NAME_WIDTH:
                label = label[: _NAME_WIDTH - 3] + "..."
            lines.append((label, *(f"{value:,}" for value in values)))
        longest = max(len(cell) for _, *cells in lines for cell in cells)
        width = max(_COLUMN_WIDTH, longest + _COLUMN_GAP)
        for name, *cells in lines:
            self._line(f"  {name:<{_NAME_WIDTH}}" + "".join(f"{cell:>{width}}" for cell in cells))

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


def _megabytes(count: int) -> float:
    return round(count / 1e6, 1)
