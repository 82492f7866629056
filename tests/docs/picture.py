"""Makes docs/images/report.png: `.venv/bin/python -m tests.docs.picture out/report.html`.

The picture in the README is the top of the report of a run on the bundled log.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.browser import chromium, find_chromium
from udfs.config.root import ROOT

PICTURE = ROOT / "docs" / "images" / "report.png"
SIZE = (1280, 1310)
LARGEST_BYTES = 300_000

# Paths and speed differ on each machine.
_LEAVE_OUT = """() => {
  document.getElementById("source").textContent = "examples/access_log.gz";
  document.getElementById("figures").lastElementChild.remove();
}"""


def take(browser: Browser, report: Path) -> bytes:
    """Returns a picture of a report's top as PNG."""
    width, height = SIZE
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="light", reduced_motion="reduce"
    )
    try:
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-ready]")
        page.evaluate(_LEAVE_OUT)
        return page.screenshot()
    finally:
        page.close()


def main() -> None:
    (report,) = sys.argv[1:]
    path = find_chromium()
    if path is None:
        sys.exit("no Chromium found: install one (apt install chromium) or set CHROMIUM")
    with chromium(path) as browser:
        PICTURE.write_bytes(take(browser, Path(report)))


if __name__ == "__main__":
    main()
