"""Outputs about clients, where no client is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.running import log_line, only, run_job
from udfs.privacy.text import MASK

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]


@pytest.mark.parametrize(("choice", "shown"), [("drop", None), ("mask", MASK)])
def test_clients_that_are_not_shown_are_not_one_visitor(
    choice: str, shown: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBLOG_PRIVACY_SALT", "a salt of sixteen bytes")
    log = tmp_path / "access.log"
    lines = (
        log_line(f"17/May/2015:12:{minute:02}:00 +0000", host=f"203.0.113.{host}")
        for minute in range(5)
        for host in range(3)
    )
    log.write_text("".join(lines))
    settings = (
        *only("sessions", "traffic_overview", "alerts"),
        *("--set", f"weblog.privacy:client.address={choice}"),
        *("--set", "weblog.alerts.rules:host_spike=requests per host > 2"),
    )
    result = run_job(tmp_path / "out", *settings, str(log))
    assert result.status == 0, result.errors
    assert {row["host"] for row in result.rows("enriched")} == {shown}
    assert sum(row["requests"] for row in result.rows("traffic_overview")) == 15
    assert result.rows("sessions") == result.rows("alerts") == []
