"""Files that a real job partitions by event date and hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.jobs import between_files
from tests.support.lines import log_line
from tests.support.rows import Row, rows_in

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

# Folders go by event time in UTC: the second and the third time lie on the next day.
TIMES = {
    "28/Oct/2025:22:59:59 +0000": ("2025-10-28", "22"),
    "28/Oct/2025:22:30:00 -0130": ("2025-10-29", "00"),
    "29/Oct/2025:01:00:30 +0100": ("2025-10-29", "00"),
    "29/Oct/2025:11:00:00 +0000": ("2025-10-29", "11"),
}


def rows(folder: Path) -> dict[tuple[str, str], list[Row]]:
    """Returns rows by the date and the hour of their folders."""
    hours = folder.glob("event_date=*/event_hour=*")
    return {
        (hour.parent.name.partition("=")[2], hour.name.partition("=")[2]): rows_in(hour)
        for hour in hours
    }


def test_each_row_lies_in_the_folder_of_its_hour(cluster: SharedCluster, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(log_line(time) for time in TIMES) + "no log line\n", "utf-8")
    results = tmp_path / "results"
    properties = between_files(log, results, "enriched", "dead_letters", "traffic_overview")
    properties["weblog.sink.files"]["partition.by"] = "hour"
    with cluster.job(tmp_path, properties) as job:
        job.finish()

    enriched = rows(results / "enriched")
    assert {
        (record["datetime"], place) for place, records in enriched.items() for record in records
    } == set(TIMES.items())
    # The partition is only in the path.
    assert all("event_hour" not in record for records in enriched.values() for record in records)
    windows = rows(results / "traffic_overview")
    assert {place: len(found) for place, found in windows.items()} == {
        ("2025-10-28", "22"): 1,
        # Both lines lie in the same minute, and so in one window.
        ("2025-10-29", "00"): 1,
        ("2025-10-29", "11"): 1,
    }
    # The folder of a line without a time is that of the stream's time at its arrival.
    assert sum(len(found) for found in rows(results / "dead_letters").values()) == 1
