"""One run of the benchmark: as a table for a person and as JSON for a program."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tools.bench.core import Metrics
from tools.bench.figures import EVERY, FULL, RATE, TARGETS, WITHOUT, Target

SCHEMA = "weblog.bench/1"

_BUSY_LOAD = 0.5
_TITLES = {figure.name: f"{figure.name:42}{figure.title:47}" for figure in EVERY}

type Machine = dict[str, str | int | float | bool]
"""What figures depend on, by name; `load`: processes that wanted a core in the last minute."""


def describe_machine() -> Machine:
    """Looks at the machine as it is now."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    home = os.environ.get("JAVA_HOME")
    java = [f"{home}/bin/java" if home else "java", "-version"]
    output = subprocess.run(java, capture_output=True, text=True, check=False).stderr
    java_version = re.search(r'version "(.*)"', output)
    load = round(os.getloadavg()[0], 2)
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "python": platform.python_version(),
        "java": java_version[1] if java_version else "unknown",
        "flink": version("apache-flink"),
        "load": load,
        "busy": load > _BUSY_LOAD,
    }


def machine_lines(machine: Machine) -> list[str]:
    """Returns the machine in words, with a warning when others were using it at the start."""
    lines = [
        "{cpu}, {cores} cores, {memory_gb} GB".format_map(machine),
        "Python {python}, Java {java}, Flink {flink}; load {load}".format_map(machine),
    ]
    busy = "warning: the machine was busy at the start: trust ratios, not absolute figures"
    return [*lines, busy] if machine["busy"] else lines


@dataclass(slots=True)
class Report:
    """One run, with each figure's values round by round or why it has none, by its name."""

    machine: Machine
    records: int
    seed: int
    rounds: int
    results: dict[str, list[Metrics]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def verdicts(self) -> list[tuple[Target, list[float], bool]]:
        """Returns the targets whose figures are all there, their numbers, and whether met."""
        judged = ((target, target.numbers(self.results)) for target in TARGETS)
        return [(target, numbers, target.met(numbers)) for target, numbers in judged if numbers]

    def costs(self) -> dict[str, float]:
        """Returns microseconds of the JVM that a record costs less without an output.

        The workers do the same work with and without it, so their time says how fast the machine
        was meanwhile.
        """
        return {
            name.removeprefix(WITHOUT): statistics.median(
                full["jvm_cpu_us"]
                - without["jvm_cpu_us"] * full["python_cpu_us"] / without["python_cpu_us"]
                for full, without in pairs
            )
            for name, rounds in self.results.items()
            if name.startswith(WITHOUT)
            and (pairs := [*zip(self.results.get(FULL, ()), rounds, strict=False)])
            and all(RATE in values for pair in pairs for values in pair)
        }

    def to_json(self) -> str:
        """Returns everything that was measured, with medians."""
        document = {
            "schema": SCHEMA,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": self.machine,
            "records": self.records,
            "seed": self.seed,
            "figures": {name: _figure(rounds) for name, rounds in self.results.items()},
            "output_cpu_us": self.costs(),
            "failures": self.failures,
            "skipped": self.skipped,
        }
        return json.dumps(document, indent=2) + "\n"

    def to_text(self) -> str:
        """Returns the table."""
        lines = machine_lines(self.machine)
        lines += [f"{self.records:,} records, rounds: {self.rounds}; median (min..max)", ""]
        lines += [f"{_TITLES[name]}{_values(rounds)}" for name, rounds in self.results.items()]
        lines += ["", "Targets"]
        for target, numbers, met in self.verdicts():
            word = "met" if met else "NOT MET"
            limit = f"{'<=' if target.at_most else '>='} {target.limit:,g}"
            lines.append(f"{word:8} {_spread(numbers):28} {limit:11} {target}")
        if costs := self.costs():
            lines += ["", "What an output costs, CPU a record"]
            lines += [f"{name:28}{micros:6.1f} us" for name, micros in costs.items()]
        lines += map(": ".join, (self.skipped | self.failures).items())
        return "\n".join(lines) + "\n"


def _figure(rounds: Sequence[Metrics]) -> dict[str, object]:
    medians = {name: statistics.median(values) for name, values in _by_name(rounds).items()}
    return {"median": medians, "rounds": rounds}


def _by_name(rounds: Sequence[Metrics]) -> dict[str, list[float]]:
    # A round may be too short for some of the values.
    names = dict.fromkeys(name for values in rounds for name in values)
    return {name: [values[name] for values in rounds if name in values] for name in names}


def _values(rounds: Sequence[Metrics]) -> str:
    """Returns the rate with its spread, or that there is none, and the medians of the rest."""
    values = _by_name(rounds)
    shown = [f"{_spread(values.pop(RATE))} {RATE}"] if RATE in values else []
    if not shown and "total_s" in values:
        shown = ["too short for a rate"]
    shown += [f"{_number(statistics.median(some))} {name}" for name, some in values.items()]
    return ", ".join(shown)


def _spread(values: Sequence[float]) -> str:
    low, high = _number(min(values)), _number(max(values))
    return f"{_number(statistics.median(values))} ({low}..{high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
