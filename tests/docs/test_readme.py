"""The README says what is so: its queries give its results, its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flink_app.alerts import METRICS
from flink_app.settings import JobSettings
from tests.support.running import Run, sql_as_user
from tools.run.command import apply_assignments
from tools.settings_reference import tables
from udfs.config.file import DEFAULT_FILE, load_properties
from udfs.config.root import ROOT
from udfs.quality import STATUSES

README = (ROOT / "README.md").read_text("utf-8")
SAMPLE_RUN = README.partition("<!-- run -->\n```text\n")[2].partition("```\n")[0]
# What is another every time.
CHANGING = ("days ago", "with start-up")
QUERIES = [
    *dict.fromkeys(
        query
        for text in (README, (ROOT / "docs" / "sql.md").read_text("utf-8"))
        for query in re.findall(r"```sql\n(.*?)```\n```text\n(.*?)```\n", text, re.DOTALL)
    )
]


def test_settings_tables() -> None:
    shown = README.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert shown == "\n\n".join(tables()), "put the output of ./build.sh settings there"


@pytest.mark.parametrize("page", ["README.md", "tools/run/command.py"])
def test_settings_for_one_run_are_accepted(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    shown = re.findall(r"(weblog[a-z.]+:[a-z.]+=)(?:'([^']*)'|([^\s'`]+))", text)
    assert shown
    for target, quoted, plain in shown:
        assignment = target + quoted + plain
        JobSettings.load(apply_assignments(load_properties(DEFAULT_FILE), [assignment]))


def test_every_issue_code_has_its_status() -> None:
    (paragraph,) = re.findall(
        r"^`quality` in each record:(.*?)Probes", README, re.MULTILINE | re.DOTALL
    )
    told: dict[str, str] = {}
    for sentence in re.split(r"[.;]", paragraph):
        *codes, status = re.findall(r"`(\w+)`", sentence) or [""]
        told |= dict.fromkeys(codes, status)
    assert told == STATUSES


def test_every_metric_of_a_rule_is_named() -> None:
    named = README.partition(" Metrics are ")[2].partition(";")[0]
    anywhere, _, of_site = named.partition("of the site alone")
    assert re.findall(r"`(\w+)`", of_site) == [
        name for name, one in METRICS.items() if one.is_of_site
    ]
    assert {*re.findall(r"`(\w+)`", anywhere)} == {
        name for name, one in METRICS.items() if not one.is_of_site
    }


@pytest.mark.parametrize("path", re.findall(r"`((?:flink_app|udfs|sql|conf)/[\w./-]*)`", README))
def test_named_files_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_sample_run_and_the_queries_give_the_results_shown(
    sample_run: Run, tmp_path: Path
) -> None:
    assert len(QUERIES) >= 3
    assert sample_run.status == 0, sample_run.errors
    printed = iter(sample_run.printed.replace(f"{ROOT}/", "").splitlines())
    shown = [line for line in SAMPLE_RUN.splitlines() if not line.endswith(CHANGING)]
    assert len(shown) > 15
    for line in shown:
        # It is shortened, so lines between these may be left out.
        assert line in printed, line

    script = tmp_path / "queries.sql"
    script.write_text("".join(query for query, _ in QUERIES))
    ended = sql_as_user(script, "--out", str(sample_run.folder))
    assert ended.returncode == 0, ended.stderr
    for query, expected in QUERIES:
        # The client echoes the query's last line in front of the table.
        first, *rest = expected.splitlines()
        assert f"{first}\n" + "\n".join(rest) in ended.stdout, (query, ended.stdout)


def test_a_wrong_query_fails_with_a_reason(tmp_path: Path) -> None:
    missing = sql_as_user(tmp_path / "missing.sql")
    assert missing.returncode == 2
    assert missing.stderr == f"error: no such file: {tmp_path / 'missing.sql'}\n"
