"""Ctrl-C belongs to Flink's client, which cancels a query and goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.interrupts import in_a_terminal
from tests.support.waiting import PATIENCE_SECONDS

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
