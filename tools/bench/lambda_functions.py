"""Measures the Lambda functions: cold start, records a second, memory.

    python -m tools.bench.lambda_functions [--repeats N] [--geoip FILE] [--json]

What is measured is the package as `./build.sh package-lambda` makes it, unpacked, in a Python
that sees nothing else (and boto3, where that is part of the question). Every figure comes from
processes of its own, taken in turns so that a busy minute does not hit one figure alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.package.function import PackageOptions, build
from udfs.config.root import ROOT
from udfs.errors import WebLogError

DATA = ROOT / "examples"
DESIGN_SECONDS = 30.0
"""What the design allows a batch of 1000 records."""

# A process that stands for an environment of the function. It is told the package, where boto3
# is, what to do, and a file of lines; it prints one JSON object.
_PROCESS = """
import sys, time
begun = time.perf_counter()
task_root, packages, what, lines_file = sys.argv[1:]
sys.path[:] = [task_root, *sys.path]
if packages:
    sys.path.append(packages)

class Context:
    aws_request_id = "1"
    function_name = "bench"
    def get_remaining_time_in_millis(self):
        return 60_000

import base64, gzip, json, resource
with gzip.open(lines_file) as file:
    lines = file.read().splitlines()
events = [
    {"records": [
        {"recordId": str(number), "data": base64.b64encode(line).decode()}
        for number, line in enumerate(lines[start:start + 1000])
    ]}
    for start in range(0, len(lines), 1000)
]
one = {"records": events[0]["records"][:1]}
log = open("/dev/null", "w")
printed, sys.stdout = sys.stdout, log
figures = {}

def timed(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000

def peak_memory_mb():
    # getrusage() would count the memory of the process that started this one.
    try:
        with open("/proc/self/status") as file:
            (peak,) = [line.split()[1] for line in file if line.startswith("VmHWM:")]
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    return int(peak) / 1024

if what == "kinesis":
    def load():
        import lambda_app.kinesis_handler
    figures["kinesis_start_ms"] = timed(load)
elif what == "first-use":
    # The same work, but begun by the first event.
    def load():
        import lambda_app.function, lambda_app.firehose, aws.targets, udfs.enrichment
    def first():
        import lambda_app.firehose_handler as handler
        handler.handle(one, Context())
    figures["first_use_start_ms"] = timed(load)
    figures["first_use_first_event_ms"] = timed(first)
else:
    def load():
        global handle
        from lambda_app.firehose_handler import handle
    figures["start_ms"] = timed(load)
    figures["first_event_ms"] = timed(lambda: handle(one, Context()))
    if what == "warm":
        passes = [
            [timed(lambda event=event: handle(event, Context())) for event in events]
            for _ in range(6)
        ]
        figures["cold_batch_ms"] = max(passes[0])
        figures["first_pass_us_per_record"] = 1000 * sum(passes[0]) / len(lines)
        warm = [1000 * sum(one) / len(lines) for one in passes[1:]]
        figures["warm_us_per_record"] = sorted(warm)[len(warm) // 2]
        batches = sorted(batch for one in passes[1:] for batch in one)
        figures["warm_batch_ms"] = batches[len(batches) // 2]
        figures["peak_memory_mb"] = peak_memory_mb()
sys.stdout = printed
print(json.dumps(figures))
"""

_TURNS = ("import", "first-use", "kinesis", "warm")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        text: What it is.
        unit: Of the values.
        median: Over all processes.
        low: Smallest value.
        high: Largest value.
    """

    text: str
    unit: str
    median: float
    low: float
    high: float


_TEXTS = {
    "start_ms": ("cold start, everything opened at import", "ms"),
    "first_event_ms": ("first event (1 record) after that", "ms"),
    "first_use_start_ms": ("cold start, nothing opened yet", "ms"),
    "first_use_first_event_ms": ("first event (1 record), which opens everything", "ms"),
    "kinesis_start_ms": ("cold start of the Kinesis consumer, with boto3", "ms"),
    "cold_batch_ms": ("slowest of the first ten batches of 1000 records", "ms"),
    "first_pass_us_per_record": ("a record of the first 10,000", "µs"),
    "warm_us_per_record": ("a record, warm", "µs"),
    "warm_batch_ms": ("a batch of 1000 records, warm", "ms"),
    "peak_memory_mb": ("peak memory, 60 batches of 1000 records", "MB"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes per figure (default 5)")
    parser.add_argument("--geoip", type=Path, default=DATA / "demo-city.mmdb", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args(arguments)
    try:
        result = measure(given.repeats, given.geoip)
    except WebLogError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2) if given.json else table(result))
    return 0


def measure(repeats: int, geoip: Path) -> dict[str, Any]:
    """All figures, with the machine they are of.

    Raises:
        WebLogError: The package cannot be made, or a process failed.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        archive = build(PackageOptions(out=work / "dist", geoip=geoip))
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(work / "task")
            unpacked = sum(one.file_size for one in opened.infolist())
        zipped = archive.stat().st_size
        lines = work / "lines.gz"
        shutil.copyfile(DATA / "access_log.gz", lines)  # 10,000 lines of 1,753 clients.
        values: dict[str, list[float]] = {}
        for _ in range(repeats):
            for what in _TURNS:
                for key, value in _process(work / "task", what, lines).items():
                    values.setdefault(key, []).append(value)
    return {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, {platform.platform()}",
        "python": platform.python_version(),
        "package_bytes": zipped,
        "unpacked_bytes": unpacked,
        "repeats": repeats,
        "figures": {key: asdict(_figure(key, taken)) for key, taken in values.items()},
        "design_factor": round(
            DESIGN_SECONDS * 1000 / statistics.median(values["cold_batch_ms"]), 1
        ),
        "design_factor_warm": round(
            DESIGN_SECONDS * 1000 / statistics.median(values["warm_batch_ms"]), 1
        ),
    }


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    zipped, unpacked = result["package_bytes"] / 1e6, result["unpacked_bytes"] / 1e6
    rows = [
        f"{result['machine']}, Python {result['python']}; medians of {result['repeats']} processes",
        f"package {zipped:.1f} MB, {unpacked:.1f} MB unpacked",
        "",
    ]
    for figure in result["figures"].values():
        spread = f"({figure['low']:.1f} to {figure['high']:.1f})"
        rows.append(f"{figure['text']:<55}{figure['median']:>9.1f} {figure['unit']:<3} {spread}")
    rows += [
        "",
        f"times as fast as the design, 1000 records in {DESIGN_SECONDS:.0f} s:",
        f"{result['design_factor']:>10} with empty caches, {result['design_factor_warm']} warm",
    ]
    return "\n".join(rows)


def _figure(key: str, values: list[float]) -> Figure:
    text, unit = _TEXTS[key]
    return Figure(text, unit, statistics.median(values), min(values), max(values))


def _process(task_root: Path, what: str, lines: Path) -> dict[str, float]:
    packages = ""
    environ = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    if what == "kinesis":
        found = importlib.util.find_spec("boto3")
        packages = str(Path(found.origin).parent.parent) if found and found.origin else ""
        account = "eu-west-1:123456789012"
        environ["WEBLOG_LAMBDA__OUTPUT_ARN"] = f"arn:aws:kinesis:{account}:stream/enriched"
        environ["WEBLOG_LAMBDA__DEAD_LETTER_ARN"] = f"arn:aws:sqs:{account}:letters"
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    command = [str(base), "-S", "-s", "-P", "-B", "-c", _PROCESS]
    finished = subprocess.run(
        [*command, str(task_root), packages, what, str(lines)],
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )
    if finished.returncode != 0:
        raise WebLogError(f"a process of the benchmark failed: {finished.stderr.strip()[-300:]}")
    figures: dict[str, float] = json.loads(finished.stdout)
    return figures


if __name__ == "__main__":
    sys.exit(main())
