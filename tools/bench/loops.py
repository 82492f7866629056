"""Yardsticks without Flink: the same gzip file, line by line, in plain Python processes."""

from __future__ import annotations

import gzip
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import perf_counter, process_time

from tools.bench import straightforward
from tools.bench.core import Metrics, core_function
from tools.bench.setup import Setup, core_properties

# The first half fills the caches. Jobs are measured after the same share, and want two minutes'
# input: with all outputs Java's compiler takes half of the JVM's time in the first 20 seconds and
# a tenth in the second minute.
WARM_UP = 0.5
_TIMEOUT_S = 600


def core_loop(setup: Setup) -> Metrics:
    """One process over our core."""
    passed = _pass(core_function(core_properties(setup)), setup.input.whole, setup.input.records)
    return _metrics([passed])


def straightforward_loop(setup: Setup) -> Metrics:
    """One process over the straightforward version."""
    function = straightforward.enricher(Path(setup.database))
    return _metrics([_pass(function, setup.input.whole, setup.input.records)])


def two_core_loops(setup: Setup) -> Metrics:
    """Two processes over our core at the same time, each with half of the lines."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    results: multiprocessing.queues.Queue[Pass] = context.Queue()
    processes = [
        context.Process(target=_half, args=(setup, path, start, results))
        for path in setup.input.halves
    ]
    for process in processes:
        process.start()
    passes = [results.get(timeout=_TIMEOUT_S) for _ in processes]
    for process in processes:
        process.join()
    return _metrics(passes)


@dataclass(frozen=True, slots=True)
class Pass:
    """A way through a file after its warm-up: lines, seconds, CPU seconds."""

    records: int
    seconds: float
    cpu_seconds: float


def _half(
    setup: Setup, path: str, start: Barrier, results: multiprocessing.queues.Queue[Pass]
) -> None:
    function = core_function(core_properties(setup))
    start.wait()
    results.put(_pass(function, path, setup.input.records // 2))


def _pass(function: Callable[[bytes], object], path: str, records: int) -> Pass:
    warm_up = int(records * WARM_UP)
    with gzip.open(path) as stream:
        for _, line in zip(range(warm_up), stream, strict=False):
            function(line)
        count = 0
        started, cpu_started = perf_counter(), process_time()
        for line in stream:
            function(line)
            count += 1
        return Pass(count, perf_counter() - started, process_time() - cpu_started)


def _metrics(passes: list[Pass]) -> Metrics:
    return {
        "records_per_s": sum(one.records / one.seconds for one in passes),
        "cpu_us": sum(one.cpu_seconds for one in passes) / sum(one.records for one in passes) * 1e6,
    }
