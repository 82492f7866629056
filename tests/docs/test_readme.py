"""The README and its pages are true: queries give their results, tables match the code."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import pytest

from flink_app.alerts import METRICS
from flink_app.settings import JobSettings
from flink_app.sql_files import output_files
from tests.docs.picture import LARGEST_BYTES, PICTURE, SIZE, take
from tests.support.browser import chromium, find_chromium
from tests.support.running import Run, sql_as_user
from tools.run.command import SAMPLE_LOG, apply_assignments
from tools.settings_reference import tables
from udfs.config.core import CoreSettings
from udfs.config.file import DEFAULT_FILE, load_properties
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.quality import STATUSES

PAGES = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
README = (ROOT / "README.md").read_text("utf-8")
SAMPLE_RUN = README.partition("<!-- run -->\n```text\n")[2].partition("```\n")[0]
# Lines with these texts differ in each run.
CHANGING = ("days ago", "with start-up")
QUERIES = [
    *dict.fromkeys(
        query
        for text in (README, PAGES["sql"])
        for query in re.findall(r"```sql\n(.*?)```\n```text\n(.*?)```\n", text, re.DOTALL)
    )
]


def test_settings_tables() -> None:
    page = PAGES["configuration"]
    shown = page.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert shown == "\n\n".join(tables()), "put the output of ./build.sh settings there"


@pytest.mark.parametrize("page", ["docs/run.md", "docs/geoip.md", "tools/run/command.py"])
def test_settings_for_one_run_are_accepted(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    shown = re.findall(r"(weblog[a-z.]+:[a-z.]+=)(?:'([^']*)'|([^\s'`]+))", text)
    assert shown
    for target, quoted, plain in shown:
        assignment = target + quoted + plain
        JobSettings.load(apply_assignments(load_properties(DEFAULT_FILE), [assignment]))


def test_every_issue_code_has_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGES["quality-and-privacy"], re.MULTILINE)
    shown = {code: status for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert shown == STATUSES


def test_every_metric_of_a_rule_is_named() -> None:
    named = re.sub(r"\s+", " ", PAGES["alerts"]).partition(" Metrics are ")[2].partition(";")[0]
    anywhere, _, of_site = named.partition("only of the site")
    assert re.findall(r"`(\w+)`", of_site) == [
        name for name, one in METRICS.items() if one.is_of_site
    ]
    assert {*re.findall(r"`(\w+)`", anywhere)} == {
        name for name, one in METRICS.items() if not one.is_of_site
    }


def test_every_output_has_a_row() -> None:
    for text in (README, PAGES["outputs"]):
        rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
        named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
        assert {output.name for output in output_files()} <= {*named}


def test_the_record_shown_is_of_the_sample() -> None:
    (shown,) = re.findall(r"```json\n(.*)\n```", PAGES["outputs"])
    with gzip.open(SAMPLE_LOG, "rb") as log:
        line = next(log)
    (outcome,) = Enricher.create(CoreSettings.load(load_properties(DEFAULT_FILE))).process(line)
    assert outcome.json == shown


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
        # The README leaves out lines between these.
        assert line in printed, line

    script = tmp_path / "queries.sql"
    examples = [path.read_text("utf-8") for path in (ROOT / "examples" / "queries").iterdir()]
    script.write_text("".join([*examples, *(query for query, _ in QUERIES)]))
    ended = sql_as_user(script, "--out", str(sample_run.folder))
    assert ended.returncode == 0, ended.stderr
    for query, expected in QUERIES:
        # The client echoes the query's last line in front of the table.
        first, *rest = expected.splitlines()
        assert f"{first}\n" + "\n".join(rest) in ended.stdout, (query, ended.stdout)
    assert ended.stdout.count("10 rows in set") == len(examples)


def test_a_wrong_query_fails_with_a_reason(tmp_path: Path) -> None:
    missing = sql_as_user(tmp_path / "missing.sql")
    assert missing.returncode == 2
    assert missing.stderr == f"error: no such file: {tmp_path / 'missing.sql'}\n"


def test_the_picture_is_small_and_shown() -> None:
    data = PICTURE.read_bytes()
    assert struct.unpack(">8x4x4sII", data[:24]) == (b"IHDR", *SIZE)
    assert len(data) < LARGEST_BYTES
    assert f"]({PICTURE.relative_to(ROOT)})" in README


@pytest.mark.browser
@pytest.mark.minicluster
@pytest.mark.slow
def test_the_picture_can_be_taken_again(sample_run: Run) -> None:
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium found: install one (apt install chromium) or set CHROMIUM")
    with chromium(path) as browser:
        taken = take(browser, sample_run.folder / "report.html")
    assert taken[:24] == PICTURE.read_bytes()[:24]
