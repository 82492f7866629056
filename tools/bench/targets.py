"""What the figures ought to be, as ratios within one run, and whether they are."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tools.bench.figures import ON_TWO_CORES
from tools.bench.services import (
    DESIGN_FACTOR,
    LOOKUP_CAPACITY,
    LOOKUP_LONGEST,
    LOOKUP_RATE,
)

type Rounds = Sequence[Mapping[str, float]]
"""One figure's values, round by round."""
type Results = Mapping[str, Rounds]
"""All figures' rounds by the figure's name."""

RATE = "records_per_s"
"""The value that most targets are made of; a job too short for a steady state has none."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Attributes:
        title: What is asked for.
        needs: The figures it is made of.
        value: Gives the number of one round from those of the figures.
        limit: The number that it must reach, or must not exceed.
        unit: Of the number: `x` for a ratio.
        at_most: Whether the limit is the largest allowed.
        of: The figures' value that it is made of.
    """

    title: str
    needs: tuple[str, ...]
    value: Callable[..., float]
    limit: float
    unit: str = "x"
    at_most: bool = False
    of: str = RATE


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and what came out: the median over the rounds with its spread."""

    target: Target
    median: float
    lowest: float
    highest: float

    @property
    def met(self) -> bool:
        """Whether the median reaches the limit."""
        if self.target.at_most:
            return self.median <= self.target.limit
        return self.median >= self.target.limit


def verdicts(results: Results) -> list[Verdict]:
    """The targets whose figures are all there.

    A ratio is made within each round, of figures measured minutes apart, and the median taken
    over the rounds: a machine that gets slower or busier meanwhile moves both sides of it.
    """
    found = []
    for target in TARGETS:
        values = [
            target.value(*(one[target.of] for one in round_))
            for round_ in _rounds(target, results)
            if all(target.of in one for one in round_)
        ]
        if values:
            found.append(Verdict(target, statistics.median(values), min(values), max(values)))
    return found


def without_verdict(results: Results) -> list[Target]:
    """The targets whose figures are all there, but in no round with the value that it takes."""
    judged = [verdict.target for verdict in verdicts(results)]
    return [one for one in TARGETS if _rounds(one, results) and one not in judged]


def _rounds(target: Target, results: Results) -> list[Sequence[Mapping[str, float]]]:
    return list(zip(*(results.get(name, ()) for name in target.needs), strict=False))


def _same(number: float) -> float:
    return number


def _ratio(title: str, over: str, under: str, limit: float) -> Target:
    return Target(title, (over, under), lambda first, second: first / second, limit)


def _value(title: str, figure: str, name: str, limit: float, unit: str) -> Target:
    return Target(title, (figure,), _same, limit, unit, at_most=True, of=name)


_LOOP2 = "loop.core2"


def _share_of_parts(title: str, job: str, identity: str) -> Target:
    def value(whole: float, border: float, core: float) -> float:
        return whole * (1 / border + 1 / core)

    return Target(title, (job, identity, _LOOP2), value, 0.75)


TARGETS: tuple[Target, ...] = (
    *(
        target
        for log in ("made", "sample")
        for target in (
            _ratio(
                f"core, warm / straightforward version ({log} log)",
                f"core.whole.{log}",
                f"core.straightforward.{log}",
                2.5,
            ),
            Target(
                f"core, warm, in one process ({log} log)",
                (f"core.whole.{log}",),
                _same,
                100_000,
                "records/s",
            ),
        )
    ),
    *(
        _ratio(
            f"all outputs / enrichment only, both to files, {mode}",
            f"job.full.{mode}",
            f"job.enrich.{mode}.files",
            0.6,
        )
        for mode in ("process", "thread")
    ),
    _ratio(
        "all outputs / enrichment only, both to files, process, 2 slots",
        "job.full.process.2slots",
        "job.enrich.process.2slots.files",
        0.6,
    ),
    _ratio(
        "all outputs, state on the heap / enrichment only, both to files, process, 2 slots",
        "job.full.process.2slots.heap",
        "job.enrich.process.2slots.files",
        0.6,
    ),
    _ratio(
        "all outputs to files / enrichment only to nowhere, process, 2 slots",
        "job.full.process.2slots",
        "job.enrich.process.2slots",
        0.6,
    ),
    # With two subtasks there is work for both cores: a single one waits for its worker in
    # process mode, and has but one thread in thread mode.
    *(
        target
        for suffix, words, _ in ON_TWO_CORES
        for target in (
            _ratio(
                f"enrichment only / one straightforward loop, {words}",
                f"job.enrich.{suffix}",
                "loop.straightforward",
                1.5,
            ),
            _ratio(
                f"enrichment only / a function for each field, {words}",
                f"job.enrich.{suffix}",
                f"yardstick.naive.{suffix}",
                3.0,
            ),
            _share_of_parts(
                f"enrichment only / what border and core allow, {words}",
                f"job.enrich.{suffix}",
                f"yardstick.identity.{suffix}",
            ),
        )
    ),
    Target(
        "look-ups of 200 ms, usual mix of hosts, one subtask",
        ("lookups",),
        _same,
        LOOKUP_RATE,
        "records/s",
        of=LOOKUP_CAPACITY,
    ),
    # A bundle comes each second: one that takes longer makes the next wait.
    _value("their longest bundle at 500 records/s", "lookups", LOOKUP_LONGEST, 1000, "ms"),
    Target(
        "Lambda, 1000 records, caches empty, against 30 s",
        ("lambda",),
        _same,
        10,
        of=DESIGN_FACTOR,
    ),
    _value("latency, process, p99", "latency.process", "p99_ms", 1500, "ms"),
    _value("latency, thread, p99", "latency.thread", "p99_ms", 300, "ms"),
    _value("memory of a worker (PSS)", "memory.process", "worker_pss_mb", 400, "MB"),
    _value("its growth from half of the input", "memory.process", "worker_growth_mb", 10, "MB"),
)
