"""The numbers, against ones worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.size import model
from tools.size.break_even import LARGEST_RATE, break_even
from tools.size.model import FunctionPlan, JobPlan, Workload, total
from tools.size.prices import US_EAST_1

WORKLOAD = Workload(Fraction(500), 237, 895)
JOB = JobPlan(Fraction(120))
FUNCTION = FunctionPlan(Fraction(23))

rates = st.fractions(min_value=0, max_value=50_000, max_denominator=1000)
micros = st.fractions(min_value=1, max_value=2000, max_denominator=10)
workloads = st.builds(
    Workload,
    rates,
    st.integers(1, 60_000),
    st.integers(1, 60_000),
    st.fractions(min_value=1, max_value=20, max_denominator=4),
)
jobs = st.builds(
    JobPlan, micros, st.fractions(min_value=Fraction(1, 10), max_value=1, max_denominator=100)
)
functions = st.builds(FunctionPlan, micros, st.integers(128, 10_240))


def usd(text: str) -> Fraction:
    return Fraction(Decimal(text))


def costs_by_name(costs: tuple[model.Cost, ...]) -> dict[str, Fraction]:
    return {one.name: one.usd for one in costs}


def test_a_million_invocations_a_day() -> None:
    a_second = Fraction(1_000_000, 86_400)
    costs = costs_by_name(model.invocation_costs(a_second, Fraction(200), 512, US_EAST_1))
    # 30 million requests; 30 million x 0.2 s x 0.5 GB = 3,000,000 GB-s.
    assert costs == {"requests": usd("6.00"), "GB-seconds": usd("50.0001")}


def test_the_job_at_500_records_a_second() -> None:
    assert model.kpus(WORKLOAD, JOB) == 1  # 500 x 120 us = 0.06 of a vCPU
    costs = costs_by_name(model.job_costs(WORKLOAD, JOB, US_EAST_1))
    assert costs == {
        "KPUs, with one for orchestration": usd("158.40"),  # 2 x 720 x 0.11
        "running application storage": usd("5.00"),  # 50 x 0.10
        "enriched stream": usd("10.80"),  # 720 x 0.015
        "enriched stream, puts": usd("18.144"),  # 1,296 million x 0.014
        "other streams": usd("43.20"),  # 4 x 720 x 0.015
    }
    assert total(model.job_costs(WORKLOAD, JOB, US_EAST_1)) == usd("235.544")


def test_the_price_example_of_the_service() -> None:
    # Its published example of 20 KPUs and 1 GB of backups: 21 x 720 h, 20 x 50 GB, 0.023.
    plan = JobPlan(Fraction(40_000), load=Fraction(1), backup_gb=Fraction(1))
    costs = costs_by_name(model.job_costs(WORKLOAD, plan, US_EAST_1))
    assert model.kpus(WORKLOAD, plan) == 20
    assert costs["KPUs, with one for orchestration"] == usd("1663.20")
    assert costs["running application storage"] == usd("100.00")
    assert costs["durable backups"] == usd("0.023")


def test_the_function_at_500_records_a_second() -> None:
    plan = replace(FUNCTION, batch_records=1000, memory_mb=1769, overhead_ms=Fraction(7))
    assert model.batch(WORKLOAD, plan) == 1000
    assert model.duration_ms(WORKLOAD, plan) == 30  # 7 ms + 1000 x 23 us, one whole vCPU
    costs = costs_by_name(model.function_costs(WORKLOAD, plan, US_EAST_1))
    # 0.5 invocations/s: 1,296,000 a month.
    assert costs["requests"] == usd("0.2592")
    assert costs["GB-seconds"] == 1_296_000 * usd("0.03") * Fraction(1769, 1024) * usd(
        "0.0000166667"
    )
    # 1,296 million x 5,120 bytes / 2^30 = 6,179.8096 GB.
    firehose = costs["Firehose, each record as whole 5 KB"]
    assert firehose == Fraction(1_296_000_000 * 5120, 2**30) * usd("0.029")
    assert round(firehose, 2) == usd("179.21")


def test_less_memory_is_less_of_a_processor() -> None:
    assert model.record_ms(replace(FUNCTION, memory_mb=1769)) == Fraction(23, 1000)
    assert model.record_ms(replace(FUNCTION, memory_mb=10_240)) == Fraction(23, 1000)
    assert model.record_ms(replace(FUNCTION, memory_mb=512)) == Fraction(23, 1000) * Fraction(
        1769, 512
    )


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("0.001", 1), ("0.5", 30), ("36", 2160), ("100000", 2212)],
)
def test_a_batch_is_sent_when_full_or_when_its_time_is_over(rate: str, expected: int) -> None:
    load = replace(WORKLOAD, rate=usd(rate))
    assert int(model.batch(load, FUNCTION)) == expected  # 60 s; 524,288 / 237 bytes


@pytest.mark.parametrize(
    ("rate", "size", "expected"),
    [("1000", 237, 1), ("1001", 237, 2), ("1000", 10_485, 10), ("1000", 10_486, 11)],
)
def test_shards(rate: str, size: int, expected: int) -> None:
    assert model.shards(replace(WORKLOAD, rate=usd(rate)), size) == expected


def test_no_subtask_without_a_shard() -> None:
    heavy = replace(JOB, micros=Fraction(6000))  # 500 x 6 ms / 0.6 = 5 KPUs
    assert model.kpus(WORKLOAD, heavy) == model.input_shards(WORKLOAD, heavy) == 5
    assert model.input_shards(WORKLOAD, replace(heavy, input_shards=2)) == 2


def test_the_peak_sizes_the_job() -> None:
    peaky = replace(WORKLOAD, peak=Fraction(25))
    assert model.kpus(peaky, JOB) == 3  # 500 x 25 x 120 us / 0.6 = 2.5
    assert model.function_costs(peaky, FUNCTION, US_EAST_1) == model.function_costs(
        WORKLOAD, FUNCTION, US_EAST_1
    )


@given(workloads, jobs, functions, rates)
def test_more_records_never_cost_less(
    load: Workload, job: JobPlan, function: FunctionPlan, more: Fraction
) -> None:
    higher = replace(load, rate=load.rate + more)
    assert model.kpus(load, job) <= model.kpus(higher, job)
    assert model.input_shards(load, job) <= model.input_shards(higher, job)
    assert total(model.job_costs(load, job, US_EAST_1)) <= total(
        model.job_costs(higher, job, US_EAST_1)
    )
    assert total(model.function_costs(load, function, US_EAST_1)) <= total(
        model.function_costs(higher, function, US_EAST_1)
    )


@given(workloads, jobs)
def test_the_kpus_do_the_work(load: Workload, job: JobPlan) -> None:
    needed = load.rate * load.peak * job.micros / 1_000_000
    assert needed <= model.kpus(load, job) * job.load
    assert model.kpus(load, job) == 1 or needed > (model.kpus(load, job) - 1) * job.load


# A break-even far out takes many looks.
@settings(deadline=None, max_examples=30)
@given(workloads, jobs, functions)
def test_at_the_break_even_both_cost_the_same(
    load: Workload, job: JobPlan, function: FunctionPlan
) -> None:
    rate = break_even(load, job, function, US_EAST_1)
    if rate is None:
        return
    assert rate > 0

    def difference(at: Fraction) -> Fraction:
        there = replace(load, rate=at)
        return total(model.job_costs(there, job, US_EAST_1)) - total(
            model.function_costs(there, function, US_EAST_1)
        )

    assert difference(rate) == 0
    for part in range(1, 20):
        assert difference(rate * Fraction(part, 20)) > 0


def test_the_break_even_of_the_example() -> None:
    # Up to 1,000 records/s both are straight lines. Job: 217.40 + 0.036288 for a record/s
    # (2.592 million puts x 0.014). Function, a batch of 1,000 on a whole vCPU, without overhead:
    # 2,592 requests are 0.0005184; 2.592 million x 23 us x 1769/1024 GB are 0.0017165 of
    # GB-seconds; 12.3596 GB of Firehose are 0.3584290. Together 0.3606639.
    plan = replace(FUNCTION, batch_records=1000, memory_mb=1769, overhead_ms=Fraction(0))
    rate = break_even(WORKLOAD, JOB, plan, US_EAST_1)
    assert float(rate or 0) == pytest.approx(217.40 / (0.3606639 - 0.036288), rel=1e-6)


def test_no_break_even_where_lambda_stays_cheaper() -> None:
    free = replace(US_EAST_1, firehose_gb=Fraction(0))
    assert break_even(WORKLOAD, JOB, FUNCTION, free) is None
    there = replace(WORKLOAD, rate=LARGEST_RATE)
    assert total(model.function_costs(there, FUNCTION, free)) < total(
        model.job_costs(there, JOB, free)
    )
