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
_TWO = "process.2slots"
_ON_TWO_CORES = (_TWO, "thread.managers")
_ALL: dict[str, Any] = {"outputs": ALL, "files": True}


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
    *_jobs("yardstick.identity.*", "job, identity function", *_ON_TWO_CORES,
           kind="identity", poll_s=0.2),
    *_jobs("yardstick.naive.*", "job, a function for each field", *_ON_TWO_CORES, kind="naive"),
    *_jobs("job.enrich.*", "enrichment only", *LAYOUTS),
    *_jobs("job.enrich.*.files", "enrichment only to files",
           "process", _TWO, "thread", files=True),
    *_jobs("job.mission.*", "records and two aggregates to files", *_ON_TWO_CORES,
           outputs=MISSION, files=True),
    *_jobs("job.full.*", "all outputs to files", "process", _TWO, "thread", **_ALL),
    *_jobs("job.full.*.heap", "all outputs to files, state on the heap", _TWO, **_ALL,
           state="hashmap"),
    *_jobs("latency.*", "latency, all outputs", "process", "thread", by=latency, **_ALL,
           kind="latency"),
    *_jobs("kinesis", "enrichment only, Kinesis to Kinesis (emulated)", _TWO, by=between_streams),
    Figure("lambda", "Lambda functions, bundled log", functions),
)  # fmt: skip

PEERS = tuple(
    Figure(f"peer.{peer.__name__}.{log}", f"{title}, {log} log", partial(peer, log=log))
    for peer, title in ((goaccess, "GoAccess"), (vrl, "Vector's language"))
    for log in ("made", "sample")
)
"""Other programs, of which a machine may have none: measured by `--peers`."""

FULL, WITHOUT = f"job.full.{_TWO}", "job.without."
COSTS = tuple(
    figure
    for name in ALL
    if name not in RECORDS
    for figure in _jobs(
        WITHOUT + name,
        f"all outputs but {name}",
        _TWO,
        files=True,
        outputs=tuple(output for output in ALL if output != name),
    )
)
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
    names = [figure.name for figure in EVERY]
    matching: set[str] = set()
    for pattern in patterns:
        some = {name for name in names if fnmatch(name, pattern)}
        some = some or {name for name in names if name.startswith(f"{pattern}.")}
        if not some:
            raise ConfigurationError("--figures", None, pattern, "names that --list shows")
        matching |= some
    return [figure for figure in EVERY if figure.name in matching]


RATE = "records_per_s"
"""The value that most targets are made of; a job too short for a steady state has none."""


@dataclass(frozen=True, slots=True)
class Target:
    """A number that a figure must reach, or must not exceed.

    With a part it is the ratio to that, with several the share of what they allow in turn.
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
        """Returns the number of each round; a ratio is one within a round.

        A machine that gets slower or busier moves both sides of it.
        """
        rounds = zip(*(results.get(name, ()) for name in (self.figure, *self.parts)), strict=False)
        return [
            figure[self.of] * (sum(1 / part[self.of] for part in parts) if parts else 1)
            for figure, *parts in rounds
            if all(self.of in values for values in (figure, *parts))
        ]

    def met(self, numbers: Sequence[float]) -> bool:
        """Returns whether the median over the rounds reaches the limit."""
        median = statistics.median(numbers)
        return median <= self.limit if self.at_most else median >= self.limit


_LOGS = ("made", "sample")
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
        for layout in _ON_TWO_CORES
    ),
    *(
        Target(0.6, f"job.full.{end}", (f"job.enrich.{end}.files",))
        for end in ("process", "thread", _TWO)
    ),
    Target(0.6, f"job.full.{_TWO}.heap", (f"job.enrich.{_TWO}.files",)),
    Target(1500, "latency.process", of="p99_ms", at_most=True),
    Target(300, "latency.thread", of="p99_ms", at_most=True),
    Target(400, "job.enrich.process", of="worker_pss_mb", at_most=True),
    Target(10, "job.enrich.process", of="worker_growth_mb", at_most=True),
)
