"""How many KPUs, how much Lambda, and what a month of it costs.

A month is 30 days, as in AWS's own examples. A cost is one line of `COSTS`: its arithmetic as it
is shown, whose named numbers are multiplied. So what is shown and what is computed cannot differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

from tools.size.prices import US_EAST_1, Prices
from tools.size.stack import counts

COSTS = (
    ("job", "KPUs, with one for orchestration", "{all_kpus} KPUs x {hours} h x {kpu_hour} USD"),
    ("job", "running application storage",
     "{kpus} KPUs x {kpu_gb} GB x {running_storage_gb_month} USD"),
    ("job", "durable backups", "{backup_gb} GB x {backup_gb_month} USD"),
    ("job", "streams",
     "{provisioned} streams x {shards} shards x {hours} h x {shard_hour} USD"),
    ("job", "puts into the input",
     "{puts} million records x {input_units} units x {put_units_million} USD"),
    ("job", "puts into enriched",
     "{enriched_puts} million records x {output_units} units x {put_units_million} USD"),
    ("job", "streams on demand", "{on_demand} streams x {hours} h x {stream_hour} USD"),
    ("job", "into the input, each as whole KB",
     "{on_demand_records} million records x {input_gb} GB a million x {stream_gb_in} USD"),
    ("job", "out of the input",
     "{on_demand_records} million records x {read_gb} GB a million x {stream_gb_out} USD"),
    ("job", "into enriched, each as whole KB",
     "{enriched_on_demand} million records x {output_gb} GB a million x {stream_gb_in} USD"),
    ("job", "enriched through Firehose, in whole 5 KB",
     "{delivered} million lines x {delivered_gb} GB a million x {firehose_gb} USD"),
    ("job", "pipe of dead letters", "{piped} million x {pipe_requests_million} USD"),
    ("job", "queue: send, receive, delete",
     "{piped} million x {queue_requests} requests x {sqs_requests_million} USD"),
    ("job", "log", "{job_log_gb} GB x {log_gb} USD"),
    ("job", "alarms", "{job_alarm_metrics} metrics x {alarm_metric} USD"),
    ("job", "dashboard", "{job_dashboards} x {dashboard} USD"),
    ("lambda", "requests", "{requests} million x {lambda_requests_million} USD"),
    ("lambda", "GB-seconds",
     "{invocations} invocations x {seconds} s x {memory_gb} GB x {lambda_gb_second} USD"),
    ("firehose", "Firehose, each record as whole 5 KB",
     "{records} million records x {rounded_gb} GB a million x {firehose_gb} USD"),
    ("function", "S3, a month of enriched records",
     "{records} million records x {stored_gb} GB a million x {s3_gb_month} USD"),
    ("function", "S3, puts", "{objects} thousand x {s3_puts_thousand} USD"),
    ("function", "queue: send, receive, delete",
     "{dead_letters} million x {queue_requests} requests x {sqs_requests_million} USD"),
    ("function", "log", "{function_log_gb} GB x {log_gb} USD"),
    ("function", "metrics of its own", "{function_metrics} metrics x {own_metric} USD"),
    ("function", "alarms", "{function_alarm_metrics} metrics x {alarm_metric} USD"),
    ("function", "dashboard", "{function_dashboards} x {dashboard} USD"),
)  # fmt: skip
"""Of each cost the bill, the name and the product; its names are those of `quantities`."""

FUNCTION = ("lambda", "firehose", "function")
"""The bills of the function's stack: Lambda, Firehose before it, and the rest."""

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
    stream_mode: str = "PROVISIONED"
    shards: int | None = None  # of each stream; None: as many as it takes
    backup_gb: float = 0  # snapshots kept
    dead_percent: float = 0.01  # of the records
    job_log_gb: float = 1  # a month
    gzip_ratio: float = 12  # enriched records over the same compressed
    memory_mb: int = 512  # of the function; sets its share of a vCPU too
    batch_records: int | None = None  # None: as many as fit 0.5 MB
    overhead_ms: float = 5  # what an invocation takes besides its records
    prices: Prices = US_EAST_1
    counts: Mapping[str, int] = field(default_factory=counts)  # what the stacks hold


def quantities(case: Case) -> dict[str, Any]:
    """Returns the numbers that costs are made of, by name: the case, its prices, what follows."""
    return {
        **asdict(case),
        **asdict(case.prices),
        **case.counts,
        "hours": 720,
        "records": _records(case),
        "dead_letters": _records(case) * case.dead_percent / 100,
        "queue_requests": 3,
        **_of_the_job(case),
        **_of_the_function(case),
    }


def _records(case: Case) -> float:
    """Returns how many million records come in a month."""
    return case.rate * _MONTH_SECONDS / _MILLION


def _of_the_job(case: Case) -> dict[str, Any]:
    kpus = _whole(case.rate * case.peak * case.job_micros / _MILLION / case.load)
    # At peak a shard takes 1,000 records/s and 1 MB/s. One parameter is of all streams, and
    # `enriched` has the largest records.
    largest = max(case.record_bytes, case.output_bytes)
    of_a_shard = min(1000, (1 << 20) / largest) / case.peak
    needed_shards = _whole(case.rate / of_a_shard)
    on_demand = case.stream_mode == "ON_DEMAND"
    puts, on_demand_records = (0, _records(case)) if on_demand else (_records(case), 0)
    # Packed lines have a line break each; Python gets at most a thousand at a time.
    packed = max(1, min(1000, case.counts["packed_bytes"] // (case.output_bytes + 1)))
    return {
        "kpus": kpus,
        "all_kpus": kpus + 1,
        "kpu_gb": 50,
        "of_a_shard": of_a_shard,
        "needed_shards": needed_shards,
        # A subtask without a shard has nothing to read, and the enriching function runs in the
        # subtask that read the record.
        "shards": case.shards or max(needed_shards, kpus),
        "provisioned": 0 if on_demand else case.counts["streams"],
        "on_demand": case.counts["streams"] if on_demand else 0,
        "puts": puts,
        "enriched_puts": puts * case.counts["enriched_streams"],
        "on_demand_records": on_demand_records,
        "enriched_on_demand": on_demand_records * case.counts["enriched_streams"],
        "delivered": _records(case) * case.counts["enriched_deliveries"],
        "delivered_gb": _million_gb(packed * (case.output_bytes + 1), 5120) / packed,
        "input_units": math.ceil(case.record_bytes / (25 * 1024)),
        "output_units": math.ceil(case.output_bytes / (25 * 1024)),
        "input_gb": _million_gb(case.record_bytes, 1024),
        "read_gb": _million_gb(case.record_bytes),
        "output_gb": _million_gb(case.output_bytes, 1024),
        "piped": case.counts["pipes"] * _records(case) * case.dead_percent / 100,
    }


def _of_the_function(case: Case) -> dict[str, Any]:
    # Firehose sends a batch when it holds 0.5 MB or 60 s are over.
    full_batch = case.batch_records or max(1, (1 << 19) / case.record_bytes)
    batch = max(1, min(full_batch, case.rate * 60))
    invocations = case.rate * _MONTH_SECONDS / batch
    # AWS: "at 1,769 MB, a function has the equivalent of one vCPU", and less in proportion.
    record_ms = case.function_micros * max(1, 1769 / case.memory_mb) / 1000
    duration_ms = case.overhead_ms + batch * record_ms
    # It writes an object when it holds 64 MB or 300 s are over.
    full_objects = _records(case) * _million_gb(case.output_bytes) * 16
    timed_objects = min(invocations, _MONTH_SECONDS / 300)
    return {
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
        "rounded_gb": _million_gb(case.record_bytes, 5120),
        "stored_gb": _million_gb(case.output_bytes) / case.gzip_ratio,
        "objects": max(full_objects, timed_objects) / 1000,
        "function_log_gb": invocations * case.counts["log_bytes"] / (1 << 30),
        # They are billed by the hour in which they are sent.
        "function_metrics": case.counts["own_metrics"] if case.rate else 0,
    }


def _million_gb(size: float, step: int = 1) -> float:
    """Returns the GB of a million records, each rounded up to whole steps of bytes."""
    return math.ceil(size / step) * step * _MILLION / (1 << 30)


def _whole(quantity: float) -> int:
    # Nine decimals: the last bits of a float must not add a KPU.
    return max(1, math.ceil(round(quantity, 9)))


def bill(values: Mapping[str, Any], *parts: str) -> list[tuple[str, str, float]]:
    """Returns name, product and USD a month of the costs of some bills.

    A cost of nothing, such as no backups, has no line.
    """
    return [
        (name, product, math.prod(values[factor] for factor in factors(product)))
        for part, name, product in COSTS
        if part in parts and values[factors(product)[0]]
    ]


def month_usd(case: Case, *parts: str) -> float:
    """Returns the sum of some bills in USD a month."""
    return math.fsum(cost for _, _, cost in bill(quantities(case), *parts))


@cache
def factors(product: str) -> list[str]:
    """Returns the names of a product's factors."""
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
    """Returns the rate from `low` on at which the function has a cost, by bisection."""
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
