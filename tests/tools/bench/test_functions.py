"""The benchmark: that it runs and what it says, not how fast this machine is."""

from __future__ import annotations

from tests.support.core import DEMO_DATABASE
from tools.bench.lambda_functions import measure, table


def test_the_benchmark() -> None:
    result = measure(1, DEMO_DATABASE)

    figures = {name: one["median"] for name, one in result["figures"].items()}
    assert all(value > 0 for value in figures.values())
    # Far from any machine's noise: the caches pay, and the design's 30 s are no matter.
    assert figures["warm_us_per_record"] < figures["first_pass_us_per_record"]
    assert result["design_factor"] > 10
    printed = table(result)
    for one in result["figures"].values():
        assert one["text"] in printed
