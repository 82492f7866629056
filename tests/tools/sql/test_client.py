"""Ctrl-C belongs to Flink's client, which cancels a query and goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.interrupts import in_a_terminal
from tests.support.running import sql_as_user
from tests.support.waiting import PATIENCE_SECONDS
from tools.shell import EXIT_BAD_INPUT

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
sys.exit(run_command("sql", []))
"""


def test_the_command_waits_for_a_client_that_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    with in_a_terminal(COMMAND, tmp_path) as command:
        assert command.stdout is not None
        for expected in ("ready", "cancelled 1"):
            assert command.stdout.readline() == f"{expected}\n"
            # As a terminal sends it: to all that run in it.
            os.killpg(command.pid, signal.SIGINT)
        _, errors = command.communicate(timeout=PATIENCE_SECONDS)
        assert (command.returncode, errors) == (STATUS, "")


@pytest.mark.minicluster
@pytest.mark.slow
def test_a_script_stops_at_a_statement_that_fails(tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SET 'a' = 'b';\n-- a comment;\nSELECT 'c;d',\n  nope;\nSHOW JARS;\n")
    ended = sql_as_user(script)
    assert ended.returncode == EXIT_BAD_INPUT
    # Java has said before with which options it was started.
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("error: the script stopped at a statement that failed: ")
    assert line.endswith("SELECT 'c;d', nope;")
    # Flink's own words say why, and nothing comes after.
    assert "Column 'nope' not found" in ended.stdout
    assert "Empty set" not in ended.stdout
