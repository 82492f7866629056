"""The result as sections of rows, each with its arithmetic; text and JSON are made of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tools.size import model
from tools.size.break_even import break_even
from tools.size.model import Cost, FunctionPlan, JobPlan, Workload
from tools.size.prices import Prices, as_document

_NAME_WIDTH = 36
_TEXT_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Row:
    """One number: what it is, how it comes about, and its unit."""

    name: str
    arithmetic: str
    value: Fraction
    unit: str


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title, and sentences about them."""

    title: str
    rows: tuple[Row, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One question to answer.

    Attributes:
        workload: What comes in.
        job: How the job is to run.
        function: How the function is to run.
        prices: What things cost.
    """

    workload: Workload
    job: JobPlan
    function: FunctionPlan
    prices: Prices


def sections(case: Case) -> tuple[Section, ...]:
    """The whole answer to one case."""
    return (input_section(case), job_section(case), function_section(case), verdict(case))


def input_section(case: Case) -> Section:
    """The stream that both read."""
    load, job = case.workload, case.job
    if job.input_shards is None:
        arithmetic = (
            f"the largest of {number(load.rate)} / "
            f"{number(model.records_per_shard(load, load.record_bytes))} records/s a shard "
            f"and {model.kpus(load, job)} subtasks, rounded up"
        )
    else:
        arithmetic = "as given"
    shards = Row("input shards", arithmetic, Fraction(model.input_shards(load, job)), "shards")
    costs = model.input_costs(load, job, case.prices)
    return Section("Input (the same for both)", (shards, *bill(costs)), tuple(_shortage(case)))


def _shortage(case: Case) -> Iterator[str]:
    load, given = case.workload, case.job.input_shards
    if given is None:
        return
    needed = model.shards(load, load.record_bytes)
    if given < needed:
        yield f"Fewer shards than the {needed} that take the peak: producers are throttled."
    if given < model.kpus(load, case.job):
        yield "Fewer shards than KPUs: subtasks without a shard have nothing to do."


def job_section(case: Case) -> Section:
    """The job on Managed Flink."""
    load, job = case.workload, case.job
    kpus = Row(
        "KPUs",
        f"{number(load.rate)} records/s x {number(load.peak)} peak x {number(job.micros)} us "
        f"/ 1,000,000 / {number(job.load)} load, rounded up",
        Fraction(model.kpus(load, job)),
        "KPUs",
    )
    costs = model.job_costs(load, job, case.prices)
    return Section("Managed Service for Apache Flink", (kpus, *bill(costs)))


def function_section(case: Case) -> Section:
    """The function behind Firehose."""
    load, plan = case.workload, case.function
    full = model.full_batch(load, plan)
    batch = model.batch(load, plan)
    duration = model.duration_ms(load, plan)
    rows = (
        Row(
            "records of an invocation",
            f"a full batch holds {number(full)}; {plan.batch_seconds} s bring "
            f"{number(load.rate * plan.batch_seconds)}",
            batch,
            "records",
        ),
        Row(
            "milliseconds of a record",
            f"{number(plan.micros)} us / 1,000 / "
            f"min(1, {plan.memory_mb} / {model.MEGABYTES_PER_VCPU:,} MB)",
            model.record_ms(plan),
            "ms",
        ),
        Row(
            "duration of an invocation",
            f"{number(plan.overhead_ms)} ms + {number(batch)} x {number(model.record_ms(plan))} ms",
            duration,
            "ms",
        ),
        Row(
            "invocations at a time",
            f"{number(load.rate)} records/s x {number(load.peak)} peak / {number(batch)} "
            f"x {number(duration)} ms / 1,000",
            load.rate * load.peak / batch * duration / 1000,
            "",
        ),
    )
    costs = model.function_costs(load, plan, case.prices)
    return Section(f"Lambda, {plan.memory_mb} MB, behind Firehose", (*rows, *bill(costs)))


def verdict(case: Case) -> Section:
    """Which is cheaper here, from which rate on, and why."""
    load = case.workload
    job = model.total(model.job_costs(load, case.job, case.prices))
    function = model.total(model.function_costs(load, case.function, case.prices))
    rate = break_even(load, case.job, case.function, case.prices)
    difference = Row(
        "Managed Flink minus Lambda", f"{usd(job)} - {usd(function)}", job - function, "USD"
    )
    rows = [difference]
    if rate is not None:
        rows.append(Row("break-even", "both cost the same at", rate, "records/s"))
    return Section("Which is cheaper", tuple(rows), tuple(_reasons(case, rate, job, function)))


def _reasons(case: Case, rate: Fraction | None, job: Fraction, function: Fraction) -> Iterator[str]:
    cheaper = "Lambda" if function < job else "Managed Flink"
    yield f"At {number(case.workload.rate)} records/s {cheaper} is cheaper."
    idle = model.total(
        model.job_costs(
            Workload(Fraction(0), case.workload.record_bytes, case.workload.output_bytes),
            case.job,
            case.prices,
        )
    )
    yield (
        f"Below the break-even Lambda is cheaper: the job costs {usd(idle)} USD a month even "
        "without a record, Lambda nothing."
    )
    if rate is None:
        yield "No break-even was found: here Lambda stays cheaper as the rate grows."
    else:
        yield (
            "Above it the job is cheaper: Lambda and Firehose are paid by the record. Just "
            "after the job's next KPU or shard Lambda can be cheaper again for a while."
        )
    firehose = model.function_costs(case.workload, case.function, case.prices)[-1].usd
    if function and 2 * firehose > function:
        yield (
            f"{number(100 * firehose / function, places=1)} % of Lambda's sum is Firehose, which "
            "bills each record as whole 5 KB: several lines in one record move the break-even up."
        )
    yield (
        "The job is sized for the peak all month, Lambda follows the traffic: the higher the "
        "peak over the mean, the higher the break-even."
    )
    yield (
        "Lambda makes enriched records and dead letters alone. Windows, sessions and alerts "
        "need the job whatever it costs."
    )
    yield "Not counted: S3, SQS, logs, alarms, data transfer, free and volume tiers."


def bill(costs: Iterable[Cost]) -> tuple[Row, ...]:
    """The rows of a bill, with their sum at the end."""
    lines = tuple(Row(one.name, _product(one), one.usd, "USD") for one in costs)
    whole = sum((one.value for one in lines), start=Fraction(0))
    return (*lines, Row("total a month", " + ".join(usd(one.value) for one in lines), whole, "USD"))


def _product(cost: Cost) -> str:
    return " x ".join(f"{number(one.value)} {one.unit}" for one in cost.factors)


# --- as text and as JSON ---------------------------------------------------------------------


def text_of(found: Iterable[Section]) -> Iterator[str]:
    """Lines for a person."""
    for section in found:
        yield ""
        yield section.title
        for row in section.rows:
            value = usd(row.value) if row.unit == "USD" else number(row.value)
            yield f"  {row.name:<{_NAME_WIDTH}}{value:>12} {row.unit}".rstrip()
            yield f"      {row.arithmetic}"
        for words in section.words:
            yield from textwrap.wrap(
                words,
                _TEXT_WIDTH,
                initial_indent="  - ",
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def document_of(
    assumptions: Iterable[str], found: Iterable[Section], prices: Prices
) -> Mapping[str, object]:
    """The same for a program."""
    return {
        "assumptions": [line.strip() for line in assumptions],
        "prices": as_document(prices),
        "sections": [
            {
                "title": section.title,
                "rows": [
                    {
                        "name": row.name,
                        "value": float(row.value),
                        "unit": row.unit,
                        "arithmetic": row.arithmetic,
                    }
                    for row in section.rows
                ],
                "notes": list(section.words),
            }
            for section in found
        ],
    }


def number(value: Fraction, places: int = 4) -> str:
    """A number as people write it; exact where ten decimals are enough, else rounded."""
    exact = round(value, 10)
    shown = exact if exact == value else round(value, places)
    text = f"{float(shown):,.10f}" if shown.denominator != 1 else f"{int(shown):,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(value: Fraction) -> str:
    """USD with cents."""
    return f"{float(round(value, 2)):,.2f}"
