"""Ctrl-C: Flink's client cancels a query and goes on, and a script ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.interrupts import in_a_terminal
from tests.support.running import sql_as_user
from tests.support.waiting import PATIENCE_SECONDS
from tools.shell import EXIT_BAD_INPUT, EXIT_INTERRUPTED
from tools.sql.script import LIMIT

STATUS = 7

CLIENT = f"""
import signal, sys, time
cancelled = 0
def cancel(*_):
    global cancelled
    cancelled += 1
    print("cancelled", cancelled, flush=True)
    if cancelled == 2:
        sys.exit({STATUS})
signal.signal(signal.SIGINT, cancel)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""

COMMAND = """
import sys
from tools.cli import run_command
from tools.sql import command as sql
sql._command = lambda *_: [sys.executable, "client.py"]
sys.exit(run_command("sql", sys.argv[1:]))
"""


def test_the_command_waits_for_a_client_that_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    with in_a_terminal(COMMAND, tmp_path) as command:
        assert command.stdout is not None
        for expected in ("ready", "cancelled 1"):
            assert command.stdout.readline() == f"{expected}\n"
            # A terminal sends Ctrl-C to all its programs.
            os.killpg(command.pid, signal.SIGINT)
        _, errors = command.communicate(timeout=PATIENCE_SECONDS)
        assert (command.returncode, errors) == (STATUS, "")


def test_a_script_that_is_interrupted_ends_at_once_and_says_so(tmp_path: Path) -> None:
    # The client does not end by itself.
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "script.sql").write_text("SELECT 1;\n")
    command = COMMAND.replace("sys.argv[1:]", '["-f", "script.sql"]')
    with in_a_terminal(command, tmp_path) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "ready\n"
        os.killpg(script.pid, signal.SIGINT)
        # The pipes close only after the client's end.
        printed, errors = script.communicate(timeout=PATIENCE_SECONDS)
    assert (script.returncode, printed, errors) == (EXIT_INTERRUPTED, "", "error: interrupted\n")


@pytest.mark.parametrize(
    ("statement", "limit"),
    [
        ("SELECT *\nFROM bots\nLIMIT 12;", "12"),
        ("select * from (select 1 limit 3) limit 4 ", "4"),
        ("SELECT * FROM (SELECT 1 LIMIT 3) AS x;", None),
        # The counts are unfinished when there are three groups.
        ("SELECT country, COUNT(*) FROM access_log GROUP BY country LIMIT 3;", None),
    ],
)
def test_what_ends_a_query_over_a_stream(statement: str, limit: str | None) -> None:
    found = LIMIT.fullmatch(statement)
    assert (found and found[1]) == limit


@pytest.mark.minicluster
@pytest.mark.slow
def test_a_script_stops_at_a_statement_that_fails(tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SET 'a' = 'b';\n-- a comment;\nSELECT 'c;d',\n  nope;\nSHOW JARS;\n")
    ended = sql_as_user(script)
    assert ended.returncode == EXIT_BAD_INPUT
    # Java's own lines with its options come first.
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("error: the script stopped at a statement that failed: ")
    assert line.endswith("SELECT 'c;d', nope;")
    # Flink's message has the reason, and no statement follows.
    assert "Column 'nope' not found" in ended.stdout
    assert "Empty set" not in ended.stdout
