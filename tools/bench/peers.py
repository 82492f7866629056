"""Other programs over the same logs, where they are installed: GoAccess and Vector's language.

Their time is CPU time of the whole process, as that of the loops over the core, start included.
docs/performance.md says what each does and does not do.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.bench.core import Metrics
from tools.bench.inputs import Setup
from tools.bench.jobs import SkippedError
from udfs.errors import WebLogError

_VRL_PROGRAM = """\
. = parse_apache_log(.message, format: "combined") ?? {"unread": .message}
.parsed_agent = parse_user_agent(string(.agent) ?? "")
.
"""


def goaccess(setup: Setup, log: str) -> Metrics:
    """Measures GoAccess from a plain log to its report as JSON, with the City database.

    Raises:
        SkippedError: It isn't installed.
    """
    program = _installed("goaccess", "a package of Debian's and of most others'")
    with TemporaryDirectory(dir=setup.work) as name:
        lines, report = Path(name, "access.log"), Path(name, "report.json")
        with gzip.open(setup.log(log)) as packed, lines.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        database = f"--geoip-database={setup.database}"
        options = ["--log-format=COMBINED", "--no-progress", "--no-global-config", database]
        values = _measured([program, str(lines), *options, "-o", str(report)], None, setup.records)
        read = json.loads(report.read_bytes())["general"]["total_requests"]
        _check("goaccess", read, setup.records)
    return values


def vrl(setup: Setup, log: str) -> Metrics:
    """Measures Vector's language: line and user agent to JSON; no place, no page, no checks.

    Raises:
        SkippedError: It isn't installed.
    """
    program = _installed("vrl", "cargo install vrl --features cli")
    with TemporaryDirectory(dir=setup.work) as name:
        events, made = Path(name, "events.json"), Path(name, "made.json")
        with gzip.open(setup.log(log)) as lines, events.open("w") as file:
            # Its input is JSON, a document an event, which is not in its time.
            for line in lines:
                file.write(json.dumps({"message": line.decode("latin-1").rstrip("\n")}) + "\n")
        command = [program, "--input", str(events), _VRL_PROGRAM]
        values = _measured(command, made, setup.records)
        with made.open("rb") as file:
            _check("vrl", sum(1 for _ in file), setup.records)
    return values


def _installed(name: str, how: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise SkippedError(f"no {name} on PATH ({how})")
    return program


def _measured(command: list[str], output: Path | None, records: int) -> Metrics:
    with (output or Path(os.devnull)).open("wb") as printed:
        before = os.times()
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.PIPE, check=False
        )
        after = os.times()
    if ran.returncode:
        raise WebLogError(f"{command[0]}: status {ran.returncode}: {ran.stderr[-500:]!r}")
    used_s = (
        after.children_user - before.children_user + after.children_system - before.children_system
    )
    return {"records_per_s": records / used_s, "each_us": used_s / records * 1e6}


def _check(program: str, read: int, records: int) -> None:
    if read != records:
        raise WebLogError(f"{program} has read {read} of {records} lines")
