"""A worker that falls silent and comes back with what it held back."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.job.minicluster import started
from tests.reliability.lines import line
from tests.reliability.live import LiveJob

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

# Flink's file source hands lines on by the hundred.
BATCH = 100
MINUTE = 60


class Feed:
    """A compressed log that goes on: a file without an end keeps its worker."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.mkfifo(path)
        self._packer = zlib.compressobj(wbits=31)

    def has_reader(self) -> bool:
        with suppress(OSError):
            self._pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(self._pipe, True)
            return True
        return False

    def give(self, lines: Iterable[bytes]) -> None:
        given = [*lines]
        text = b"".join(one + b"\n" for one in given) + b"\n" * (-len(given) % BATCH)
        os.write(self._pipe, self._packer.compress(text) + self._packer.flush(zlib.Z_SYNC_FLUSH))

    def end(self) -> None:
        os.write(self._pipe, self._packer.flush())
        os.close(self._pipe)


def test_what_a_silent_worker_held_back_is_late_and_not_lost(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "input").mkdir(parents=True)
    busy, silent = (Feed(work / "input" / name) for name in ("busy.gz", "silent.gz"))
    properties = {
        "weblog.source": {"type": "filesystem", "path": str(work / "input")},
        "weblog.windows": {"idle.timeout": "2 s"},
        "weblog.sink.files": {
            "type": "filesystem",
            "path": str(work / "results"),
            "rollover.interval": "1 s",
        },
        "weblog.outputs": dict.fromkeys(("enriched", "late", "traffic_overview"), "files"),
    }
    with started(work, properties, parallelism=2) as cluster:
        job = LiveJob(cluster, work)

        def wait_for(output: str, rows: int) -> None:
            cluster.wait_until(lambda: len(job.rows(output)) >= rows, f"{rows} of {output}")

        for feed in (busy, silent):
            cluster.wait_until(feed.has_reader, "a reader")
        busy.give(line(n) for n in range(5))
        silent.give(line(n) for n in range(5, 10))
        wait_for("enriched", 10)
        busy.give(line(100 + minute, minute * MINUTE) for minute in range(30))
        wait_for("traffic_overview", 25)
        held_back = [line(200 + n, 5 * MINUTE) for n in range(10)]
        silent.give(held_back)
        wait_for("enriched", 50)
        # What comes later in the same minute is late as well, by the same watermark.
        silent.give(line(300 + n, 5 * MINUTE) for n in range(3))
        wait_for("late", 13)
        busy.end()
        silent.end()
        assert cluster.wait_for_end() == 0, cluster.printed()[-2000:]
    assert len(job.rows("enriched")) == 53
    assert len(job.rows("late")) == 13
    assert sum(row["requests"] for row in job.rows("traffic_overview")) == 40
