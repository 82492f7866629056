"""`./build.sh size`: how large and how dear, on Managed Flink and as a Lambda.

Usage: ./build.sh size (--rate N | --per-day N | --examples) (--bench FILE | --micros US) [OPTIONS]

From records a second and what a record costs (measured: a result of ./build.sh bench, or given
in microseconds of CPU time) it works out KPUs, shards, Lambda's invocations and GB-seconds, USD
a month for both, and the rate at which both cost the same. Every number is shown with its
arithmetic. Prices are a dated table of us-east-1; --prices FILE replaces them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

from tools.shell import printable
from tools.size.examples import worked_examples
from tools.size.measured import Measured, read_bench
from tools.size.model import FunctionPlan, JobPlan, Workload
from tools.size.prices import US_EAST_1, Prices, read_prices
from tools.size.report import Case, Section, document_of, number, sections, text_of

_DAY_SECONDS = 86_400
# Means of the bundled log, and of what the job makes of it.
_RECORD_BYTES = 237
_OUTPUT_BYTES = 895


def run(options: argparse.Namespace) -> int:
    """Prints the tables.

    Raises:
        WebLogError: A file cannot be used.
    """
    prices = US_EAST_1 if options.prices is None else read_prices(options.prices)
    measured = _measured(options)
    case = _case(options, measured, prices)
    found = tuple(worked_examples(case) if options.examples else sections(case))
    if options.json:
        document = document_of(_assumptions(options, case, measured), found, prices)
        print(json.dumps(document, indent=2))
    else:
        _print(_assumptions(options, case, measured), found)
    return 0


def _measured(options: argparse.Namespace) -> Measured:
    if options.bench is not None:
        return read_bench(options.bench, options.figure)
    return Measured(options.micros, None, "as given", busy=False)


def _case(options: argparse.Namespace, measured: Measured, prices: Prices) -> Case:
    # A function does the core's work alone; without a figure for that, the job's is the bound.
    function_micros = options.lambda_micros or measured.core_micros or measured.job_micros
    rate = options.rate
    if rate is None:
        rate = Fraction(0) if options.per_day is None else options.per_day / _DAY_SECONDS
    return Case(
        Workload(rate, options.bytes, options.output_bytes, options.peak),
        JobPlan(
            measured.job_micros, options.load / 100, options.backup_gb, options.shards,
            options.side_streams,
        ),
        FunctionPlan(
            function_micros, options.memory, options.batch, overhead_ms=options.overhead_ms
        ),
        prices,
    )  # fmt: skip


def _assumptions(options: argparse.Namespace, case: Case, measured: Measured) -> list[str]:
    load, prices = case.workload, case.prices
    rate = "" if options.examples else f"{number(load.rate)} records/s, "
    sizes = f"{load.record_bytes} bytes in, {load.output_bytes} bytes out"
    function = f"{number(case.function.micros)} us of CPU a record"
    lines = [
        f"Load      {rate}{sizes}, peak {number(load.peak)} x the mean; a month is 30 days",
        f"Job       {number(case.job.micros)} us of CPU a record ({measured.source})",
        f"Lambda    {function} ({_function_source(options, measured)})",
        "Streams   of provisioned shards, which those of weblog.yaml are not by default",
        f"Prices    USD, {prices.region}, {prices.date}: verify before use",
        f"          from {prices.source}",
    ]
    if measured.busy:
        lines.append("warning   the benchmark ran on a busy machine")
    lines.append(
        "          A vCPU there is not a core here: measure on the service before you commit."
    )
    return lines


def _function_source(options: argparse.Namespace, measured: Measured) -> str:
    if options.lambda_micros is not None:
        return "as given"
    return "the job's" if measured.core_micros is None else "the core's, from the same file"


def _print(assumptions: Sequence[str], found: Sequence[Section]) -> None:
    for line in (*assumptions, *text_of(found)):
        print(printable(line))


# --- the command line ------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    what = parser.add_mutually_exclusive_group(required=True)
    above_0 = _numbers(above=0)
    what.add_argument("--rate", type=above_0, metavar="N", help="records a second, on average")
    what.add_argument("--per-day", type=above_0, metavar="N", help="the same as records a day")
    what.add_argument("--examples", action="store_true", help="three worked examples")
    cost = parser.add_mutually_exclusive_group(required=True)
    cost.add_argument("--bench", type=Path, metavar="FILE", help="a result in build/bench")
    cost.add_argument(
        "--micros", type=above_0, metavar="US", help="CPU time of a record in the job"
    )
    parser.add_argument(
        "--figure", metavar="NAME", help="the benchmark's figure (job.full.process)"
    )
    parser.add_argument(
        "--lambda-micros", type=above_0, metavar="US",
        help="CPU time of a record in the function (default: the core's, else the job's)",
    )  # fmt: skip
    _add_load(parser)
    parser.add_argument("--prices", type=Path, metavar="FILE", help="JSON with other prices")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_load(parser: argparse.ArgumentParser) -> None:
    def add(flag: str, kind: Callable[[str], object], default: object, text: str) -> None:
        shown = text if default is None else f"{text} (default: {default})"
        parser.add_argument(flag, type=kind, default=default, metavar="N", help=shown)

    whole = _whole
    add("--bytes", whole, _RECORD_BYTES, "bytes of a record")
    add("--output-bytes", whole, _OUTPUT_BYTES, "bytes of an enriched record")
    add("--peak", _numbers(least=1), Fraction(1), "highest rate over the mean")
    add("--load", _numbers(above=0, most=100), Fraction(60), "percent of the vCPUs used at peak")
    add("--shards", whole, None, "shards of the input (default: as many as it takes)")
    add("--side-streams", _numbers_whole(0), 4, "output streams of one shard beside enriched")
    add("--backup-gb", _numbers(least=0), Fraction(0), "snapshots kept, in GB")
    add("--memory", _numbers_whole(128, 10_240), 512, "MB of the function")
    add("--batch", whole, None, "records of a full batch (default: what fits 0.5 MB)")
    add("--overhead-ms", _numbers(least=0), Fraction(5), "what an invocation takes besides")


def _numbers(
    *, above: int | None = None, least: int | None = None, most: int | None = None
) -> Callable[[str], Fraction]:
    """Reads a number within bounds, exactly."""

    def read(text: str) -> Fraction:
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        wrong = (
            not value.is_finite()
            or (above is not None and value <= above)
            or (least is not None and value < least)
            or value > (10**12 if most is None else most)
        )
        if wrong:
            bound = f"above {above}" if above is not None else f"from {least}"
            limit = "" if most is None else f" to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {bound}{limit}")
        return Fraction(value)

    return read


def _numbers_whole(least: int, most: int = 10**9) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return int(text)

    return read


_whole = _numbers_whole(1)
