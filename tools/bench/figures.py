"""Every figure there is, by name. Each is measured in a process of its own (`one.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial

from tools.bench import core, jobs, latency, loops, services
from tools.bench.core import Metrics
from tools.bench.setup import Setup


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing to measure.

    Attributes:
        name: `family.variant...`; parts of it can be asked for with `*`.
        title: What it is, for the table.
        measure: Gives the values by name; each name ends with its unit.
    """

    name: str
    title: str
    measure: Callable[[Setup], Metrics]


def _figure(name: str, title: str, function: Callable[..., Metrics], **arguments: object) -> Figure:
    return Figure(name, title, partial(function, **arguments))


_JOB_MODES = ("process", "thread")
# How each mode makes use of two cores: name, title and arguments.
ON_TWO_CORES: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("process.2slots", "process, 2 slots", {"mode": "process", "slots": 2}),
    (
        "thread.managers",
        "thread, 2 TaskManagers",
        {"mode": "thread", "slots": 2, "apart": True},
    ),
)

FIGURES: tuple[Figure, ...] = (
    *(
        figure
        for log in ("made", "sample")
        for figure in (
            _figure(f"core.whole.{log}", f"core, {log} log", core.whole, log=log),
            _figure(
                f"core.straightforward.{log}",
                f"straightforward version, {log} log",
                core.straightforward_whole,
                log=log,
            ),
            _figure(f"core.parts.{log}", f"parts of the core, {log} log", core.parts, log=log),
            _figure(f"core.features.{log}", f"features, {log} log", core.features, log=log),
        )
    ),
    _figure("loop.straightforward", "one loop, straightforward", loops.straightforward_loop),
    _figure("loop.core", "one loop, our core", loops.core_loop),
    _figure("loop.core2", "two loops at once, our core", loops.two_core_loops),
    _figure("yardstick.passthrough", "job without Python", jobs.yardstick,
            kind="passthrough", mode="process"),
    *(
        _figure(f"yardstick.identity.{mode}", f"job, identity function, {mode}", jobs.yardstick,
                kind="identity", mode=mode)
        for mode in _JOB_MODES
    ),
    _figure("yardstick.naive.process", "job, a function for each field, process", jobs.yardstick,
            kind="naive", mode="process"),
    *(
        figure
        for suffix, words, layout in ON_TWO_CORES
        for figure in (
            _figure(f"yardstick.identity.{suffix}", f"job, identity function, {words}",
                    jobs.yardstick, kind="identity", **layout),
            _figure(f"yardstick.naive.{suffix}", f"job, a function for each field, {words}",
                    jobs.yardstick, kind="naive", **layout),
            _figure(f"job.enrich.{suffix}", f"enrichment only, {words}", jobs.job,
                    outputs="enriched", **layout),
        )
    ),
    *(
        figure
        for mode in _JOB_MODES
        for figure in (
            _figure(f"job.enrich.{mode}", f"enrichment only, {mode}", jobs.job,
                    outputs="enriched", mode=mode),
            _figure(f"job.enrich.{mode}.files", f"enrichment only to files, {mode}", jobs.job,
                    outputs="enriched", mode=mode, files=True),
            _figure(f"job.full.{mode}", f"all outputs to files, {mode}", jobs.job,
                    outputs="all", mode=mode, files=True),
        )
    ),
    _figure("job.enrich.process.2slots.files", "enrichment only to files, process, 2 slots",
            jobs.job, outputs="enriched", mode="process", files=True, slots=2),
    _figure("job.full.process.2slots", "all outputs to files, process, 2 slots", jobs.job,
            outputs="all", mode="process", files=True, slots=2),
    _figure("job.full.process.2slots.heap",
            "all outputs to files, process, 2 slots, state on the heap",
            jobs.job, outputs="all", mode="process", files=True, slots=2, state="hashmap"),
    *(
        _figure(f"latency.{mode}", f"latency, all outputs, {mode}", latency.latency, mode=mode)
        for mode in _JOB_MODES
    ),
    *(
        _figure(f"memory.{mode}", f"memory, enrichment only, {mode}", jobs.memory, mode=mode)
        for mode in _JOB_MODES
    ),
    _figure("kinesis", "enrichment only, from Kinesis to Kinesis (emulated), 2 slots",
            services.kinesis),
    _figure("lookups", "look-ups of 200 ms at 500 records/s", services.lookups),
    _figure("lambda", "Lambda functions, sample log", services.functions),
)  # fmt: skip


def chosen(patterns: list[str]) -> list[Figure]:
    """The figures whose names match one of the patterns, or begin with one; all without any.

    Raises:
        KeyError: A pattern matches none.
    """
    for pattern in patterns:
        if not any(_matches(figure, pattern) for figure in FIGURES):
            raise KeyError(pattern)
    return [
        figure
        for figure in FIGURES
        if not patterns or any(_matches(figure, pattern) for pattern in patterns)
    ]


def _matches(figure: Figure, pattern: str) -> bool:
    return fnmatch(figure.name, pattern) or figure.name.startswith(f"{pattern}.")
