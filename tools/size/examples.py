"""Worked examples: three questions that are often asked, answered with all arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from tools.size import model
from tools.size.report import Case, Row, Section, bill, number, sections

_DAY_SECONDS = 86_400


def worked_examples(case: Case) -> Iterator[Section]:
    """The examples, with the measured figures and prices of a case; its rate is not used."""
    yield _invocations(case)
    yield from _a_rate(case)
    yield _a_batch(case)


def _invocations(case: Case) -> Section:
    a_day, milliseconds, memory = 1_000_000, 200, 512
    a_second = Fraction(a_day, _DAY_SECONDS)
    costs = model.invocation_costs(a_second, Fraction(milliseconds), memory, case.prices)
    busy = Row(
        "invocations at a time",
        f"{a_day:,} / {_DAY_SECONDS:,} s x {milliseconds} ms / 1,000",
        a_second * milliseconds / 1000,
        "",
    )
    return Section(
        f"Example 1: {a_day:,} invocations a day, {memory} MB, {milliseconds} ms",
        (busy, *bill(costs)),
    )


def _a_rate(case: Case) -> Iterator[Section]:
    there = replace(case, workload=replace(case.workload, rate=Fraction(500)))
    for section in sections(there):
        yield replace(section, title=f"Example 2: 500 records/s with GeoIP: {section.title}")


def _a_batch(case: Case) -> Section:
    records, seconds = 1000, 30
    plan = replace(case.function, batch_records=records)
    per_record = model.record_ms(plan)
    duration = plan.overhead_ms + records * per_record
    costs = model.invocation_costs(Fraction(1, seconds), duration, plan.memory_mb, case.prices)
    rows = (
        Row(
            "time allowed for a record",
            f"{seconds} s / {records:,} records",
            Fraction(seconds * 1000, records),
            "ms",
        ),
        Row(
            f"time needed at {plan.memory_mb} MB",
            f"{number(plan.overhead_ms)} ms + {records:,} x {number(per_record)} ms",
            duration,
            "ms",
        ),
        Row(
            "share of the time allowed",
            f"{number(duration)} ms / {seconds * 1000:,} ms x 100",
            duration / (seconds * 10),
            "%",
        ),
    )
    return Section(
        f"Example 3: {records:,} records in {seconds} s, one such batch after the other",
        (*rows, *bill(costs)),
    )
