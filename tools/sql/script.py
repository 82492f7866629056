"""The SQL client on a script: what it prints goes on, and a query over a stream gets an end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.local import ports
from tools.local.progress import RestClient
from tools.local.text import shown
from tools.shell import CommandError

# In the client's log, whichever statement failed for whatever reason.
_FAILED = ".CliClient Could not execute SQL statement."
# Of a stream Flink gives so many rows and then waits on. Those of groups still change.
LIMIT = re.compile(r"(?is)(?!.*\bgroup\s+by\b).*\blimit\s+(\d+)\s*;?\s*")
_ROW = b"| +I |"
_HEAD = b"| op |"


class Script:
    """A run of the client on a script.

    Args:
        log_file: The client's log.
        history: Where the client notes the statements that it takes up.
    """

    def __init__(self, log_file: Path, history: Path) -> None:
        self._log_file = log_file
        self._history = history

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Runs the client to its end and returns its exit status.

        Raises:
            CommandError: A statement failed.
        """
        # Java and Python would both tell of an interrupt at length, so it does not reach them.
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, start_new_session=True
        ) as client:
            try:
                self._pass_on(client)
                status = client.wait()
            finally:
                if client.poll() is None:
                    os.killpg(client.pid, signal.SIGKILL)
        if status == 0:
            self._check()
        return status

    def _pass_on(self, client: subprocess.Popen[bytes]) -> None:
        assert client.stdout is not None  # noqa: S101 - it is a pipe
        rows, limit = 0, None
        for line in client.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            if line.startswith(_HEAD):
                rows, limit = 0, LIMIT.fullmatch(self._statement())
            elif line.startswith(_ROW):
                rows += 1
                if limit is not None and rows == int(limit[1]):
                    self._end_query()

    def _end_query(self) -> None:
        """Ends the query that goes on, as if its stream had ended."""
        address = ports.newest_rest_address(self._log_file)
        if address is not None:
            rest = RestClient(address)
            rest.job_progress()  # Finds the job.
            rest.drain(self._log_file.with_name("savepoints"))

    def _check(self) -> None:
        """Looks for a failure that the client printed and does not show in its exit status.

        Raises:
            CommandError: A statement failed; it is the last that the client took up.
        """
        if _FAILED in self._log_file.read_text("utf-8", "replace"):
            statement = " ".join(self._statement().split())
            raise CommandError(f"the script stopped at a statement that failed: {shown(statement)}")

    def _statement(self) -> str:
        """Returns the statement that the client took up last."""
        entries = self._history.read_text("utf-8", "replace").strip().split("\n")
        _, _, statement = entries[-1].partition(":")
        # The history holds line breaks as two characters.
        return statement.replace("\\n", "\n")
