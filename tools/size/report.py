"""The answer as sections of rows, each with its arithmetic; text and JSON are made of them."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from tools.size.model import FUNCTION, Case, bill, break_even, factors, month_usd, quantities

# Of each row the name, the value among `quantities`, the unit and the arithmetic.
_KPUS = (
    ("KPUs", "kpus", "KPUs",
     "{rate} records/s x {peak} peak x {job_micros} us / 1,000,000 / {load} load, rounded up"),
)  # fmt: skip
_SHARDS = "shards of each stream", "shards", "shards"
_AS_MANY_AS_IT_TAKES = (
    "the largest of {rate} / {of_a_shard} records/s a shard and {kpus} subtasks, rounded up"
)
_INVOCATIONS = (
    ("records of an invocation", "batch", "records",
     "a full batch holds {full_batch}; 60 s bring {collected}"),
    ("milliseconds of a record", "record_ms", "ms",
     "{function_micros} us / 1,000 / min(1, {memory_mb} / 1,769 MB)"),
    ("duration of an invocation", "duration_ms", "ms",
     "{overhead_ms} ms + {batch} x {record_ms} ms"),
    ("invocations at a time", "at_a_time", "",
     "{rate} records/s x {peak} peak / {batch} x {duration_ms} ms / 1,000"),
)  # fmt: skip
_A_MILLION_A_DAY = (
    ("invocations at a time", "at_a_time", "", "1,000,000 / 86,400 s x 200 ms / 1,000"),
)
_A_BATCH = (
    ("time allowed for a record", "allowed_ms", "ms", "30 s / 1,000 records"),
    ("time needed at {memory_mb} MB", "duration_ms", "ms",
     "{overhead_ms} ms + 1,000 x {record_ms} ms"),
    ("share of the time allowed", "share", "%", "{duration_ms} ms / 30,000 ms x 100"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One number: its name, its value, and how it comes about."""

    name: str
    value: float
    unit: str
    arithmetic: str


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title, and sentences about them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def sections(case: Case) -> tuple[Section, ...]:
    """Returns the whole answer to one case."""
    values = quantities(case)
    shards = _AS_MANY_AS_IT_TAKES if case.shards is None else "as given"
    job = (*_KPUS, (*_SHARDS, shards)) if values["provisioned"] else _KPUS
    title = f"Lambda, {case.memory_mb} MB, behind Firehose"
    shortage = tuple(_shortage(values)) if values["provisioned"] else ()
    return (
        Section("Managed Service for Apache Flink", _rows(values, job, "job"), shortage),
        Section(title, _rows(values, _INVOCATIONS, *FUNCTION)),
        Section("Without a record", _idle(replace(case, rate=0))),
        _verdict(case),
    )


def outputs_section(case: Case, output_micros: Mapping[str, float]) -> Section:
    """Returns how much of a KPU each output takes, the dearest first.

    Args:
        case: The question.
        output_micros: Microseconds of CPU a record costs less without an output, by its name.
    """
    load = f"{number(case.load)} load"
    dearest = sorted(output_micros.items(), key=lambda item: -item[1])
    rows = (
        Row(
            name,
            case.rate * case.peak * micros / 1_000_000 / case.load,
            "KPUs",
            f"{number(case.rate)} records/s x {number(case.peak)} peak x {number(micros)} us "
            f"/ 1,000,000 / {load}",
        )
        for name, micros in dearest
    )
    shared = "Outputs share windows, so two switched off can save more than the sum of both."
    return Section("What an output takes: saved without it", tuple(rows), (shared,))


def _idle(case: Case) -> tuple[Row, ...]:
    """Returns what the stacks cost when nothing comes in, each as one sum of products."""
    values = quantities(case)

    def row(name: str, *parts: str) -> Row:
        costs = bill(values, *parts)
        products = (
            " x ".join(number(values[factor]) for factor in factors(cost)) for _, cost, _ in costs
        )
        return Row(name, math.fsum(usd for _, _, usd in costs), "USD", " + ".join(products))

    return row("Managed Flink, idle", "job"), row("Lambda, idle", *FUNCTION)


def worked_examples(case: Case) -> tuple[Section, ...]:
    """Returns three questions that are often asked, with the figures and prices of a case."""
    invocations = replace(
        case, rate=1_000_000 / 86_400, peak=1, batch_records=1,
        function_micros=0, overhead_ms=200, memory_mb=512,
    )  # fmt: skip
    first = _rows(quantities(invocations), _A_MILLION_A_DAY, "lambda")
    name = "Example 2: 500 records/s with GeoIP"
    second = sections(replace(case, rate=500))
    values = quantities(replace(case, rate=1000 / 30, batch_records=1000))
    values |= {"allowed_ms": 30, "share": values["duration_ms"] / 300}
    third = _rows(values, _A_BATCH, "lambda")
    return (
        Section("Example 1: 1,000,000 invocations a day, 512 MB, 200 ms", first),
        *(replace(section, title=f"{name}: {section.title}") for section in second),
        Section("Example 3: 1,000 records in 30 s, one such batch after the other", third),
    )


def _rows(
    values: Mapping[str, Any], formulas: Iterable[tuple[str, str, str, str]], *parts: str
) -> tuple[Row, ...]:
    """Returns rows of formulas, and of bills with their sum."""

    def shown(text: str) -> str:
        return re.sub(r"{(\w+)}", lambda name: number(values[name[1]]), text)

    rows = [Row(shown(name), values[key], unit, shown(text)) for name, key, unit, text in formulas]
    costs = [Row(name, usd, "USD", shown(product)) for name, product, usd in bill(values, *parts)]
    summands = " + ".join(cents(cost.value) for cost in costs)
    whole = math.fsum(cost.value for cost in costs)
    return (*rows, *costs, Row("total a month", whole, "USD", summands))


def _shortage(values: Mapping[str, Any]) -> Iterator[str]:
    shards, needed = values["shards"], values["needed_shards"]
    if shards < needed:
        yield f"Fewer shards than the {needed} that take the peak: writers are throttled."
    if shards < values["kpus"]:
        yield "Fewer shards than KPUs: subtasks without a shard have nothing to do."


def _verdict(case: Case) -> Section:
    job, function, rate = month_usd(case, "job"), month_usd(case, *FUNCTION), break_even(case)
    difference = f"{cents(job)} - {cents(function)}"
    rows = [Row("Managed Flink minus Lambda", job - function, "USD", difference)]
    if rate is not None:
        rows.append(Row("break-even", rate, "records/s", "both cost the same at"))
    return Section("Which is cheaper", tuple(rows), tuple(_reasons(case, rate, job, function)))


def _reasons(case: Case, rate: float | None, job: float, function: float) -> Iterator[str]:
    cheaper = "Lambda" if function < job else "Managed Flink"
    yield f"At {number(case.rate)} records/s {cheaper} is cheaper."
    yield (
        "Below the break-even Lambda is cheaper: KPUs and streams cost the same without a record, "
        "Lambda and Firehose nothing."
    )
    if rate is None:
        yield "No break-even was found: here Lambda stays cheaper as the rate grows."
    else:
        yield (
            "Above it the job is cheaper: Lambda and Firehose are paid by the record. Just "
            "after the job's next KPU or shard Lambda can be cheaper again for a while."
        )
    firehose = month_usd(case, "firehose")
    if 2 * firehose > function:
        yield (
            f"{number(round(100 * firehose / function, 1))} % of Lambda's sum is Firehose, which "
            "bills each record as whole 5 KB: several lines in one record move the break-even up."
        )
    yield (
        "The job is sized for the peak all month, Lambda follows the traffic: the higher the "
        "peak over the mean, the higher the break-even."
    )
    yield (
        "Lambda makes only enriched records and dead letters. Windows, sessions and alerts "
        "need the job whatever it costs."
    )
    yield (
        "Not counted: what goes into the other streams (aggregates, alerts, late, dead letters), "
        "who reads enriched, keys of your own, data transfer, free and volume tiers."
    )


def text_of(answer: Iterable[Section]) -> Iterator[str]:
    """Yields the lines for a person."""
    wrapper = textwrap.TextWrapper(
        96, "  - ", "    ", break_long_words=False, break_on_hyphens=False
    )
    for section in answer:
        yield ""
        yield section.title
        for row in section.rows:
            value = cents(row.value) if row.unit == "USD" else number(row.value)
            yield f"  {row.name:<36}{value:>12} {row.unit}".rstrip()
            yield f"      {row.arithmetic}"
        for note in section.notes:
            yield from wrapper.wrap(note)


def document_of(answer: Iterable[Section]) -> list[dict[str, object]]:
    """Returns the same for a program."""
    # Ten decimals: the last bits of a float mean nothing.
    return [
        asdict(section)
        | {"rows": [asdict(row) | {"value": round(row.value, 10)} for row in section.rows]}
        for section in answer
    ]


def number(value: float) -> str:
    """Returns a number as people write it: whole up to 15 digits, else with four decimals."""
    shown = Decimal(f"{value:.15g}")
    if float(shown) != value or round(shown, 10) != shown:
        shown = round(Decimal(value), 4)
    text = f"{shown:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cents(value: float) -> str:
    """Returns USD with cents."""
    return f"{value:,.2f}"
