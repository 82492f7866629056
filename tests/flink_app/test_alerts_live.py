"""A live stream of only bad lines.

There is no event time, and still the alert has to come.
"""

from __future__ import annotations

import os
import threading
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.jobs import Results, between_files

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

LINES_AT_ONCE = 5
PAUSE_SECONDS = 0.1


class LiveLog:
    """A named pipe that the job reads as a compressed file: a read waits for more."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.lines = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ends the stream as a file ends."""
        self._ended.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _feed(self) -> None:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
        with self.path.open("wb", buffering=0) as pipe:
            while not self._ended.wait(PAUSE_SECONDS):
                lines = packer.compress(b"bad\n" * LINES_AT_ONCE)
                pipe.write(lines + packer.flush(zlib.Z_SYNC_FLUSH))
                self.lines += LINES_AT_ONCE
            pipe.write(packer.flush())


def test_the_outage_of_a_stream_of_only_bad_lines(cluster: SharedCluster, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    outputs = ("enriched", "late", "filtered", "traffic_overview", "errors_per_page")
    properties = {
        **between_files(tmp_path / "live.gz", results.folder, "alerts", "dead_letters", *outputs),
        "weblog.windows": {"size": "1 s", "sliding.size": "2 s", "sliding.slide": "1 s"},
        "weblog.alerts": {"quiet.windows": "5"},
    }
    properties["weblog.windows"]["out.of.orderness"] = "0 s"
    properties["weblog.sink.files"]["rollover.interval"] = "1 s"
    begun = datetime.now(UTC)
    log = LiveLog(tmp_path / "live.gz")
    with cluster.job(tmp_path, properties) as job:
        # After half a minute of bad lines the wall clock is the stream's time.
        job.wait_until(lambda: results.rows("alerts"), "the alert")
        rows = results.rows("alerts")
        log.end()
        job.finish()

    # While the outage lasts, there is only its start.
    (start,) = rows
    assert (start["alert"], start["state"], start["subject_type"]) == ("outage", "started", "site")
    assert start["metric_value"] == 1.0
    assert start["dead_letters"] == start["lines"] >= 20
    assert begun < datetime.fromisoformat(start["window_start"]) < datetime.now(UTC)

    everything = results.rows("alerts")
    assert [
        (row["alert"], row["state"]) for row in sorted(everything, key=lambda r: r["state"])
    ] == [
        ("outage", "ended"),
        ("outage", "started"),
    ]
    (end,) = (row for row in everything if row["state"] == "ended")
    assert end["window_start"] == start["window_start"]
    assert end["dead_letters"] == end["lines"] >= start["lines"]

    letters = results.rows("dead_letters")
    assert len(letters) == log.lines
    assert {(one["stage"], one["reason"], one["event_time"]) for one in letters} == {
        ("parse", "malformed_line", None)
    }
    for output in outputs:
        assert results.rows(output) == []
