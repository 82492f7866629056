"""Microseconds a record, from a result of `./build.sh bench`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.shell import CommandError
from tools.size.prices import read_json

# As tools/bench/report.py writes it; importing that would need the benchmark's packages.
SCHEMA = "weblog.bench/1"
# The whole job first; a run of `bench` may have left it out.
_JOB_FIGURES = ("job.full.process", "job.full.thread", "job.enrich.process", "job.enrich.thread")
_CORE_FIGURES = ("core.whole.made", "core.whole.sample")


@dataclass(frozen=True, slots=True)
class MeasuredCost:
    """What a record costs, in microseconds of CPU time."""

    job_micros: float  # in the job, JVM and Python together
    core_micros: float | None  # in the core; None when it was not measured
    source: str  # which figure of which file
    busy: bool  # the machine was: the figures are too high rather than too low
    # What a record costs less without an output, by the output's name; `bench --costs` measures it.
    output_micros: Mapping[str, float] = field(default_factory=dict)


def read_bench(path: Path, figure: str | None = None) -> MeasuredCost:
    """Reads a result of the benchmark.

    Args:
        path: A file of `build/bench`.
        figure: The job's figure to take; None for the first there is.

    Raises:
        CommandError: The file is no result of the benchmark, or lacks the figure.
    """
    document = read_json(path)
    if _at(document, "schema") != SCHEMA:
        raise CommandError(f"{path} is no result of ./build.sh bench ({SCHEMA})")
    names = _JOB_FIGURES if figure is None else (figure,)
    for name in names:
        jvm = _median(document, name, "jvm_cpu_us")
        python = _median(document, name, "python_cpu_us")
        # In thread mode there are no workers: Python is part of the JVM.
        if jvm and python is not None:
            return MeasuredCost(
                jvm + python,
                _core(document),
                f"{path.name}, {name}: CPU time of JVM and Python",
                _at(document, "machine", "busy") is True,
                _output_micros(document),
            )
    wanted = " or ".join(names)
    raise CommandError(f"{path}: no CPU time of {wanted}: measure it with ./build.sh bench")


def _core(document: object) -> float | None:
    for name in _CORE_FIGURES:
        if rate := _median(document, name, "records_per_s"):
            return 1_000_000 / rate
    return None


def _output_micros(document: object) -> dict[str, float]:
    costs = _at(document, "output_cpu_us")
    return {
        str(name): float(micros)
        for name, micros in (costs.items() if isinstance(costs, dict) else ())
        if isinstance(micros, int | float) and math.isfinite(micros)
    }


def _median(document: object, figure: str, key: str) -> float | None:
    value = _at(document, "figures", figure, "median", key)
    return value if isinstance(value, float) and math.isfinite(value) and value >= 0 else None


def _at(document: object, *path: str) -> object:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document
