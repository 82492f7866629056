"""The rate at which the job and the function cost the same."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from tools.size.model import (
    FunctionPlan,
    JobPlan,
    Workload,
    full_batch,
    function_costs,
    job_costs,
    records_per_kpu,
    records_per_shard,
    total,
)
from tools.size.prices import Prices

LARGEST_RATE = Fraction(1_000_000)
"""Where the search ends, in records a second."""
_MOST_LOOKS = 2000


def break_even(
    workload: Workload, job: JobPlan, function: FunctionPlan, prices: Prices
) -> Fraction | None:
    """The lowest rate at which both cost the same; below it the function is cheaper.

    The job's cost goes up in steps (a KPU, a shard) and in between in a straight line, the
    function's has no steps. So the function, which begins cheaper, can only catch up between
    two steps, and there both are straight lines: the answer is exact.

    Both never fall. So no rate of a stretch can be it if the function costs less at its end
    than the job at its start: the search goes on in wide strides, and looks closely only where
    the two come near.

    Args:
        workload: Its rate does not matter.
        job: How the job is to run.
        function: How the function is to run.
        prices: What things cost.

    Returns:
        Records a second; None when the function stays cheaper as far as was looked.
    """

    def job_usd(rate: Fraction) -> Fraction:
        return total(job_costs(replace(workload, rate=rate), job, prices))

    def function_usd(rate: Fraction) -> Fraction:
        return total(function_costs(replace(workload, rate=rate), function, prices))

    low, stride = Fraction(0), LARGEST_RATE
    for _ in range(_MOST_LOOKS):
        if low >= LARGEST_RATE:
            break
        # From just above `low` to `bend`, and there included, all is straight.
        bend = _next_bend(low, workload, job, function)
        middle = (low + bend) / 2
        at_middle, at_bend = job_usd(middle), job_usd(bend)
        at_low = 2 * at_middle - at_bend
        while low + stride > bend and function_usd(low + stride) >= at_low:
            stride /= 2
        if low + stride > bend:
            low, stride = low + stride, 2 * stride
            continue
        lead = at_bend - function_usd(bend)
        if lead <= 0:
            slope = (lead - (at_middle - function_usd(middle))) / (bend - middle)
            return bend - lead / slope if slope else bend
        low, stride = bend, 2 * max(stride, bend - low)
    return None


def _next_bend(
    rate: Fraction, workload: Workload, job: JobPlan, function: FunctionPlan
) -> Fraction:
    """The next rate above at which a cost makes a step or changes its slope."""
    steps = (records_per_kpu(workload, job), records_per_shard(workload, workload.output_bytes))
    single = Fraction(1, function.batch_seconds)
    kinks = (single, full_batch(workload, function) * single)
    return min(
        *((math.floor(rate / step) + 1) * step for step in steps),
        *(kink for kink in kinks if kink > rate),
    )
