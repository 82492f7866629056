"""Figures of jobs in a mini-cluster: records/s in steady state, start-up, memory.

The rate is the slope of "records read by the source" over time, by least squares over many
readings of Flink's REST interface, after the first half of the input. So it holds neither
the start of the JVM and the workers, nor compilation and empty caches, nor the end of the job.
The source is held back by what follows, so over many seconds it reads as fast as the job is.
A single run gives a rate; two sizes and their difference would take three times the records
and add up the noise of both.

The CPU time of the JVM and of the workers over the same stretch is given beside it: it says
which side a record costs, and it hardly changes when others use the machine.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tools.bench import managed_flink
from tools.bench.core import Metrics
from tools.bench.loops import WARM_UP
from tools.bench.memory import (
    CpuReading,
    MemoryReading,
    process_group_cpu,
    process_group_memory,
)
from tools.bench.setup import Setup, job_properties, write_properties
from tools.bench.task_managers import TaskManagers
from tools.bench.yardstick_job import KIND_VARIABLE
from tools.local import cluster
from tools.local.job import RunningJob
from udfs.config.file import PropertyGroups

# Each look makes Flink gather the metrics of every operator: five a second took a fifth of the
# CPU time of the job with all outputs.
_POLL_S = 1.0
# Jobs that hardly do anything are through with the input in a second or two, too short for a
# rate: they read it several times, and are looked at more often.
_QUICK_KINDS = frozenset({"passthrough", "identity"})
_QUICK_REPEATS = 3
_QUICK_POLL_S = 0.2
YARDSTICK_MAIN = Path(__file__).with_name("yardstick_job.py")
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Reading:
    """Records read by the source at a time in seconds."""

    at: float
    records: int


@dataclass(slots=True)
class Watched:
    """What was seen of one job."""

    started: float
    first: float | None = None
    readings: list[Reading] = field(default_factory=list)
    memory: list[tuple[int, MemoryReading]] = field(default_factory=list)
    cpu: list[tuple[int, CpuReading]] = field(default_factory=list)
    ended: float = 0.0


def job(
    setup: Setup,
    *,
    outputs: str,
    mode: str,
    files: bool = False,
    slots: int = 1,
    apart: bool = False,
    state: managed_flink.StateBackend = "rocksdb",
) -> Metrics:
    """The job itself, with the enriched output alone or all outputs.

    Args:
        setup: What is measured on.
        outputs: `enriched` or `all`.
        mode: `process` or `thread`.
        files: Whether outputs are written to files; else they are thrown away.
        slots: Subtasks; more than one read a file each.
        apart: Each subtask in a TaskManager of its own, instead of all in one JVM.
        state: Where state is kept.
    """
    with fresh_folder(setup) as folder:
        sink = str(folder / "results") if files else "discard"
        properties = job_properties(
            setup, path=_path(setup, slots), mode=mode, outputs=outputs, sink=sink
        )
        watched = _watch(folder, properties, slots=slots, apart=apart, state=state)
        return _metrics(watched, setup.input.records)


def yardstick(
    setup: Setup, kind: str, *, mode: str, slots: int = 1, apart: bool = False
) -> Metrics:
    """One of the jobs that are there to compare with."""
    with fresh_folder(setup) as folder:
        path, records = _path(setup, slots), setup.input.records
        if kind in _QUICK_KINDS:
            path = _repeated(Path(path), folder / "repeated")
            records *= _QUICK_REPEATS
        properties = job_properties(setup, path=path, mode=mode, outputs="enriched", sink="discard")
        watched = _watch(folder, properties, kind=kind, slots=slots, apart=apart)
        return _metrics(watched, records)


def endless(
    setup: Setup,
    properties: PropertyGroups,
    records: int,
    *,
    jar: Path,
    environment: Mapping[str, str],
    slots: int,
) -> Metrics:
    """A job that does not end by itself, until it has read so many records.

    Args:
        setup: What is measured on.
        properties: The job's settings.
        records: Records that there are to read.
        jar: The connectors.
        environment: More environment variables of the job's processes.
        slots: Subtasks.
    """
    with fresh_folder(setup) as folder:
        watched = _watch(
            folder, properties, slots=slots, jar=jar, environment=environment, until=records
        )
        return _metrics(watched, records)


def _repeated(path: Path, folder: Path) -> str:
    """A folder that holds a file, or all files of a folder, several times."""
    folder.mkdir()
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        for number in range(_QUICK_REPEATS):
            os.link(file, folder / f"{number}-{file.name}")
    return str(folder)


def memory(setup: Setup, *, mode: str) -> Metrics:
    """Memory of the JVM and the Python workers while the enrichment-only job runs.

    A worker is measured by its proportional share (PSS): pages of the database that several
    processes map count once. Growth is from the middle of the input to its end.
    """
    with fresh_folder(setup) as folder:
        properties = job_properties(
            setup, path=setup.memory.whole, mode=mode, outputs="enriched", sink="discard"
        )
        watched = _watch(folder, properties, with_memory=True)
    readings = watched.memory
    half = [reading for records, reading in readings if records >= setup.memory.records / 2]
    half = half or [reading for _, reading in readings]
    tail = half[-max(1, len(half) // 4) :]
    head = half[: max(1, len(half) // 4)]
    results = {
        "jvm_rss_mb": max(one.jvm_rss for _, one in readings) / _MEGABYTE,
        "records": float(setup.memory.records),
    }
    if mode == "process":
        results |= {
            "worker_pss_mb": max(one.worker_pss for _, one in readings) / _MEGABYTE,
            "worker_rss_mb": max(one.worker_rss for _, one in readings) / _MEGABYTE,
            "worker_growth_mb": (_middle(tail) - _middle(head)) / _MEGABYTE,
        }
    return results


def _middle(readings: list[MemoryReading]) -> float:
    return statistics.median(one.worker_pss for one in readings)


@contextmanager
def fresh_folder(setup: Setup) -> Iterator[Path]:
    """A folder for one job, on the run's own disk; removed afterwards."""
    with TemporaryDirectory(dir=setup.work, prefix="job-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _path(setup: Setup, slots: int) -> str:
    return setup.input.whole if slots == 1 else str(Path(setup.input.halves[0]).parent)


def _watch(
    folder: Path,
    properties: PropertyGroups,
    *,
    kind: str | None = None,
    slots: int = 1,
    apart: bool = False,
    with_memory: bool = False,
    jar: Path | None = None,
    environment: Mapping[str, str] | None = None,
    until: int | None = None,
    state: managed_flink.StateBackend = "rocksdb",
) -> Watched:
    poll_s = _QUICK_POLL_S if kind in _QUICK_KINDS else _POLL_S
    options = managed_flink.options(
        folder,
        slots=slots,
        state=state,
        jar=jar,
        environment={**({KIND_VARIABLE: kind} if kind else {}), **(environment or {})},
        extra={"metrics.fetcher.update-interval": str(int(poll_s * 1000))},
    )
    main = YARDSTICK_MAIN if kind else cluster.MAIN
    watched = Watched(started=monotonic())
    start = TaskManagers if apart else RunningJob
    with start(options, write_properties(properties, folder), main) as running:
        while running.running:
            progress = running.progress()
            now = monotonic()
            if progress is not None and progress.lines:
                watched.first = watched.first or now
                watched.readings.append(Reading(now, progress.lines))
                watched.cpu.append((progress.lines, process_group_cpu(running.pid)))
                if with_memory:
                    watched.memory.append((progress.lines, process_group_memory(running.pid)))
                if until is not None and progress.lines >= until:
                    watched.ended = monotonic()
                    return watched
            running.wait(poll_s)
        watched.ended = monotonic()
    running.check()
    return watched


def _metrics(watched: Watched, records: int) -> Metrics:
    first = watched.first or watched.ended
    rate = steady_rate(watched.readings, records)
    return {
        # Not of the whole time instead: that is mostly start-up where a job is so short.
        **({} if rate is None else {"records_per_s": rate}),
        "startup_s": first - watched.started,
        "total_s": watched.ended - watched.started,
        **cpu_per_record(watched.cpu, records),
    }


def cpu_per_record(readings: list[tuple[int, CpuReading]], records: int) -> Metrics:
    """Microseconds of CPU time a record after the warm-up; nothing for too short a job.

    Args:
        readings: Records read and CPU time until then, in order of time.
        records: All records of the input.
    """
    steady = [one for one in readings if records * WARM_UP <= one[0] < records]
    if len(steady) < 2:
        return {}
    (first, before), (last, after) = steady[0], steady[-1]
    if last == first:
        return {}
    return {
        "jvm_cpu_us": (after.jvm - before.jvm) / (last - first) * 1e6,
        "python_cpu_us": (after.workers - before.workers) / (last - first) * 1e6,
    }


def steady_rate(readings: list[Reading], records: int) -> float | None:
    """Records/s after the warm-up, None when the job was too short to tell.

    Args:
        readings: In order of time.
        records: All records of the input.
    """
    # A reading that repeats the one before says when Flink last looked, nothing new.
    fresh = [one for one, former in zip(readings[1:], readings, strict=False)
             if one.records > former.records]  # fmt: skip
    steady = [one for one in fresh if records * WARM_UP <= one.records < records]
    if len(steady) < 3:
        return None
    slope, _ = statistics.linear_regression(
        [one.at for one in steady], [one.records for one in steady]
    )
    return slope
