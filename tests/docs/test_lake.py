"""docs/lake.md: the query gives the answer shown, and the table lists the queries."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lake import QUERIES
from tests.support.running import Run
from udfs.config.root import ROOT

PAGE = (ROOT / "docs" / "lake.md").read_text("utf-8")


def test_the_table_lists_every_query() -> None:
    listed = re.findall(r"^\| \[`(\w+)`\]\(\.\./sql/athena/(\w+)\.sql\) \|", PAGE, re.MULTILINE)
    assert {name for name, _ in listed} == {path.stem for path in QUERIES.glob("*.sql")}
    assert all(name == file for name, file in listed)


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_query_gives_the_answer_shown(sample_run: Run, tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "sql").symlink_to(ROOT / "sql")
    (tmp_path / "out").symlink_to(sample_run.folder)
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == (shown, "")
