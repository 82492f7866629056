from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import chromium, find_chromium
from tests.support.dashboard import finished_run


@dataclass(slots=True)
class Watched:
    """A page, with a note of everything that it must not do."""

    page: Page
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # The browser does not last for the session: its event loop would disturb other tests' loops.
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium found: install one (apt install chromium) or set CHROMIUM")
    with chromium(path) as started:
        yield started


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    seen = Watched(page)
    page.on("console", lambda message: seen.problems.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.problems.append(f"error: {error}"))
    page.on("dialog", lambda dialog: seen.problems.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: seen.requests.append(request.url))
    yield seen
    context.close()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return finished_run(tmp_path / "out")
