"""The Lambda functions as `./build.sh package-lambda` makes them: start, a record, memory.

Each start is a process of its own, whose Python sees only the unpacked package (and boto3, which
the runtime has, for the consumer of Kinesis).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import boto3

from tools.bench.core import Metrics
from tools.bench.inputs import Setup
from tools.package.function import FunctionPackageOptions, build
from tools.run.command import SAMPLE_LOG
from udfs.errors import WebLogError

# The Firehose function also handles a log in batches, with empty caches and three times more.
_PROGRAM = """
import base64, contextlib, gzip, importlib, json, os, sys, time
name, log = sys.argv[1:]
records = [
    {"recordId": str(number), "data": base64.b64encode(line).decode()}
    for number, line in enumerate(gzip.open(log))
]
class Context:
    aws_request_id = function_name = "bench"
    def get_remaining_time_in_millis(self):
        return 60_000
def ms(call, *arguments):
    start = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - start) * 1000
with contextlib.redirect_stdout(open(os.devnull, "w")):
    start = ms(importlib.import_module, f"lambda_app.{name}_handler")
    figures = {f"{name} start_ms": start}
    if name == "firehose":
        handle = sys.modules["lambda_app.firehose_handler"].handle
        events = [{"records": records[at:at + 1000]} for at in range(0, len(records), 1000)]
        cold, *warm = [[ms(handle, event, Context()) for event in events] for _ in range(4)]
        figures["slowest batch of 1000 records_ms"] = max(cold)
        figures["a record of the first pass_us"] = sum(cold) / len(records) * 1000
        figures["a record, warm_us"] = min(map(sum, warm)) / len(records) * 1000
        peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
        figures["peak memory_mb"] = int(peak) / 1000
print(json.dumps(figures))
"""
_CONSUMER = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "WEBLOG_LAMBDA__OUTPUT_ARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/enriched",
    "WEBLOG_LAMBDA__DEAD_LETTER_ARN": "arn:aws:sqs:eu-west-1:123456789012:letters",
}


def functions(setup: Setup) -> Metrics:
    """Returns the figures of both functions, over the bundled log with its small database.

    Raises:
        WebLogError: The package cannot be made, or a process failed.
    """
    packages = Path(boto3.__file__).parents[1]
    with setup.folder() as work:
        task, database = work / "task", SAMPLE_LOG.with_name("demo-city.mmdb")
        archive = build(FunctionPackageOptions(out=work / "dist", geoip=database))
        shutil.unpack_archive(archive, task)
        values = _process("firehose", {"PYTHONPATH": str(task)})
        values |= _process("kinesis", _CONSUMER | {"PYTHONPATH": f"{task}:{packages}"})
        return values | {"package_mb": archive.stat().st_size / 1e6}


def _process(name: str, environment: dict[str, str]) -> Metrics:
    python = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    isolated = [python, "-S", "-s", "-P", "-B", "-c", _PROGRAM, name, str(SAMPLE_LOG)]
    done = subprocess.run(isolated, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise WebLogError(f"a Lambda function failed: {done.stderr.strip()[-300:]}")
    figures: Metrics = json.loads(done.stdout)
    return figures
