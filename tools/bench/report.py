"""Figures as a table for a person and as JSON for a program."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from tools.bench.figures import FIGURES
from tools.bench.machine import Machine
from tools.bench.setup import Setup
from tools.bench.targets import RATE, Verdict, verdicts, without_verdict

SCHEMA = "weblog.bench/1"
# What every job has, even if it was too short for a rate.
_TOTAL = "total_s"
_WIDTH = 46


@dataclass(slots=True)
class Run:
    """One run of the benchmark.

    Attributes:
        machine: Where.
        setup: On what.
        rounds: How often each figure is measured.
        results: The values of each figure, round by round, by its name.
        failures: What went wrong, by the figure's name.
        skipped: What could not be measured here and why, by the figure's name.
    """

    machine: Machine
    setup: Setup
    rounds: int
    results: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Everything, with medians and verdicts."""
        document = {
            "schema": SCHEMA,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": asdict(self.machine) | {"busy": self.machine.busy},
            "rounds": self.rounds,
            "inputs": {
                name: {"records": one.records, "bytes": one.bytes, "sha256": one.sha256}
                for name, one in (("made", self.setup.made), ("sample", self.setup.sample))
            },
            "log": self.setup.log,
            "figures": {
                name: {
                    "title": _TITLES.get(name, name),
                    "rounds": rounds,
                    "median": {key: _spread(rounds, key).median for key in _keys(rounds)},
                }
                for name, rounds in self.results.items()
            },
            "failures": self.failures,
            "skipped": self.skipped,
            "targets": [
                {
                    "title": verdict.target.title,
                    "limit": verdict.target.limit,
                    "unit": verdict.target.unit,
                    "median": verdict.median,
                    "min": verdict.lowest,
                    "max": verdict.highest,
                    "met": verdict.met,
                }
                for verdict in verdicts(self.results)
            ],
            "no_verdict": [target.title for target in without_verdict(self.results)],
        }
        return json.dumps(document, indent=2) + "\n"

    def to_text(self) -> str:
        """The table."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from machine_lines(self.machine)
        read = self.setup.input
        yield (
            f"Jobs and loops: {self.setup.log} log, {read.records:,} records, "
            f"{read.bytes / max(read.records, 1):.0f} bytes each, sha256 {read.sha256[:16]}; "
            f"rounds: {self.rounds}; median (min..max)"
        )
        rates = {
            name: rounds
            for name, rounds in self.results.items()
            if {RATE, _TOTAL}.intersection(_keys(rounds))
        }
        if rates:
            yield ""
            yield f"{'Records/s, steady state':{_WIDTH}}{'records/s':>30}{'us':>7}  more"
        for name, rounds in rates.items():
            yield _rate_line(name, rounds)
        for name, rounds in self.results.items():
            if name not in rates:
                yield from _value_lines(name, rounds)
        found = verdicts(self.results)
        if found:
            yield ""
            yield f"{'Targets':{_WIDTH + 16}}{'measured':>30}{'target':>14}"
            yield from map(_verdict_line, found)
        for target in without_verdict(self.results):
            yield f"no verdict: {target.title}: a job was too short for a steady state"
        for name, reason in self.skipped.items():
            yield f"skipped: {name}: {reason}"
        for name, reason in self.failures.items():
            yield f"failed: {name}: {reason}"


def machine_lines(machine: Machine) -> list[str]:
    """The machine in words, with a warning when it was busy."""
    lines = [
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb} GB, {machine.system}",
        f"Python {machine.python}, {machine.java}, Flink {machine.flink}; load {machine.load}",
    ]
    if machine.busy:
        lines.append(
            "warning: the machine was busy at the start: trust ratios, not absolute figures"
        )
    return lines


@dataclass(frozen=True, slots=True)
class _Spread:
    median: float
    lowest: float
    highest: float

    def __format__(self, spec: str) -> str:
        numbers = [_number(one) for one in (self.median, self.lowest, self.highest)]
        return format(f"{numbers[0]} ({numbers[1]}..{numbers[2]})", spec)


def _spread(rounds: Sequence[Mapping[str, float]], key: str) -> _Spread:
    values = [one[key] for one in rounds if key in one]
    return _Spread(statistics.median(values), min(values), max(values))


def _keys(rounds: Sequence[Mapping[str, float]]) -> list[str]:
    """The names of the values; a round may be too short for some of them."""
    return list(dict.fromkeys(key for one in rounds for key in one))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _readable(key: str) -> str:
    name, _, unit = key.rpartition("_")
    return f"{name.replace('_', ' ')} [{unit}]" if name else key


def _rate_line(name: str, rounds: Sequence[Mapping[str, float]]) -> str:
    more = ", ".join(
        f"{_readable(key)} {_number(_spread(rounds, key).median)}"
        for key in _keys(rounds)
        if key != RATE
    )
    title = f"{_TITLES.get(name, name):{_WIDTH}}"
    if RATE not in _keys(rounds):
        return f"{title}{'too short to tell':>30}{'':7}  {more}"
    rate = _spread(rounds, RATE)
    return f"{title}{rate:>30}{1e6 / rate.median:7.1f}  {more}"


def _value_lines(name: str, rounds: Sequence[Mapping[str, float]]) -> Iterator[str]:
    yield ""
    yield _TITLES.get(name, name)
    for key in _keys(rounds):
        yield f"  {_readable(key):{_WIDTH - 2}}{_spread(rounds, key):>30}"


def _verdict_line(verdict: Verdict) -> str:
    target = verdict.target
    measured = f"{_Spread(verdict.median, verdict.lowest, verdict.highest)}"
    limit = f"{'<=' if target.at_most else '>='} {_number(target.limit)} {target.unit}"
    word = "met" if verdict.met else "NOT MET"
    return f"{target.title:{_WIDTH + 16}}{measured:>30}{limit:>22}  {word}"


_TITLES = {figure.name: figure.title for figure in FIGURES}
