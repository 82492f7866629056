"""The notebook's statements in docs/sql.md fit the job's outputs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.running import Run, sql_as_user
from udfs.config.root import ROOT

PAGE = (ROOT / "docs" / "sql.md").read_text("utf-8")
NOTEBOOK = PAGE.partition("## In a Studio notebook")[2]
STATEMENTS = re.findall(r"```sql\n(.*?)```\n", NOTEBOOK, re.DOTALL)
STREAM = re.compile(
    r"'connector' = 'kinesis',\s*'stream' = 'weblog-([a-z]+)',\s*'aws.region' = '[a-z0-9-]+',\s*"
    r"'scan.stream.initpos' = 'LATEST',"
)


@pytest.mark.minicluster
@pytest.mark.slow
def test_a_notebook_reads_what_a_run_wrote(sample_run: Run, tmp_path: Path) -> None:
    # Rows in files do not name their output, as each output has its folder.
    aggregates = tmp_path / "aggregates"
    aggregates.write_text(
        "".join(
            line.replace("{", f'{{"output_name":"{name}",', 1) + "\n"
            for name in ("errors_per_page", "top_pages")
            for line in sample_run.lines(name)
        )
    )
    places = {"aggregates": aggregates, "enriched": sample_run.folder / "enriched"}
    script = tmp_path / "notebook.sql"
    script.write_text(
        "\n".join(
            STREAM.sub(
                lambda match: f"'connector' = 'filesystem', 'path' = '{places[match[1]]}',", one
            )
            for one in STATEMENTS
        )
    )
    ended = sql_as_user(script, "--out", str(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = [line.strip("| ") for line in ended.stdout.splitlines() if line.startswith("|")]
    rows = [tuple(cell.strip() for cell in line.split("|")) for line in table]
    pages = rows[rows.index(("webpage", "errors", "requests")) + 1 :]
    most = sample_run.summary["errors_per_page"][0]
    errors = most["client_errors"] + most["server_errors"]
    assert (most["webpage"], str(errors), str(most["requests"])) in pages
    countries = rows[rows.index(("window_start", "country", "requests")) + 1 :]
    assert sum(int(row[2]) for row in countries) == sample_run.summary["enriched"]
