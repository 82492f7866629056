"""The client over streams of an emulator, with the connector."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.lines import BOT, log_line
from tests.support.rows import Row
from tests.support.running import sql_as_user
from tests.support.streams import ENVIRONMENT, Streams, arn
from tests.support.terminal import CTRL_C, terminal
from tools.shell import EXIT_BAD_INPUT
from udfs.config.core import CoreSettings
from udfs.config.root import ROOT
from udfs.enrichment import Enricher

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]

HOSTS = ("203.0.113.1", "203.0.113.2", "203.0.113.3")
WINDOW = {"window_start": "2025-10-28T10:15:00Z", "window_end": "2025-10-28T10:16:00Z"}
PAGE = (ROOT / "docs" / "sql.md").read_text("utf-8")
SHOWN = PAGE.partition("## Over deployed streams")[2].partition("\n## ")[0]
QUERIES = re.findall(r"```sql\n(.*?)```\n", SHOWN, re.DOTALL)
WRITING = "INSERT INTO streams.bots SELECT * FROM streams.bots;\nSHOW JARS;\n"


def rows_of(name: str, requests: int, output: str) -> Row:
    counts = {"bot_kind": "search", "bot": name, "requests": requests, "bytes_sent": 1}
    return WINDOW | counts | {"output_name": output}


LINES = [log_line("28/Oct/2025:10:15:30 +0000", host=host, agent=BOT) for host in HOSTS]
ROWS = [rows_of("A", 1, "bots"), rows_of("B", 2, "top_pages"), rows_of("C", 3, "bots")]


@pytest.fixture(scope="session")
def filled(streams: Streams) -> None:
    """An input stream, and one of aggregates and records."""
    enricher = Enricher.create(CoreSettings())
    records = [outcome.json for line in LINES for outcome in enricher.process(line.encode())]
    streams.create({"sql-input": 1, "sql-all": 1})
    streams.put("sql-input", [("0", line) for line in LINES])
    streams.put("sql-all", [("0", one) for one in [*map(json.dumps, ROWS), *records]])


@pytest.fixture
def options(
    connector_jar: Path, streams: Streams, filled: None, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The options that lead the command to these streams."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    named = [arn("sql-input"), f"bots={arn('sql-all')}", f"enriched={arn('sql-all')}"]
    place = ["--from", "2020-01-01", "--endpoint", streams.url, "--jar", str(connector_jar)]
    return ["--kinesis", *named, *place]


def test_queries_end_at_their_limit_and_nothing_is_written(
    options: list[str], streams: Streams, tmp_path: Path
) -> None:
    script = tmp_path / "script.sql"
    script.write_text("\n".join([*QUERIES, WRITING]))
    ended = sql_as_user(script, *options)
    assert ended.returncode == EXIT_BAD_INPUT, ended.stdout + ended.stderr
    found = re.findall(r"^\| \+I \|(.*)\|$", ended.stdout, re.MULTILINE)
    shown = [tuple(cell.strip() for cell in row.split("|")) for row in found]
    window = "2025-10-28 10:15:00.000"
    assert shown[:2] == [(window, "search", "A", "1"), (window, "search", "C", "3")]
    assert sorted(shown[2:5]) == [(host, "<NULL>", "search", "a") for host in HOSTS]
    assert sorted(shown[5:]) == [(host,) for host in HOSTS]
    assert ended.stdout.count("Received a total of") == len(QUERIES)
    assert "this table is only read" in ended.stdout
    assert "INSERT INTO streams.bots" in ended.stderr.splitlines()[-1]
    assert len(streams.rows("sql-all")) == len(ROWS) + len(HOSTS)
    assert sum(map(len, streams.records("sql-input").values())) == len(HOSTS)


def test_at_the_prompt_a_query_goes_on_until_it_is_interrupted(
    options: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tools.cli", "sql", *options]
    # The client keeps its history there.
    environment = os.environ | {
        "HOME": str(tmp_path),
        "JAVA_TOOL_OPTIONS": f"-Duser.home={tmp_path}",
    }
    with terminal(command, {**environment, "PYTHONPATH": str(ROOT)}) as screen:
        screen.wait_for("Welcome!")
        screen.type("SELECT bot, requests FROM bots;\r")
        for row in ("A |                    1 |", "C |                    3 |"):
            screen.wait_for(row)
        screen.type(CTRL_C)
        screen.wait_for("Query terminated, received a total of 2 rows")
        screen.type("INSERT INTO bots SELECT * FROM bots;\r")
        screen.wait_for("ERROR")
        screen.type("QUIT;\r")
        assert screen.end() == 0
