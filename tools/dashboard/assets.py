"""The page's files, and the page put together of them."""

from __future__ import annotations

import base64
import hashlib
import html
from pathlib import Path

STATIC = Path(__file__).with_name("static")

STYLES = ("uplot.min.css", "dashboard.css")
SCRIPTS = (
    "uplot.iife.min.js",
    "world.js",
    "format.js",
    "dom.js",
    "bars.js",
    "timeline.js",
    "map.js",
    "flow.js",
    "sections.js",
    "app.js",
)

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

_HEAD = "<!-- head -->"
_DATA = "<!-- data -->"


def read(name: str) -> str:
    """Returns the text of one of the page's files."""
    return (STATIC / name).read_text(encoding="utf-8")


def linked_page() -> str:
    """Returns the page that loads its files and its data from the dashboard's server."""
    head = [f'<link rel="stylesheet" href="{name}">' for name in STYLES]
    head += [f'<script defer src="{name}"></script>' for name in SCRIPTS]
    return read("page.html").replace(_HEAD, "\n".join(head)).replace(_DATA, "")


def whole_page(data: str) -> str:
    """Returns the page with everything in it, which loads nothing and sends nothing.

    Args:
        data: The snapshot as JSON without `<`, so that nothing in it can end its block.
    """
    if "<" in data:
        raise ValueError("the data must not contain '<'")
    styles = [read(name) for name in STYLES]
    scripts = [read(name) for name in SCRIPTS]
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"script-src {_hashes(scripts)}; style-src {_hashes(styles)}; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        *(f"<style>{style}</style>" for style in styles),
    ]
    # At the end of the body, as an inline script cannot be deferred.
    body = [
        f'<script type="application/json" id="snapshot">{data}</script>',
        *(f"<script>{script}</script>" for script in scripts),
    ]
    return read("page.html").replace(_HEAD, "\n".join(head)).replace(_DATA, "\n".join(body))


def _hashes(texts: list[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
