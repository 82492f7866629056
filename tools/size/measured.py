"""Microseconds a record, from a result of `./build.sh bench`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from tools.shell import CommandError
from tools.size.prices import read_json

# As tools/bench/report.py writes it; importing that would need the benchmark's packages.
SCHEMA = "weblog.bench/1"
# The whole job first; a run of `bench` may have left it out.
_JOB_FIGURES = ("job.full.process", "job.full.thread", "job.enrich.process", "job.enrich.thread")
_CORE_FIGURES = ("core.whole.made", "core.whole.sample")
_CPU = ("jvm_cpu_us", "python_cpu_us")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a record costs.

    Attributes:
        job_micros: CPU time in the job, JVM and Python together, in microseconds.
        core_micros: In the core alone; None when it was not measured.
        source: Which figure of which file.
        busy: The machine was busy: the figures are too high rather than too low.
    """

    job_micros: Fraction
    core_micros: Fraction | None
    source: str
    busy: bool


def read_bench(path: Path, figure: str | None = None) -> Measured:
    """Reads a result of the benchmark.

    Args:
        path: A file of `build/bench`.
        figure: The job's figure to take; None for the first there is.

    Raises:
        CommandError: It is no result of the benchmark, or lacks the figure.
    """
    document = read_json(path)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise CommandError(f"{path} is no result of ./build.sh bench ({SCHEMA})")
    figures = document.get("figures", {})
    names = _JOB_FIGURES if figure is None else (figure,)
    for name in names:
        values = _median(figures, name)
        found = [_positive(values.get(key)) for key in _CPU]
        if all(found):
            job = sum((one for one in found if one is not None), start=Fraction(0))
            source = f"{path.name}, {name}: CPU time of JVM and Python"
            return Measured(job, _core(figures), source, _busy(document))
    wanted = " or ".join(names)
    raise CommandError(f"{path}: no CPU time of {wanted}: measure it with ./build.sh bench")


def _core(figures: Mapping[str, Any]) -> Fraction | None:
    for name in _CORE_FIGURES:
        rate = _positive(_median(figures, name).get("records_per_s"))
        if rate is not None:
            return 1_000_000 / rate
    return None


def _median(figures: Any, name: str) -> Mapping[str, Any]:
    found = figures.get(name) if isinstance(figures, dict) else None
    median = found.get("median") if isinstance(found, dict) else None
    return median if isinstance(median, dict) else {}


def _positive(value: object) -> Fraction | None:
    # read_json() gives every number as a Decimal; one that is NaN must not be compared.
    if isinstance(value, Decimal) and value.is_finite() and value > 0:
        return Fraction(value)
    return None


def _busy(document: Mapping[str, Any]) -> bool:
    machine = document.get("machine")
    return isinstance(machine, dict) and machine.get("busy") is True
