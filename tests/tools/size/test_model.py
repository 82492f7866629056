"""The numbers against a calculation by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.size.model import (
    COSTS,
    FUNCTION,
    LARGEST_RATE,
    Case,
    bill,
    break_even,
    month_usd,
    quantities,
)
from tools.size.prices import US_EAST_1
from tools.size.stack import counts

CASE = Case(500, 237, 895, job_micros=120, function_micros=23)

rates = st.floats(0, 50_000)
cases = st.builds(
    Case,
    rates,
    record_bytes=st.integers(1, 60_000),
    output_bytes=st.integers(1, 60_000),
    job_micros=st.floats(1, 2000),
    function_micros=st.floats(1, 2000),
    stream_mode=st.sampled_from(["PROVISIONED", "ON_DEMAND"]),
    peak=st.floats(1, 20),
    load=st.floats(0.1, 1),
    memory_mb=st.integers(128, 10_240),
)


def costs(case: Case, *parts: str) -> Any:
    """Returns costs by name, for a comparison of floats."""
    return pytest.approx({name: usd for name, _, usd in bill(quantities(case), *parts)}, rel=1e-12)


def value(name: str, **changes: Any) -> float:
    number: float = quantities(replace(CASE, **changes))[name]
    return number


def difference(case: Case, rate: float) -> float:
    there = replace(case, rate=rate)
    return month_usd(there, "job") - month_usd(there, *FUNCTION)


def test_every_cost_has_its_quantities_and_ends_with_a_price() -> None:
    everything = replace(CASE, backup_gb=1)
    on_demand = replace(everything, stream_mode="ON_DEMAND")
    delivered = replace(everything, counts={**counts(), "enriched_deliveries": 1})
    cases = everything, on_demand, delivered
    shown = [bill(quantities(case), "job", *FUNCTION) for case in cases]
    assert {name for one in shown for name, _, _ in one} == {name for _, name, _ in COSTS}
    prices = {f"{{{name}}} USD" for name in US_EAST_1.__dataclass_fields__}
    assert {product.split(" x ")[-1] for _, _, product in COSTS} == prices - {
        "{region} USD", "{date} USD", "{source} USD",
    }  # fmt: skip


def test_the_price_example_of_the_service() -> None:
    # The published example has 20 KPUs and 1 GB of backups: 21 x 720 h, 20 x 50 GB, 0.023.
    case = replace(CASE, job_micros=40_000, load=1, backup_gb=1)
    assert quantities(case)["kpus"] == 20
    billed = {name: usd for name, _, usd in bill(quantities(case), "job")}
    assert billed["KPUs, with one for orchestration"] == pytest.approx(1663.20)
    assert billed["running application storage"] == pytest.approx(100.00)
    assert billed["durable backups"] == pytest.approx(0.023)


REST_OF_THE_JOB = {
    "KPUs, with one for orchestration": 158.40,
    "running application storage": 5.00,
    # 1 % of 1,296 million
    "pipe of dead letters": 12.96 * 0.40,
    "queue: send, receive, delete": 12.96 * 3 * 0.40,
    "log": 2 * 0.50,
    "alarms": 3.00,  # 30 metrics
    "dashboard": 3.00,
}


def test_the_job_at_500_records_a_second() -> None:
    case = replace(CASE, dead_percent=1, job_log_gb=2)
    assert costs(case, "job") == REST_OF_THE_JOB | {
        "streams": 64.80,  # 6 x 720 x 0.015
        "puts into the input": 18.144,  # 1,296 x 0.014
        "puts into enriched": 18.144,
    }


def test_streams_on_demand() -> None:
    case = replace(CASE, dead_percent=1, job_log_gb=2, stream_mode="ON_DEMAND", output_bytes=1025)
    gb = 1_296_000_000 / 2**30
    assert costs(case, "job") == REST_OF_THE_JOB | {
        "streams on demand": 172.80,  # 6 x 720 x 0.04
        "into the input, each as whole KB": gb * 1024 * 0.08,
        "out of the input": gb * 237 * 0.04,
        "into enriched, each as whole KB": gb * 2048 * 0.08,
    }


@pytest.mark.parametrize(
    ("packed_kib", "lines", "billed"),
    # One line of 895 bytes and its line break, five lines, and a whole batch of Python's lines.
    [(0, 1, 5120), (5, 5, 5120), (1000, 1000, 175 * 5120)],
)
def test_enriched_records_through_firehose(packed_kib: int, lines: int, billed: int) -> None:
    to_firehose = {"enriched_streams": 0, "enriched_deliveries": 1}
    held = {**counts(), **to_firehose, "packed_bytes": packed_kib * 1024}
    gb = 1_296_000_000 / 2**30
    for mode in ("PROVISIONED", "ON_DEMAND"):
        case = replace(CASE, counts=held, stream_mode=mode)
        costs = {name: usd for name, _, usd in bill(quantities(case), "job")}
        assert costs["enriched through Firehose, in whole 5 KB"] == pytest.approx(
            gb / lines * billed * 0.029
        )
        assert not [name for name in costs if "into enriched" in name]


def test_the_function_at_500_records_a_second() -> None:
    case = replace(
        CASE, batch_records=1000, memory_mb=1769, overhead_ms=7, dead_percent=1, gzip_ratio=5,
        counts={**counts(), "log_bytes": 2048},
    )  # fmt: skip
    # 7 ms + 1000 x 0.023 ms, one whole vCPU
    assert quantities(case)["duration_ms"] == pytest.approx(30)
    gb = 1_296_000_000 / 2**30
    assert costs(case, *FUNCTION) == {
        "requests": 0.2592,  # 0.5 invocations/s: 1,296,000 a month
        "GB-seconds": 1_296_000 * 0.03 * 1769 / 1024 * 0.0000166667,
        "Firehose, each record as whole 5 KB": gb * 5120 * 0.029,  # of 6,179.8096 GB
        "S3, a month of enriched records": gb * 895 / 5 * 0.023,
        "S3, puts": gb * 895 * 1024 / 64 / 1000 * 0.005,  # an object of 64 MB
        "queue: send, receive, delete": 12.96 * 3 * 0.40,
        "log": 1_296_000 * 2 / 1024**2 * 0.50,
        "metrics of its own": 12 * 0.30,
        "alarms": 12 * 0.10,
        "dashboard": 3.00,
    }


def test_a_slow_stream_writes_an_object_every_five_minutes() -> None:
    assert value("objects", rate=1) == pytest.approx(8.640)  # thousand
    assert value("objects", rate=1 / 3600) == pytest.approx(0.720)  # one a record


def test_what_costs_without_a_record() -> None:
    idle = replace(CASE, rate=0)
    # 158.40 + 5.00 + 64.80 + 0.50 + 3.00 + 3.00
    assert month_usd(idle, "job") == pytest.approx(234.70)
    assert month_usd(replace(idle, stream_mode="ON_DEMAND"), "job") == pytest.approx(342.70)
    assert month_usd(idle, *FUNCTION) == pytest.approx(4.20)  # alarms and dashboard


@pytest.mark.parametrize(("memory", "share"), [(1769, 1), (10_240, 1), (512, 512 / 1769)], ids=str)
def test_less_memory_is_less_of_a_processor(memory: int, share: float) -> None:
    assert value("record_ms", memory_mb=memory) == pytest.approx(0.023 / share)


@pytest.mark.parametrize(("rate", "expected"), [(0.001, 1), (0.5, 30), (36, 2160), (100_000, 2212)])
def test_a_batch_is_sent_when_full_or_when_its_time_is_over(rate: float, expected: int) -> None:
    assert int(value("batch", rate=rate)) == expected  # 60 s; 524,288 / 237 bytes


@pytest.mark.parametrize(
    ("rate", "size", "expected"),
    [(1000, 237, 1), (1001, 237, 2), (1000, 10_485, 10), (1000, 10_486, 11)],
)
def test_shards_take_the_larger_records(rate: float, size: int, expected: int) -> None:
    assert value("needed_shards", rate=rate, record_bytes=size, output_bytes=1) == expected
    assert value("needed_shards", rate=rate, record_bytes=1, output_bytes=size) == expected


def test_no_subtask_without_a_shard() -> None:
    # 500 x 6 ms / 0.6 = 5 KPUs
    assert value("kpus", job_micros=6000) == value("shards", job_micros=6000) == 5
    assert value("shards", job_micros=6000, shards=2) == 2


@pytest.mark.parametrize(("load", "kpus"), [(n / 100, 100 / n) for n in (1, 2, 4, 5, 10, 20, 50)])
def test_the_last_bits_of_a_float_add_no_kpu(load: float, kpus: float) -> None:
    assert value("kpus", rate=3, peak=1000 / 3, job_micros=1000, load=load) == kpus


def test_the_peak_sizes_the_job() -> None:
    assert value("kpus", peak=25) == 3  # 500 x 25 x 0.12 ms / 0.6 = 2.5
    assert month_usd(replace(CASE, peak=25), *FUNCTION) == month_usd(CASE, *FUNCTION)


@given(cases, rates)
def test_more_records_never_cost_less(case: Case, more: float) -> None:
    higher = replace(case, rate=case.rate + more)
    for name in ("kpus", "shards"):
        assert quantities(case)[name] <= quantities(higher)[name]
    for bills in (("job",), FUNCTION):
        assert month_usd(case, *bills) <= month_usd(higher, *bills) * (1 + 1e-12)


@given(cases)
def test_the_kpus_do_the_work(case: Case) -> None:
    needed, kpus = case.rate * case.peak * case.job_micros / 1e6, quantities(case)["kpus"]
    assert needed <= kpus * case.load + 1e-6
    assert kpus == 1 or needed > (kpus - 1) * case.load


# The search for a high break-even takes many steps.
@settings(deadline=None, max_examples=30)
@given(cases)
def test_at_the_break_even_both_cost_the_same(case: Case) -> None:
    rate = break_even(case)
    if rate is not None:
        assert difference(case, rate) == pytest.approx(0, abs=1e-6)
        assert all(difference(case, rate * part / 20) > 0 for part in range(1, 20))


def test_the_break_even_of_the_example() -> None:
    # Up to 1,000 records/s both costs are linear.
    # Job: 234.70, and 0.072576 for a record/s (twice 2.592 million puts x 0.014).
    # Function: 7.80 for 12 + 12 metrics and a dashboard. A record/s, in batches of 1,000 on a whole
    # vCPU without overhead, costs 0.3649777: 2,592 requests are 0.0005184; the GB-seconds of 2.592
    # million x 0.023 ms x 1769/1024 GB are 0.0017165; 12.3596 GB of Firehose are 0.3584290; 2.1605
    # GB in S3, compressed to a twelfth, are 0.0041410, and 34.57 objects 0.0001728.
    case = replace(
        CASE, batch_records=1000, memory_mb=1769, overhead_ms=0, dead_percent=0,
        counts={**counts(), "log_bytes": 0},
    )  # fmt: skip
    rate = break_even(case)
    assert rate == pytest.approx((234.70 - 7.80) / (0.3649777 - 0.072576), rel=1e-6)


def test_the_break_even_is_the_lowest_of_several() -> None:
    case = replace(CASE, job_micros=1000)  # another KPU and shards every 600 records/s
    rate = break_even(case)
    assert rate == pytest.approx(1791.854, abs=1e-3)
    assert all(difference(case, at) > 0 for at in range(1, 1792))
    # After the next KPU Lambda is cheaper again, and after that the job.
    assert difference(case, 1801) > 0 > difference(case, 2399)


def test_no_break_even_where_lambda_stays_cheaper() -> None:
    free = replace(CASE, prices=replace(US_EAST_1, firehose_gb=0))
    assert break_even(free) is None
    assert difference(free, LARGEST_RATE) > 0
