"""Other programs over the same logs, where they are installed: GoAccess and Vector's language.

Their time is CPU time of the whole process, as that of the loops over the core, start included.
docs/performance.md says what each does and does not do.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

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
    with setup.folder() as folder:
        lines, report = folder / "access.log", folder / "report.json"
        with gzip.open(setup.log(log)) as packed, lines.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        database = f"--geoip-database={setup.database}"
        options = ["--log-format=COMBINED", "--no-progress", "--no-global-config", database]
        used_s = _cpu_s([program, str(lines), *options, "-o", str(report)], folder / "printed")
        read = json.loads(report.read_bytes())["general"]["total_requests"]
    return _metrics(program, used_s, read, setup.records)


def vrl(setup: Setup, log: str) -> Metrics:
    """Measures Vector's language: line and user agent to JSON; no location, no page, no checks.

    Raises:
        SkippedError: It isn't installed.
    """
    program = _installed("vrl", "cargo install vrl --features cli")
    with setup.folder() as folder:
        events, made = folder / "events.json", folder / "made.json"
        with gzip.open(setup.log(log)) as lines, events.open("w") as file:
            # Its input is JSON, a document an event, which is not in its time.
            for line in lines:
                file.write(json.dumps({"message": line.decode("latin-1").rstrip("\n")}) + "\n")
        used_s = _cpu_s([program, "--input", str(events), _VRL_PROGRAM], made)
        with made.open("rb") as file:
            read = sum(1 for _ in file)
    return _metrics(program, used_s, read, setup.records)


def _installed(name: str, how: str) -> str:
    program = shutil.which(name)
    if program is None:
        raise SkippedError(f"no {name} on PATH ({how})")
    return program


def _cpu_s(command: list[str], output: Path) -> float:
    """Returns the CPU time of a program; the system counts it by the microsecond."""
    before = getrusage(RUSAGE_CHILDREN)
    with output.open("wb") as printed:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.PIPE, check=False
        )
    after = getrusage(RUSAGE_CHILDREN)
    if ran.returncode:
        raise WebLogError(f"{command[0]}: status {ran.returncode}: {ran.stderr[-500:]!r}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _metrics(program: str, used_s: float, read: int, records: int) -> Metrics:
    if read != records:
        raise WebLogError(f"{program} has read {read} of {records} lines")
    return {"records_per_s": records / used_s, "each_us": used_s / records * 1e6}
