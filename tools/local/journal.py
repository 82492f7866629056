"""What a run tells about itself while it goes: one small file that the dashboard reads.

`run.json` lies in the work folder during the run and beside the results afterwards. It is
replaced as a whole about once a second, and its size is bounded.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from tools.local.progress import JobProgress
from tools.local.results import RUN_FILE, writing
from tools.local.staging import StagedInput
from tools.local.text import shown

PREPARING = "preparing"
RUNNING = "running"
FINISHING = "finishing"
FINISHED = "finished"
FAILED = "failed"
INTERRUPTED = "interrupted"

_SECONDS_BETWEEN_WRITES = 1.0
_MOST_SAMPLES = 600
_MOST_SOURCES = 20
_TEXT_LENGTH = 1000


class RunJournal:
    """Keeps `run.json` of one run; as a context manager it notes how the run ended.

    Args:
        work: The run's work folder.
        geoip: Type of the GeoIP database, None without one.
        asn: Type of the database of networks, None without one.
    """

    def __init__(self, work: Path, geoip: str | None, asn: str | None = None) -> None:
        self.path = work / RUN_FILE
        """Returns the file."""
        self._began = time.monotonic()
        self._written = float("-inf")
        # Pairs of seconds since the job's start and lines read by then.
        self._samples: list[tuple[float, int]] = []
        self._document: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "pid": os.getpid(),
            "phase": PREPARING,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "outputs": [],
            "geoip": geoip,
            "asn": asn,
            "sources": [],
            "source_count": 0,
            "lines_total": None,
            "rest_address": None,
            "message": None,
            "samples": self._samples,
        }

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or not self.path.parent.exists():
            return
        stopped = isinstance(error, KeyboardInterrupt)
        self._set(
            phase=INTERRUPTED if stopped else FAILED, message=shown(error, _TEXT_LENGTH) or None
        )

    @property
    def document(self) -> dict[str, Any]:
        """Returns what the file says."""
        return dict(self._document)

    def input(self, staged: StagedInput, outputs: Sequence[str]) -> None:
        """Notes what the job is given, and the names of the outputs that it writes."""
        self._set(
            outputs=list(outputs),
            # A file's name need not be UTF-8, JSON has to be.
            sources=[shown(source, _TEXT_LENGTH) for source in staged.sources[:_MOST_SOURCES]],
            source_count=len(staged.sources),
            lines_total=staged.lines,
        )

    def starting(self) -> None:
        """Notes that the job starts."""
        self._began = time.monotonic()
        self._set(phase=RUNNING)

    def observe(self, progress: JobProgress | None, rest_address: str | None) -> None:
        """Takes a look at the job; to be called often.

        Args:
            progress: How far the job is.
            rest_address: Where Flink's REST interface is, as `address:port`.
        """
        now = time.monotonic()
        if now - self._written < _SECONDS_BETWEEN_WRITES:
            return
        if progress is not None and progress.lines is not None:
            self._samples.append((round(now - self._began, 2), progress.lines))
            if len(self._samples) > _MOST_SAMPLES:
                # Half as fine; the first and the latest stay.
                del self._samples[1:-1:2]
        self._set(rest_address=rest_address)

    def finishing(self, seconds: float) -> None:
        """Notes that the job has ended and its results are being gathered."""
        lines = self._document["lines_total"]
        if self._samples and lines is not None:
            self._samples.append((round(seconds, 2), lines))
        self._set(phase=FINISHING, rest_address=None)

    def finished(self) -> None:
        """Notes that the results are complete."""
        self._set(phase=FINISHED, ended_at=datetime.now(UTC).isoformat(timespec="seconds"))

    def _set(self, **values: object) -> None:
        self._document |= values
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        temporary = self.path.with_suffix(".new")
        with writing(self.path.parent):
            temporary.write_bytes(orjson.dumps(self._document))
            temporary.replace(self.path)
