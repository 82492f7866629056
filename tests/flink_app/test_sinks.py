"""Files partitioned by event date and hour, written by a real job."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.minicluster import started
from tests.support.running import log_line

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

# Event time counts, and in UTC: the second of these lies on the day after, the third too.
TIMES = {
    "28/Oct/2025:22:59:59 +0000": ("2025-10-28", "22"),
    "28/Oct/2025:22:30:00 -0130": ("2025-10-29", "00"),
    "29/Oct/2025:01:00:30 +0100": ("2025-10-29", "00"),
    "29/Oct/2025:11:00:00 +0000": ("2025-10-29", "11"),
}


def rows(folder: Path) -> dict[tuple[str, str], list[dict[str, str]]]:
    found: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for path in folder.glob("event_date=*/event_hour=*/[!.]*"):
        date, hour = (part.name.partition("=")[2] for part in (path.parents[1], path.parent))
        found[date, hour] += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return dict(found)


def test_each_row_lies_in_the_folder_of_its_hour(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(log_line(time) for time in TIMES) + "no log line\n", "utf-8")
    results = tmp_path / "results"
    properties = {
        "weblog.source": {"type": "filesystem", "path": str(log)},
        "weblog.sink.files": {
            "type": "filesystem",
            "path": str(results),
            "partition.by": "hour",
        },
        "weblog.outputs": {
            "enriched": "files",
            "dead_letters": "files",
            "traffic_overview": "files",
        },
    }
    with started(tmp_path / "work", properties) as job:
        assert job.wait_for_end() == 0, job.printed()[-2000:]

    enriched = rows(results / "enriched")
    assert {
        (record["datetime"], place) for place, records in enriched.items() for record in records
    } == set(TIMES.items())
    # The partition is in the path alone.
    assert all("event_hour" not in record for records in enriched.values() for record in records)
    windows = rows(results / "traffic_overview")
    assert {place: len(found) for place, found in windows.items()} == {
        ("2025-10-28", "22"): 1,
        # One window: the two lines lie in the same minute.
        ("2025-10-29", "00"): 1,
        ("2025-10-29", "11"): 1,
    }
    # A line without a time lies where the stream was when it came.
    assert sum(len(found) for found in rows(results / "dead_letters").values()) == 1
