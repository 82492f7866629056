"""Outputs about clients, with the clients hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_app.alerts import DEFAULT_RULES
from tests.support.cluster import SharedCluster
from tests.support.jobs import run_job
from tests.support.lines import log_line
from udfs.privacy.text import MASK

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]


@pytest.mark.parametrize(("choice", "shown"), [("drop", None), ("mask", MASK)])
def test_clients_that_are_not_shown_are_not_one_visitor(
    choice: str, shown: str | None, cluster: SharedCluster, tmp_path: Path
) -> None:
    log = "".join(
        log_line(f"17/May/2015:12:{minute:02}:00 +0000", host=f"203.0.113.{host}")
        for minute in range(5)
        for host in range(3)
    )
    settings = {
        "weblog.privacy": {"client.address": choice},
        "weblog.alerts.rules": dict.fromkeys(DEFAULT_RULES, "off")
        | {"host_spike": "requests per host > 2"},
    }
    outputs = ("sessions", "traffic_overview", "alerts")
    results = run_job(cluster, tmp_path, log, *outputs, settings=settings)
    assert {row["host"] for row in results.rows("enriched")} == {shown}
    assert sum(row["requests"] for row in results.rows("traffic_overview")) == 15
    assert results.rows("sessions") == results.rows("alerts") == []
