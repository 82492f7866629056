"""How many KPUs, how much Lambda, and what a month of it costs.

A month is 30 days, as in AWS's own examples. A cost is one line of `COSTS`: its arithmetic as it
is shown, whose named numbers are multiplied. So what is shown and what is computed cannot differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from tools.size.prices import US_EAST_1, Prices

COSTS = (
    ("input", "input stream", "{input_shards} shards x {hours} h x {shard_hour} USD"),
    ("input", "input stream, puts",
     "{records} million records x {input_units} units x {put_units_million} USD"),
    ("job", "KPUs, with one for orchestration", "{all_kpus} KPUs x {hours} h x {kpu_hour} USD"),
    ("job", "running application storage",
     "{kpus} KPUs x {kpu_gb} GB x {running_storage_gb_month} USD"),
    ("job", "durable backups", "{backup_gb} GB x {backup_gb_month} USD"),
    ("job", "enriched stream", "{output_shards} shards x {hours} h x {shard_hour} USD"),
    ("job", "enriched stream, puts",
     "{records} million records x {output_units} units x {put_units_million} USD"),
    ("job", "other streams", "{side_streams} shards x {hours} h x {shard_hour} USD"),
    ("lambda", "requests", "{requests} million x {lambda_requests_million} USD"),
    ("lambda", "GB-seconds",
     "{invocations} invocations x {seconds} s x {memory_gb} GB x {lambda_gb_second} USD"),
    ("firehose", "Firehose, each record as whole 5 KB",
     "{records} million records x {rounded_gb} GB a million x {firehose_gb} USD"),
)  # fmt: skip
"""Of each cost the bill, the name and the product; its names are those of `quantities`."""

FUNCTION = ("lambda", "firehose")
"""The bills of the function behind Firehose."""

LARGEST_RATE = 1_000_000.0
"""Where the search for the break-even ends, in records a second."""

_MILLION = 1_000_000
_MONTH_SECONDS = 720 * 3600


@dataclass(frozen=True, slots=True)
class Case:
    """One question: what comes in, how job and function run, and what things cost."""

    rate: float  # records a second, one line each: the mean over the month
    record_bytes: int
    output_bytes: int  # of an enriched record
    job_micros: float  # CPU time of a record in the whole job, in microseconds of one vCPU
    function_micros: float  # the same in the function
    peak: float = 1  # highest rate over the mean rate
    load: float = 0.6  # share of the vCPUs in use at peak; the rest is for catching up
    shards: int | None = None  # of the input; None: as many as it takes
    side_streams: int = 4  # output streams of one shard each beside `enriched`
    backup_gb: float = 0  # snapshots kept
    memory_mb: int = 512  # of the function; sets its share of a vCPU too
    batch_records: int | None = None  # None: as many as fit 0.5 MB
    overhead_ms: float = 5  # what an invocation takes besides its records
    prices: Prices = US_EAST_1


def quantities(case: Case) -> dict[str, Any]:
    """Returns the numbers that costs are made of, by name: the case, its prices, what follows."""
    kpus = _whole(case.rate * case.peak * case.job_micros / _MILLION / case.load)
    # At peak a shard takes 1,000 records/s and 1 MB/s.
    of_a_shard = min(1000, (1 << 20) / case.record_bytes) / case.peak
    needed_shards = _whole(case.rate / of_a_shard)
    # Firehose sends a batch when it holds 0.5 MB or 60 s are over.
    full_batch = case.batch_records or max(1, (1 << 19) / case.record_bytes)
    batch = max(1, min(full_batch, case.rate * 60))
    invocations = case.rate * _MONTH_SECONDS / batch
    # AWS: "at 1,769 MB, a function has the equivalent of one vCPU", and less in proportion.
    record_ms = case.function_micros * max(1, 1769 / case.memory_mb) / 1000
    duration_ms = case.overhead_ms + batch * record_ms
    return asdict(case) | asdict(case.prices) | {
        "hours": 720,
        "records": case.rate * _MONTH_SECONDS / _MILLION,
        "kpus": kpus,
        "all_kpus": kpus + 1,
        "kpu_gb": 50,
        "of_a_shard": of_a_shard,
        "needed_shards": needed_shards,
        # A subtask without a shard has nothing to read, and the enriching function runs in the
        # subtask that read the record.
        "input_shards": case.shards or max(needed_shards, kpus),
        "output_shards": _whole(case.rate * case.peak / min(1000, (1 << 20) / case.output_bytes)),
        "input_units": math.ceil(case.record_bytes / (25 * 1024)),
        "output_units": math.ceil(case.output_bytes / (25 * 1024)),
        "full_batch": full_batch,
        "collected": case.rate * 60,
        "batch": batch,
        "record_ms": record_ms,
        "duration_ms": duration_ms,
        "at_a_time": case.rate * case.peak / batch * duration_ms / 1000,
        "invocations": invocations,
        "requests": invocations / _MILLION,
        "seconds": duration_ms / 1000,
        "memory_gb": case.memory_mb / 1024,
        "rounded_gb": math.ceil(case.record_bytes / 5120) * 5120 * _MILLION / (1 << 30),
    }  # fmt: skip


def _whole(quantity: float) -> int:
    # Nine decimals: the last bits of a float must not add a KPU.
    return max(1, math.ceil(round(quantity, 9)))


def bill(values: Mapping[str, Any], *parts: str) -> list[tuple[str, str, float]]:
    """Returns name, product and USD a month of the costs of some bills.

    A cost of nothing, such as no backups, has no line.
    """
    return [
        (name, product, math.prod(values[factor] for factor in _factors(product)))
        for part, name, product in COSTS
        if part in parts and values[_factors(product)[0]]
    ]


def month_usd(case: Case, *parts: str) -> float:
    """Sum of some bills in USD a month."""
    return math.fsum(cost for _, _, cost in bill(quantities(case), *parts))


@cache
def _factors(product: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", product)


def break_even(case: Case) -> float | None:
    """Returns the lowest rate at which job and function cost the same; None up to a limit.

    Below it the function is cheaper. The rate of the case does not matter.

    Neither cost falls as the rate grows. So the rate at which the function costs what the job
    costs at a lower rate is still not above the answer: taken again and again, it climbs to
    the lowest one, past all steps of the job (a KPU, a shard).
    """
    rate = 0.0
    for _ in range(2000):
        higher = _rate_for(case, month_usd(replace(case, rate=rate), "job"), rate)
        if higher is None or math.isclose(higher, rate, rel_tol=1e-12):
            return higher
        rate = higher
    return None


def _rate_for(case: Case, cost: float, low: float) -> float | None:
    """The rate from `low` on at which the function has a cost, by bisection."""
    high = LARGEST_RATE
    if month_usd(replace(case, rate=high), *FUNCTION) < cost:
        return None
    for _ in range(64):
        middle = (low + high) / 2
        if month_usd(replace(case, rate=middle), *FUNCTION) < cost:
            low = middle
        else:
            high = middle
    return high
