"""Runs of the job through the user's command."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.jobs import Results
from tests.support.rows import Row
from tests.support.waiting import PATIENCE_SECONDS
from udfs.config.root import ROOT

# The outputs that a local run may leave out.
_AGGREGATES = [
    path.stem
    for kind in ("aggregates", "alerts")
    for path in sorted((ROOT / "sql" / "outputs" / kind).glob("*.sql"))
]


@dataclass(frozen=True, slots=True)
class Run(Results):
    """The outputs, the exit status and the printed text of a run."""

    status: int
    printed: str
    errors: str

    @property
    def summary(self) -> Row:
        summary: Row = json.loads((self.folder / "summary.json").read_text("utf-8"))
        return summary


def only(*outputs: str) -> list[str]:
    """Returns arguments for a run without the other aggregates: planning all takes long."""
    settings = [f"weblog.outputs:{name}=off" for name in _AGGREGATES if name not in outputs]
    return [argument for setting in settings for argument in ("--set", setting)]


def run_as_user(output: Path, *arguments: str) -> Run:
    """Runs `./build.sh run`'s module as a user's shell would."""
    command = [sys.executable, "-m", "tools.cli", "run", "--out", str(output), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
    ) as process:
        try:
            printed, errors = process.communicate(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            # SIGTERM, so that the command stops the cluster too.
            process.terminate()
            process.communicate(timeout=60)
            (log,) = output.glob(".work/*/logs/job.log")
            end = log.read_text("utf-8", "replace")[-5000:]
            pytest.fail(f"no end after {PATIENCE_SECONDS} s; the log ends with\n{end}")
    return Run(output, process.returncode, printed.decode(), errors.decode())


def sql_as_user(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `./build.sh sql`'s module on a script as a user's shell would."""
    return subprocess.run(
        [sys.executable, "-m", "tools.cli", "sql", "-f", str(script), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
