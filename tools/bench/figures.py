"""Every figure there is, by name, and what they ought to be. A new one is a line here."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from typing import Any

from tools.bench.core import Metrics, core, straight, two_at_once
from tools.bench.inputs import Setup
from tools.bench.jobs import ALL, MISSION, RECORDS, Job, between_streams, measure
from tools.bench.lambda_functions import functions
from tools.bench.latency import latency
from tools.bench.peers import goaccess, vrl
from tools.bench.shapes import shapes
from udfs.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing to measure, under a name that goes from its family to its variant."""

    name: str
    title: str
    measure: Callable[[Setup], Metrics]


LAYOUTS = {
    "process": Job("process"),
    "process.2slots": Job("process", slots=2),
    "thread": Job("thread"),
    "thread.managers": Job("thread", slots=2, managers=True),
}
"""How a job makes use of the machine, by the name that its figures have for it."""
ON_TWO_CORES = ("process.2slots", "thread.managers")
"""With two subtasks there is work for both cores: a single one waits for its worker in process
mode, and has but one thread in thread mode."""


def _jobs(
    name: str, title: str, *layouts: str, by: Callable[..., Metrics] = measure, **changes: Any
) -> list[Figure]:
    """Returns figures of a job in layouts, which take the place of `*`, with changes of `Job`."""
    return [
        Figure(name.replace("*", end), title, partial(by, job=replace(LAYOUTS[end], **changes)))
        for end in layouts
    ]


FIGURES: tuple[Figure, ...] = (
    Figure("core.whole.made", "core, made log", partial(core, log="made")),
    Figure("core.straightforward.made", "straightforward version, made log",
           partial(straight, log="made")),
    Figure("core.whole.sample", "core, bundled log", partial(core, log="sample")),
    Figure("core.straightforward.sample", "straightforward version, bundled log",
           partial(straight, log="sample")),
    Figure("core.shapes", "core, bundled log as producers wrap it", shapes),
    Figure("loop.core2", "two loops at once over the core", two_at_once),
    *_jobs("yardstick.identity.*", "job, identity function", *ON_TWO_CORES,
           kind="identity", poll_s=0.2),
    *_jobs("yardstick.naive.*", "job, a function for each field", *ON_TWO_CORES, kind="naive"),
    *_jobs("job.enrich.*", "enrichment only", *LAYOUTS),
    *_jobs("job.enrich.*.files", "enrichment only to files",
           "process", "process.2slots", "thread", files=True),
    *_jobs("job.mission.*", "records and two aggregates to files", *ON_TWO_CORES,
           outputs=MISSION, files=True),
    *_jobs("job.full.*", "all outputs to files", "process", "process.2slots", "thread",
           outputs=ALL, files=True),
    *_jobs("job.full.*.heap", "all outputs to files, state on the heap", "process.2slots",
           outputs=ALL, files=True, state="hashmap"),
    *_jobs("latency.*", "latency, all outputs", "process", "thread", by=latency,
           outputs=ALL, files=True, kind="latency"),
    *_jobs("kinesis", "enrichment only, Kinesis to Kinesis (emulated)", "process.2slots",
           by=between_streams),
    Figure("lambda", "Lambda functions, bundled log", functions),
)  # fmt: skip

PEERS = tuple(
    Figure(f"peer.{peer.__name__}.{log}", f"{title}, {log} log", partial(peer, log=log))
    for peer, title in ((goaccess, "GoAccess"), (vrl, "Vector's language"))
    for log in ("made", "sample")
)
"""Other programs, of which a machine may have none: measured by `--peers`."""

WITHOUT = "job.without."
FULL = "job.full.process.2slots"
COSTS = tuple(
    figure
    for name in ALL
    if name not in RECORDS
    for figure in _jobs(
        f"{WITHOUT}{name}", f"all outputs but {name}", "process.2slots",
        outputs=tuple(output for output in ALL if output != name), files=True,
    )
)  # fmt: skip
"""What an output costs is `FULL` less the job without it: measured by `--costs`."""

EVERY = (*FIGURES, *COSTS, *PEERS)


def chosen(patterns: list[str]) -> list[Figure]:
    """Returns the figures whose names match one of the patterns, or else begin with one.

    Without a pattern: all but peers and costs.

    Raises:
        ConfigurationError: A pattern matches none.
    """
    if not patterns:
        return list(FIGURES)
    names = {name for pattern in patterns for name in _matching(pattern)}
    return [figure for figure in EVERY if figure.name in names]


def _matching(pattern: str) -> list[str]:
    names = [figure.name for figure in EVERY]
    matching = [name for name in names if fnmatch(name, pattern)]
    matching = matching or [name for name in names if name.startswith(f"{pattern}.")]
    if not matching:
        raise ConfigurationError("--figures", None, pattern, "names that --list shows")
    return matching


RATE = "records_per_s"
"""The value that most targets are made of; a job too short for a steady state has none."""


@dataclass(frozen=True, slots=True)
class Target:
    """A number that a figure must reach, or must not exceed.

    Held against another figure it is their ratio, and against several the share of what these
    allow one after the other.
    """

    limit: float
    figure: str
    parts: tuple[str, ...] = ()
    of: str = RATE
    at_most: bool = False

    def __str__(self) -> str:
        parts = f" / {' + '.join(self.parts)}" if self.parts else ""
        return self.figure + parts + ("" if self.of == RATE else f", {self.of}")

    def numbers(self, results: Mapping[str, Sequence[Metrics]]) -> list[float]:
        """Returns the number of each round, of the figures' values by their names.

        A ratio is made within a round, of figures measured minutes apart: a machine that gets
        slower or busier meanwhile moves both sides of it.
        """
        rounds = zip(*(results.get(name, ()) for name in (self.figure, *self.parts)), strict=False)
        return [
            _number(*(figure[self.of] for figure in figures))
            for figures in rounds
            if all(self.of in figure for figure in figures)
        ]

    def met(self, numbers: Sequence[float]) -> bool:
        """Returns whether the median over the rounds reaches the limit."""
        median = statistics.median(numbers)
        return median <= self.limit if self.at_most else median >= self.limit


def _number(figure: float, *parts: float) -> float:
    return figure * sum(1 / part for part in parts) if parts else figure


_LOGS, _MODES = ("made", "sample"), ("process", "thread")
_TWO = "process.2slots"
TARGETS = (
    *(Target(2.5, f"core.whole.{log}", (f"core.straightforward.{log}",)) for log in _LOGS),
    *(Target(100_000, f"core.whole.{log}") for log in _LOGS),
    *(
        Target(limit, f"job.enrich.{layout}", tuple(part.format(layout) for part in parts))
        for limit, *parts in (
            (1.5, "core.straightforward.made"),
            (3.0, "yardstick.naive.{}"),
            (0.75, "yardstick.identity.{}", "loop.core2"),
        )
        for layout in ON_TWO_CORES
    ),
    *(Target(0.6, f"job.full.{end}", (f"job.enrich.{end}.files",)) for end in (*_MODES, _TWO)),
    Target(0.6, f"job.full.{_TWO}.heap", (f"job.enrich.{_TWO}.files",)),
    Target(1500, "latency.process", of="p99_ms", at_most=True),
    Target(300, "latency.thread", of="p99_ms", at_most=True),
    Target(400, "job.enrich.process", of="worker_pss_mb", at_most=True),
    Target(10, "job.enrich.process", of="worker_growth_mb", at_most=True),
)
