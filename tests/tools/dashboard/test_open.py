"""`run --open` with a real job: its page shows the run while it goes, and after its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.interrupts import hearing_interrupts
from tests.support.running import only
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.tools.dashboard.conftest import Watched
from tools.local.cluster import JARS
from udfs.config.root import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.minicluster, pytest.mark.slow]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Yields the address that a running `run --open` gave to the browser."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    command = [sys.executable, "-m", "tools.cli", "run", "--open"]
    arguments = ["--out", str(tmp_path / "out"), *only("traffic_overview", "traffic_per_country")]
    with (tmp_path / "printed").open("wb") as printed:
        with hearing_interrupts():
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env=os.environ | {"BROWSER": str(browser)},
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(
                opened.exists,
                "the browser",
                still=lambda: process.poll() is None,
                account=(tmp_path / "printed").read_text,
            )
            yield opened.read_text()
            # The command stays until Ctrl-C.
            assert process.poll() is None, (tmp_path / "printed").read_text()
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
    text = (tmp_path / "printed").read_text()
    assert f"Dashboard {address_line(text)} stays until Ctrl-C" in text
    assert "Traceback" not in text


def address_line(text: str) -> str:
    return text.partition("Dashboard ")[2].split()[0]


def test_the_page_shows_the_run_live_and_finished(
    address: str, watched: Watched, tmp_path: Path
) -> None:
    page = watched.page
    patience = PATIENCE_SECONDS * 1000
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#state")).to_have_text("starting Flink", timeout=patience)
    if list(JARS.glob("flink-runtime-web-*.jar")):
        link = page.locator("#flink-ui")
        expect(link).to_be_visible(timeout=patience)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", link.get_attribute("href") or "")
    expect(page.locator("#state")).to_have_text("finished", timeout=patience)
    expect(page.locator("#flink-ui")).to_be_hidden()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    expect(page.locator("#figures")).to_contain_text(re.compile("Lines in10,000.*Enriched9,999"))
    expect(page.locator("#countries tbody tr").first).to_contain_text("United States")
    assert summary["enriched"] == 9999
    assert watched.problems == []
