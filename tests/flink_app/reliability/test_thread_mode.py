"""The log and the metrics of workers that are threads of the JVM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import SharedCluster
from tests.support.lines import BAD, good, line
from tests.support.live import live_job

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]


def test_the_log_has_the_counts_that_the_metrics_lack(
    cluster: SharedCluster, tmp_path: Path
) -> None:
    settings = {
        "weblog.job": {"execution.mode": "thread"},
        "weblog.pipeline": {"log.interval": "1 s"},
    }
    with live_job(cluster, tmp_path, settings) as job:
        job.give([*good(0, 50), BAD])
        job.wait_until_accounted()
        while job.interval_total("lines_in") < 51:
            job.give([line(100 + len(job.lines))])
            job.wait_until_accounted()
        metrics = job.metrics()

    assert job.log_lines()[0]["event_type"] == "start"
    assert job.interval_total("dead_lettered_parse") == job.interval_total("records_failed") == 1
    # Flink counts the records, but doesn't get the functions' counts.
    assert metrics.total("operator_numRecordsIn") > 0
    assert not [name for name in metrics.names() if "kinesisanalytics" in name]
