"""How many KPUs, how much Lambda, and what a month of it costs. Numbers only, and exact ones.

A month is 30 days, as in AWS's own examples. Every cost is a product of named factors, so that
what is shown and what is computed cannot differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from tools.size.prices import Prices

HOURS_PER_MONTH = 720
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
STORAGE_GB_PER_KPU = 50
# AWS: "at 1,769 MB, a function has the equivalent of one vCPU", and less in proportion.
MEGABYTES_PER_VCPU = 1769
SHARD_RECORDS = 1000
SHARD_BYTES = 1 << 20
PUT_UNIT_BYTES = 25 * 1024
FIREHOSE_UNIT_BYTES = 5 * 1024
GIGABYTE = 1 << 30
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Factor:
    """One number of a product, and what it counts."""

    value: Fraction
    unit: str


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of a bill: a name and the factors whose product is USD a month."""

    name: str
    factors: tuple[Factor, ...]

    @property
    def usd(self) -> Fraction:
        """USD a month."""
        return math.prod((one.value for one in self.factors), start=Fraction(1))


def total(costs: Iterable[Cost]) -> Fraction:
    """Sum in USD a month."""
    return sum((one.usd for one in costs), start=Fraction(0))


@dataclass(frozen=True, slots=True)
class Workload:
    """What comes in, one line a record.

    Attributes:
        rate: Records a second, the mean over the month.
        record_bytes: Bytes of a record.
        output_bytes: Bytes of an enriched record.
        peak: Highest rate over the mean rate, at least 1.
    """

    rate: Fraction
    record_bytes: int
    output_bytes: int
    peak: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class JobPlan:
    """How the job is to run.

    Attributes:
        micros: CPU time of a record in the whole job, in microseconds of one vCPU.
        load: Share of the vCPUs to use at peak; the rest is for catching up.
        backup_gb: Snapshots kept, in GB.
        input_shards: Shards of the input; None computes them.
        side_streams: Further output streams of one shard each.
    """

    micros: Fraction
    load: Fraction = Fraction(6, 10)
    backup_gb: Fraction = Fraction(0)
    input_shards: int | None = None
    side_streams: int = 4


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """How the function is to run, as the transformation of a Firehose stream.

    Attributes:
        micros: CPU time of a record in microseconds of one vCPU.
        memory_mb: Its memory, which also sets its share of a vCPU.
        batch_records: Records of a full batch; None: as many as fit `batch_bytes`.
        batch_bytes: Input that Firehose collects for one run.
        batch_seconds: Longest time that it collects.
        overhead_ms: What an invocation takes besides, in milliseconds.
    """

    micros: Fraction
    memory_mb: int = 512
    batch_records: int | None = None
    batch_bytes: int = SHARD_BYTES // 2
    batch_seconds: int = 60
    overhead_ms: Fraction = Fraction(5)


# --- the job ---------------------------------------------------------------------------------


def kpus(workload: Workload, plan: JobPlan) -> int:
    """KPUs for the work: peak rate x seconds of CPU a record / planned load, at least 1."""
    return max(1, math.ceil(workload.rate / records_per_kpu(workload, plan)))


def records_per_kpu(workload: Workload, plan: JobPlan) -> Fraction:
    """Mean rate that one KPU is planned for."""
    return plan.load * MILLION / (plan.micros * workload.peak)


def shards(workload: Workload, size: int) -> int:
    """Shards that take the peak of records of a size: 1,000 records/s and 1 MB/s each."""
    return max(1, math.ceil(workload.rate / records_per_shard(workload, size)))


def records_per_shard(workload: Workload, size: int) -> Fraction:
    """Mean rate that one shard takes."""
    return min(Fraction(SHARD_RECORDS), Fraction(SHARD_BYTES, size)) / workload.peak


def input_shards(workload: Workload, plan: JobPlan) -> int:
    """Shards of the input.

    At least as many as subtasks: one without a shard has nothing to read, and the enriching
    function runs in the subtask that read the record.
    """
    return plan.input_shards or max(shards(workload, workload.record_bytes), kpus(workload, plan))


def job_costs(workload: Workload, plan: JobPlan, prices: Prices) -> tuple[Cost, ...]:
    """The job and the streams it writes, without the input."""
    working = kpus(workload, plan)
    compute = (
        Cost(
            "KPUs, with one for orchestration",
            (
                Factor(Fraction(working + 1), "KPUs"),
                Factor(Fraction(HOURS_PER_MONTH), "h"),
                Factor(prices.kpu_hour, "USD"),
            ),
        ),
        Cost(
            "running application storage",
            (
                Factor(Fraction(working), "KPUs"),
                Factor(Fraction(STORAGE_GB_PER_KPU), "GB"),
                Factor(prices.running_storage_gb_month, "USD"),
            ),
        ),
    )
    backups = Cost(
        "durable backups",
        (Factor(plan.backup_gb, "GB"), Factor(prices.backup_gb_month, "USD")),
    )
    return (
        *compute,
        *([backups] if plan.backup_gb else []),
        _shard_hours("enriched stream", shards(workload, workload.output_bytes), prices),
        _put_units("enriched stream, puts", workload, workload.output_bytes, prices),
        *([_shard_hours("other streams", plan.side_streams, prices)] if plan.side_streams else []),
    )


def input_costs(workload: Workload, plan: JobPlan, prices: Prices) -> tuple[Cost, ...]:
    """The input stream, which both shapes can read."""
    return (
        _shard_hours("input stream", input_shards(workload, plan), prices),
        _put_units("input stream, puts", workload, workload.record_bytes, prices),
    )


def _shard_hours(name: str, count: int, prices: Prices) -> Cost:
    return Cost(
        name,
        (
            Factor(Fraction(count), "shards"),
            Factor(Fraction(HOURS_PER_MONTH), "h"),
            Factor(prices.shard_hour, "USD"),
        ),
    )


def _put_units(name: str, workload: Workload, size: int, prices: Prices) -> Cost:
    units = math.ceil(Fraction(size, PUT_UNIT_BYTES))
    return Cost(
        name,
        (
            _month_in_millions(workload.rate, "million records"),
            Factor(Fraction(units), "units"),
            Factor(prices.put_units_million, "USD"),
        ),
    )


def _month_in_millions(a_second: Fraction, unit: str) -> Factor:
    return Factor(a_second * SECONDS_PER_MONTH / MILLION, unit)


# --- the function ----------------------------------------------------------------------------


def full_batch(workload: Workload, plan: FunctionPlan) -> Fraction:
    """Records of a full batch, at least 1."""
    if plan.batch_records is not None:
        return Fraction(plan.batch_records)
    return max(Fraction(1), Fraction(plan.batch_bytes, workload.record_bytes))


def batch(workload: Workload, plan: FunctionPlan) -> Fraction:
    """Mean records of an invocation: a batch is sent when it is full or its time is over."""
    collected = workload.rate * plan.batch_seconds
    return max(Fraction(1), min(full_batch(workload, plan), collected))


def invocations(workload: Workload, plan: FunctionPlan) -> Fraction:
    """Invocations a second."""
    return workload.rate / batch(workload, plan)


def record_ms(plan: FunctionPlan) -> Fraction:
    """Milliseconds of a record: below 1,769 MB a function has less than one vCPU."""
    share = min(Fraction(1), Fraction(plan.memory_mb, MEGABYTES_PER_VCPU))
    return plan.micros / 1000 / share


def duration_ms(workload: Workload, plan: FunctionPlan) -> Fraction:
    """Mean duration of an invocation in milliseconds."""
    return plan.overhead_ms + batch(workload, plan) * record_ms(plan)


def invocation_costs(
    a_second: Fraction, milliseconds: Fraction, memory_mb: int, prices: Prices
) -> tuple[Cost, ...]:
    """Requests and GB-seconds of any function, at a rate of invocations."""
    return (
        Cost(
            "requests",
            (
                _month_in_millions(a_second, "million"),
                Factor(prices.lambda_requests_million, "USD"),
            ),
        ),
        Cost(
            "GB-seconds",
            (
                Factor(a_second * SECONDS_PER_MONTH, "invocations"),
                Factor(milliseconds / 1000, "s"),
                Factor(Fraction(memory_mb, 1024), "GB"),
                Factor(prices.lambda_gb_second, "USD"),
            ),
        ),
    )


def function_costs(workload: Workload, plan: FunctionPlan, prices: Prices) -> tuple[Cost, ...]:
    """The function and the Firehose stream it transforms, without the input."""
    rounded = math.ceil(Fraction(workload.record_bytes, FIREHOSE_UNIT_BYTES)) * FIREHOSE_UNIT_BYTES
    return (
        *invocation_costs(
            invocations(workload, plan), duration_ms(workload, plan), plan.memory_mb, prices
        ),
        Cost(
            "Firehose, each record as whole 5 KB",
            (
                _month_in_millions(workload.rate, "million records"),
                Factor(Fraction(rounded * MILLION, GIGABYTE), "GB a million"),
                Factor(prices.firehose_gb, "USD"),
            ),
        ),
    )
