"""A job killed in mid-stream and restarted from its checkpoint: no line is lost or doubled."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster, own_cluster
from tests.support.jobs import RECORDS, Results, between_files
from tests.support.lines import log_line

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

LINES = 150_000
LINES_A_MINUTE = 1000
STARTED = datetime(2025, 10, 28, tzinfo=UTC)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes a log in order of time, with no line twice."""
    path = tmp_path_factory.mktemp("log") / "access_log.gz"
    with gzip.open(path, "wt", compresslevel=1) as stream:
        for number in range(LINES):
            minutes, part = divmod(number, LINES_A_MINUTE)
            time = STARTED + timedelta(minutes=minutes, seconds=part * 60 // LINES_A_MINUTE)
            stream.write(
                log_line(
                    time.strftime("%d/%b/%Y:%H:%M:%S +0000"),
                    request=f"GET /page-{number % 50}.html?id={number} HTTP/1.1",
                )
            )
    return path


def test_files_hold_every_line_once_after_a_kill_and_a_restart(
    cluster: SharedCluster, log: Path, tmp_path: Path
) -> None:
    results = Results(tmp_path / "results")
    properties = between_files(log, results.folder, *RECORDS, "traffic_overview")
    # The sink closes files often, so that the kill finds finished and unfinished files.
    properties["weblog.sink.files"]["rollover.interval"] = "1 s"
    with own_cluster(tmp_path / "first", properties, checkpoint_interval_ms=500) as first:
        first.wait_until(lambda: results.lines("enriched"), "a finished file")
        first.wait_until(first.checkpoints, "a checkpoint")
        first.kill()
        checkpoint = first.checkpoints()[-1]
    before = len(results.lines("enriched"))
    assert before < LINES, "the job was through before it was killed"

    recovery = {"execution.state-recovery.path": checkpoint.as_uri()}
    with cluster.job(tmp_path / "second", properties, extra=recovery) as second:
        second.finish()

    ids = Counter(json.loads(line)["event_id"] for line in results.lines("enriched"))
    assert len(ids) == LINES
    assert set(ids.values()) == {1}
    assert results.lines("dead_letters") == results.lines("late") == []
    windows = results.rows("traffic_overview")
    starts = [window["window_start"] for window in windows]
    assert len(starts) == len(set(starts)) == LINES // LINES_A_MINUTE
    assert {window["requests"] for window in windows} == {LINES_A_MINUTE}
