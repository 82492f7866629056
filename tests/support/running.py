"""Runs the job through the command a user runs, and reads what it wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from udfs.config.root import ROOT

SAMPLE = ROOT / "examples" / "access_log.gz"
TEST_DATABASE = ROOT / "tests" / "data" / "GeoIP2-City-Test.mmdb"

DEADLINE_SECONDS = 240

# What a local run may leave out.
_AGGREGATES = [
    path.stem
    for kind in ("aggregates", "alerts")
    for path in sorted((ROOT / "sql" / "outputs" / kind).glob("*.sql"))
]

type Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the command left behind."""

    status: int
    output: Path
    printed: str
    errors: str

    def rows(self, name: str) -> list[Row]:
        folder = self.output / name
        return [
            json.loads(line)
            for path in sorted(folder.iterdir())
            for line in path.read_text("utf-8").splitlines()
        ]

    def lines(self, name: str) -> list[str]:
        folder = self.output / name
        return [
            line
            for path in sorted(folder.iterdir())
            for line in path.read_bytes().decode().split("\n")[:-1]
        ]

    @property
    def summary(self) -> Row:
        summary: Row = json.loads((self.output / "summary.json").read_text("utf-8"))
        return summary


def only(*outputs: str) -> list[str]:
    """Arguments for a run without other aggregates and alerts: planning all takes long."""
    settings = [f"weblog.outputs:{name}=off" for name in _AGGREGATES if name not in outputs]
    return [argument for setting in settings for argument in ("--set", setting)]


def run_job(output: Path, *arguments: str, stdin: bytes = b"") -> Result:
    """Runs `./build.sh run`'s module as a user's shell would."""
    command = [sys.executable, "-m", "tools.cli", "run", "--out", str(output), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            printed, errors = process.communicate(stdin, timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            # Terminated, not killed, so that it stops the cluster too.
            process.terminate()
            process.communicate(timeout=60)
            log = (output / ".work" / "logs" / "job.log").read_text("utf-8", "replace")
            pytest.fail(f"no end after {DEADLINE_SECONDS} s; the log ends with\n{log[-5000:]}")
    return Result(process.returncode, output, printed.decode(), errors.decode())


def log_line(
    time: str,
    *,
    host: str = "203.0.113.9",
    request: str = "GET /a.html HTTP/1.1",
    status: int = 200,
    size: str = "100",
    referer: str = "-",
    agent: str = "-",
) -> str:
    return f'{host} - - [{time}] "{request}" {status} {size} "{referer}" "{agent}"\n'
