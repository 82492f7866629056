"""`report.html`: a finished run as one file that needs neither a server nor a network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from tools.dashboard.assets import whole_page
from tools.dashboard.runs import Run
from tools.dashboard.snapshot import finished_snapshot
from tools.local.journal import FINISHED, RunJournal
from tools.local.results import REPORT_FILE
from tools.local.summary import RunSummary


def write_report(results: Path, journal: RunJournal, summary: RunSummary, output: Path) -> Path:
    """Writes the report of a run whose results are complete.

    Args:
        results: Folder with a folder for each output; the report is put there.
        journal: The run's journal.
        summary: The run's accounts.
        output: The output folder as the user named it.
    """
    document = journal.document
    run = Run(document["id"], FINISHED, results, document, asdict(summary))
    path = results / REPORT_FILE
    path.write_text(render(finished_snapshot(run, output)), encoding="utf-8")
    return path


def render(snapshot: dict[str, Any]) -> str:
    """Returns the page with the snapshot in it.

    Args:
        snapshot: What `RunReader.document` gives.
    """
    return whole_page(embedded_json(snapshot))


def embedded_json(document: dict[str, Any]) -> str:
    """Returns JSON that is safe inside a script block, whatever strings it holds.

    `<` is what could end the block or begin a comment in it. (U+2028 and U+2029 end lines
    for some readers; `shown` has replaced them.)
    """
    return orjson.dumps(document).decode().replace("<", "\\u003c")
