"""Figures that need more than Flink: slow look-ups, Kinesis, and the Lambda functions.

Look-ups and Lambda are commands of their own too: `tools/bench/lookups.py`,
`tools/bench/lambda_functions.py`.
"""

from __future__ import annotations

from tools.bench.core import Metrics
from tools.bench.setup import Setup

LOOKUP_RATE = 500.0
"""Records/s that have to be kept up with."""
LOOKUP_DELAY_MS = 200.0
LOOKUP_CAPACITY = "usual mix, as fast as it goes_records/s"
LOOKUP_LONGEST = "usual mix, longest bundle_ms"
DESIGN_FACTOR = "design's time / empty caches_x"

_CONCURRENCY = 256
_LONGEST_CASE_S = 10


def lookups(setup: Setup) -> Metrics:
    """Reverse DNS that takes 200 ms, at 500 records/s and as fast as it goes, for one subtask."""
    # Client libraries that no other figure needs.
    from tools.bench.lookups import measure  # noqa: PLC0415

    seconds = round(min(setup.latency_seconds, _LONGEST_CASE_S))
    usual, new, usual_fast, new_fast, cached = measure(
        LOOKUP_RATE, LOOKUP_DELAY_MS, max(seconds, 1), _CONCURRENCY
    )
    return {
        LOOKUP_CAPACITY: usual_fast.done_per_second,
        LOOKUP_LONGEST: usual.longest_bundle_ms,
        "usual mix, cache hits_%": usual.cache_hit_percent,
        "usual mix, failed_records": usual.failed,
        "new hosts only, as fast as it goes_records/s": new_fast.done_per_second,
        "new hosts only, longest bundle_ms": new.longest_bundle_ms,
        "new hosts only, failed_records": new.failed,
        "one host, as fast as it goes_records/s": cached.done_per_second,
    }


def kinesis(setup: Setup) -> Metrics:
    """The job between two streams of an emulator; skipped without the connectors."""
    from tools.bench.kinesis import kinesis as measure  # noqa: PLC0415

    return measure(setup)


def functions(setup: Setup) -> Metrics:  # noqa: ARG001 - it has a log and a database of its own
    """The Lambda functions as they are packaged, each start in a process of its own."""
    from tools.bench.lambda_functions import DATA, measure  # noqa: PLC0415

    found = measure(1, DATA / "demo-city.mmdb")
    values = {f"{one['text']}_{one['unit']}": one["median"] for one in found["figures"].values()}
    return values | {
        DESIGN_FACTOR: found["design_factor"],
        "design's time / warm_x": found["design_factor_warm"],
        "package_MB": found["package_bytes"] / 1e6,
    }
