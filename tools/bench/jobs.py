"""Figures of jobs on a local cluster: records/s in steady state, CPU time, start-up, memory.

The rate is the slope of "records read by the source" over time, by least squares over many looks
at Flink's REST interface, after the first half of the input: without start-up, compilation, empty
caches and the end of the job. The CPU time of the JVM and of the workers over the same stretch
hardly changes when others use the machine. A worker's memory is its proportional share: pages of
the database that several processes map count once.
"""

from __future__ import annotations

import gzip
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from time import monotonic
from typing import Literal

from flink_app.connector import SINK_GROUP_PREFIX, SOURCE_GROUP
from flink_app.settings import OFF, OUTPUTS_GROUP
from flink_app.sql_files import output_files
from tools.bench.clusters import HEAP_MB, MANAGED_FLINK, MANAGED_MEMORY_MB, TaskManagers
from tools.bench.core import WARM_UP, Metrics
from tools.bench.inputs import Setup
from tools.bench.yardstick_job import KIND_VARIABLE
from tools.local import cluster
from tools.local.job import RunningJob
from tools.package.layout import JAR
from tools.run.kinesis import command as streams
from tools.run.kinesis.feeder import Feeder
from udfs.config.file import PropertyGroups, dump_properties
from udfs.config.root import ROOT
from udfs.errors import WebLogError

RECORDS = ("enriched", "filtered", "late", "dead_letters")
MISSION = (*RECORDS, "errors_per_page", "traffic_per_country")
"""The records, and the two aggregates that the job is there for."""
ALL = tuple(output.name for output in output_files() if not output.needs_request_times)
"""All that are on by default: the logs do not say how long requests took."""

_SINK = "bench"
_WORKER = b"pyflink.fn_execution.beam.beam_boot"
_YARDSTICK_MAIN = Path(__file__).with_name("yardstick_job.py")


class SkippedError(WebLogError):
    """What a figure needs is not there: not a failure."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job to measure: the real one, or a kind of `yardstick_job.py`.

    Each of several slots reads a file of its own, with `managers` in a TaskManager of its own.
    Outputs go to files, or are thrown away. Five looks a second would take a fifth of the CPU time
    of the job with all outputs: Flink gathers its metrics for each.
    """

    mode: Literal["process", "thread"]
    slots: int = 1
    managers: bool = False
    outputs: tuple[str, ...] = ("enriched",)
    files: bool = False
    state: Literal["rocksdb", "hashmap"] = "rocksdb"
    kind: str = ""
    poll_s: float = 1.0

    def properties(self, setup: Setup, folder: Path) -> PropertyGroups:
        """Returns its settings, with files in a folder."""
        read = setup.log() if self.slots == 1 else setup.halves
        files = {"type": "filesystem", "path": str(folder / "results")}
        return setup.core_properties | {
            "weblog.job": {"execution.mode": self.mode},
            SOURCE_GROUP: {"type": "filesystem", "path": str(read)},
            SINK_GROUP_PREFIX + _SINK: files if self.files else {"type": "discard"},
            OUTPUTS_GROUP: {"default": OFF, **dict.fromkeys(self.outputs, _SINK)},
        }

    def runner(
        self,
        folder: Path,
        properties: PropertyGroups,
        environment: Mapping[str, str] | None = None,
        jar: Path | None = None,
    ) -> RunningJob:
        """Returns what runs it in a folder, as a context manager."""
        file = folder / "application_properties.json"
        dump_properties(properties, file)
        options = cluster.ClusterOptions(
            work_directory=folder,
            parallelism=self.slots,
            jar=jar,
            java_options=(f"-Xmx{HEAP_MB}m",),
            environment={**(environment or {}), KIND_VARIABLE: self.kind},
            extra={
                **MANAGED_FLINK,
                "state.backend.type": self.state,
                "taskmanager.memory.managed.size": f"{MANAGED_MEMORY_MB * self.slots}m",
                "metrics.fetcher.update-interval": f"{self.poll_s * 1000:.0f}",
            },
        )
        runner = TaskManagers if self.managers else RunningJob
        return runner(options, file, _YARDSTICK_MAIN if self.kind else cluster.MAIN)

    def watch(self, running: RunningJob) -> Iterator[Reading]:
        """Looks at it until it ends, from its first record on."""
        while running.running:
            progress = running.progress()
            if progress is not None and progress.lines:
                yield look(running.pid, progress.lines)
            running.wait(self.poll_s)


def measure(setup: Setup, job: Job) -> Metrics:
    """Returns the figure of a job from a file to its end."""
    with setup.folder() as folder:
        started = monotonic()
        with job.runner(folder, job.properties(setup, folder)) as running:
            readings = list(job.watch(running))
        running.check()
    return metrics(readings, setup.records, started)


def between_streams(setup: Setup, job: Job) -> Metrics:
    """Returns the figure of a job between streams of an emulator, which decides the rate.

    Raises:
        SkippedError: There is no jar with the connectors.
    """
    if setup.jar is None and not (ROOT / JAR).exists():
        raise SkippedError(f"{JAR}, the AWS connectors, is not there: ./build.sh package makes it")
    jar = streams.find_jar(setup.jar)
    # At the speed of the emulator these take a minute or two.
    records = min(setup.records, 60_000)
    with streams.open_endpoint(None) as endpoint, setup.folder() as folder:
        arn = streams.provide_streams(endpoint, job.outputs, job.slots)
        with gzip.open(setup.log()) as lines:
            wanted = (line.removesuffix(b"\n") for line in islice(lines, records))
            Feeder(endpoint.client(attempts=1), arn, 0).feed(wanted)
        properties = streams.with_streams(
            job.properties(setup, folder), endpoint, arn, datetime.now(UTC), _SINK
        )
        started = monotonic()
        with job.runner(folder, properties, endpoint.environment, jar) as running:
            readings = []
            for reading in job.watch(running):
                readings.append(reading)
                if reading.records >= records:
                    return metrics(readings, records, started)
        running.check()
    raise WebLogError("the job ended instead of waiting for more records")


@dataclass(frozen=True, slots=True)
class Reading:
    """Records read by the source until a moment, and what the processes had used by then."""

    at: float
    records: int
    jvm_cpu_s: float = 0.0
    python_cpu_s: float = 0.0
    worker_pss: int = 0


def look(leader: int, records: int) -> Reading:
    """Reads from Linux's /proc what a process group has used; processes may end meanwhile."""
    jvm = python = 0.0
    pss = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(process.name)) != leader:
                continue
            command = (process / "cmdline").read_bytes()
            # The name in brackets may hold anything; what follows it are numbers.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            if _WORKER in command:
                python += seconds
                share = (process / "smaps_rollup").read_text().partition("\nPss:")[2].split()
                pss = max(pss, int(share[0]) * 1024)
            elif command.partition(b"\0")[0].endswith(b"java"):
                jvm += seconds
    return Reading(monotonic(), records, jvm, python, pss)


def metrics(readings: Sequence[Reading], records: int, started: float) -> Metrics:
    """Returns the values of a job that has just read all records."""
    ended = monotonic()
    first = readings[0].at if readings else ended
    values = {"startup_s": first - started, "total_s": ended - started}
    # A reading that repeats the one before says when Flink last looked, nothing new; one with less
    # CPU time was made when the workers had ended.
    steady = [
        reading
        for former, reading in pairwise(readings)
        if former.records < reading.records and records * WARM_UP <= reading.records < records
        if former.python_cpu_s <= reading.python_cpu_s
    ]
    # The rate of a job so short would be mostly start-up.
    return _steady(steady) | values if len(steady) > 2 else values


def _steady(readings: Sequence[Reading]) -> Metrics:
    slope, _ = statistics.linear_regression(
        [reading.at for reading in readings], [reading.records for reading in readings]
    )
    first, last = readings[0], readings[-1]
    each_us = 1e6 / (last.records - first.records)
    values = {
        "records_per_s": slope,
        "jvm_cpu_us": (last.jvm_cpu_s - first.jvm_cpu_s) * each_us,
        "python_cpu_us": (last.python_cpu_s - first.python_cpu_s) * each_us,
    }
    shares = [reading.worker_pss / 1e6 for reading in readings]
    if not any(shares):
        return values  # thread mode has no worker
    quarter = max(1, len(shares) // 4)
    growth = statistics.median(shares[-quarter:]) - statistics.median(shares[:quarter])
    return values | {"worker_pss_mb": max(shares), "worker_growth_mb": growth}
