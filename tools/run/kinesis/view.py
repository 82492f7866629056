"""What `./build.sh run --kinesis` shows: records and windows as they come out of the job."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO

from tools.local.progress import JobProgress
from tools.shell import printable

_SECONDS_BETWEEN_RECORDS = 1.0
_WIDTH = 110

SHOWN_OUTPUTS = ("enriched", "filtered", "dead_letters", "late", "traffic_overview")
"""Outputs that are shown or accounted for; the rest is only counted at the end."""


class StreamView:
    """Counts and shows.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._state: str | None = None
        self._rows: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {"filtered": Counter(), "dead_letters": Counter()}
        self._last: dict[str, Any] = {}
        self._shown_at = 0.0
        self._shown_rows = 0
        self._first_at: float | None = None
        self._first_rows = 0
        self._last_at = 0.0

    @property
    def accounted_for(self) -> int:
        """Returns the lines that have come out: enriched, filtered or dead-lettered."""
        return self._rows["enriched"] + self._rows["filtered"] + self._rows["dead_letters"]

    @property
    def rows(self) -> int:
        """Returns all that has come out."""
        return self._rows.total()

    def endpoint(self, url: str, shards: int, *, private: bool) -> None:
        """Says where the streams are."""
        emulator = f"an emulator on this machine ({url}), {shards} shards"
        self._line("Kinesis", emulator if private else url)

    def starting(self, lines: int, rate: float) -> None:
        """Says what is about to happen."""
        pace = f"{rate:,.0f} lines/s" if rate else "full speed"
        self._line("Input", f"{lines:,} lines at {pace}")
        self._line("Flink", "starting a mini-cluster")

    def state(self, progress: JobProgress | None) -> None:
        """Shows the job's state when it has changed."""
        if progress is not None and progress.state != self._state:
            self._state = progress.state
            self._line("Flink", progress.state.lower())

    def records(self, output: str, records: Sequence[bytes]) -> None:
        """Takes what has appeared in the stream of an output."""
        if not records:
            return
        self._rows[output] += len(records)
        if output == "enriched":
            self._last = json.loads(records[-1])
            self._last_at = time.monotonic()
            if self._first_at is None:
                self._first_at, self._first_rows = self._last_at, len(records)
        elif output == "dead_letters":
            for letter in map(json.loads, records):
                self._reasons[output][f"{letter['stage']}/{letter['reason']}"] += 1
                self._line("dead", f"{letter['stage']}/{letter['reason']}: {letter['message']}")
        elif output == "filtered":
            self._reasons[output].update(json.loads(record)["reason"] for record in records)
        elif output == "traffic_overview":
            for row in sorted(map(json.loads, records), key=lambda row: str(row["window_start"])):
                self._window(row)

    def tick(self, fed: int) -> None:
        """Shows the latest enriched record, not more often than once a second."""
        now = time.monotonic()
        rows = self._rows["enriched"]
        if rows == self._shown_rows or now - self._shown_at < _SECONDS_BETWEEN_RECORDS:
            return
        self._shown_at, self._shown_rows = now, rows
        record = self._last
        client = f"{record.get('host')} ({record.get('country')})"
        text = f"{record.get('response')} {record.get('method')} {record.get('path')}"
        self._line("enriched", f"{rows:,} of {fed:,} fed   last: {client} {text}")

    def summary(self, fed: int, throttled: int, *, whole: bool) -> None:
        """Shows the accounts.

        Args:
            fed: Lines that the input stream has taken.
            throttled: Records that had to be put again.
            whole: All windows have closed and come out.
        """
        seconds = self._last_at - self._first_at if self._first_at is not None else 0.0
        flowed = self._rows["enriched"] - self._first_rows
        rate = f", {flowed / seconds:,.0f}/s once it flowed" if seconds > 0 else ""
        again = f" ({throttled:,} put again after throttling)" if throttled else ""
        self._stream.write("\n")
        self._count(fed, f"lines put into the input stream{again}")
        self._count(self._rows["enriched"], f"enriched ({self._rows['late']:,} of them late){rate}")
        for output, name in (("filtered", "filtered"), ("dead_letters", "dead-lettered")):
            self._count(self._rows[output], name)
            for reason, count in self._reasons[output].most_common():
                self._count(count, f"    {reason}")
        self._stream.write(f"              {self._verdict(fed)}\n")
        for output, rows in sorted(self._rows.items()):
            if output not in {"enriched", "late", *self._reasons}:
                self._count(rows, f"rows of {output}")
        windows = (
            "The latest windows were closed with the log; a stream that goes on keeps them open."
            if whole
            else "Rows of windows that had not closed, or were on their way, are not counted."
        )
        self._stream.write(f"              {windows}\n")
        self._stream.flush()

    def _verdict(self, fed: int) -> str:
        missing = fed - self.accounted_for
        if not fed:
            return "nothing was fed"
        if missing < 0:
            return f"{-missing:,} came out again after a restart; repeats share their event_id"
        return f"{missing:,} are on their way" if missing else "every line is accounted for"

    def _window(self, row: dict[str, Any]) -> None:
        start = str(row["window_start"]).replace("T", " ").removesuffix(":00Z")
        self._line(
            "window",
            f"{start}   {row['requests']:,} requests, {row['bytes_sent'] / 1e6:,.1f} MB, "
            f"{row['error_rate']:.1%} errors, {row['bot_share']:.0%} bots",
        )

    def _count(self, count: int, text: str) -> None:
        self._stream.write(f"{count:>12,}  {printable(text)}\n")

    def _line(self, label: str, text: str) -> None:
        shown = printable(text)
        if len(shown) > _WIDTH:
            shown = shown[: _WIDTH - 3] + "..."
        self._stream.write(f"{label:<9} {shown}\n")
        self._stream.flush()
