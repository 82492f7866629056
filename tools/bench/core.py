"""Figures of the core without Flink: microseconds a record from bytes to the packed string.

Time is the process's CPU time: these loops wait for nothing, so on an idle machine it is the
time on the clock, and on a busy one it is what that would be.
"""

from __future__ import annotations

import gzip
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import batched
from multiprocessing import get_context
from time import process_time

from tools.bench import straightforward
from tools.bench.inputs import Setup
from udfs.config.core import CoreSettings
from udfs.config.file import PropertyGroups
from udfs.enrichment import Enricher
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import pack

type Metrics = dict[str, float]
"""Values by name; each name ends with its unit."""

WARM_UP = 0.5
"""The first half fills the caches. Jobs are measured after the same share: Java's compiler takes
half of the JVM's time in the first 20 seconds of all outputs, a tenth in the second minute."""

_PART_RECORDS, _TOLERANCE_MS = 10_000, 300_000


def core(setup: Setup, log: str) -> Metrics:
    """Returns the core's whole way over a log, such as `made` or `sample`."""
    enricher = make_enricher(setup)
    progress = StreamProgress(_TOLERANCE_MS)
    return _over(lambda data: pack(enricher.process(data), progress), setup, log)


def straight(setup: Setup, log: str) -> Metrics:
    """Returns the same of the straightforward version."""
    return _over(straightforward.enricher(setup.database), setup, log)


def two_at_once(setup: Setup) -> Metrics:
    """Returns the rate of two processes over the core, each with half of the made log."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        both = pool.map(partial(core, setup), ("halves/even", "halves/odd"))
        return {"records_per_s": sum(half["records_per_s"] for half in both)}


def _over(function: Callable[[bytes], object], setup: Setup, log: str) -> Metrics:
    # Lines are read and unpacked outside of the time, a part after the other.
    size = max(1, min(_PART_RECORDS, setup.records // 20))
    with gzip.open(setup.log(log)) as stream:
        parts = batched((line.rstrip(b"\n") for line in stream), size)
        each_us = [_each_us(function, part) for part in parts if len(part) == size]
    warm_us = warm_mean(each_us)
    return {"records_per_s": 1e6 / warm_us, "warm_us": warm_us}


def warm_mean(each_us: Sequence[float]) -> float:
    """Returns the mean over the parts after the warm-up."""
    return statistics.mean(each_us[int(len(each_us) * WARM_UP) :])


def make_enricher(setup: Setup, settings: PropertyGroups | None = None) -> Enricher:
    """Returns the core with the figures' settings, and more of them."""
    loaded = CoreSettings.load(setup.core_properties | (settings or {}))
    return Enricher.create(loaded, salt=b"a salt for measuring")


def _each_us(function: Callable[[bytes], object], lines: Sequence[bytes]) -> float:
    # Once before: the rules for user agents are loaded at start-up, not by a record.
    function(lines[0])
    started = process_time()
    for line in lines:
        function(line)
    return (process_time() - started) / len(lines) * 1e6
