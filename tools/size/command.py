"""`./build.sh size`: how large and how dear, on Managed Flink and as a Lambda.

Usage: ./build.sh size (--rate N | --per-day N | --examples) (--bench FILE | --micros US) [OPTIONS]

The command takes records a second and the CPU time of a record, from a result of ./build.sh bench
or in microseconds. It works out KPUs, shards, Lambda's invocations and GB-seconds, the USD a month
of both stacks as deploy makes them, with and without a record, and the rate at which both cost the
same. It shows the arithmetic of every number. Prices are a dated table of us-east-1; --prices FILE
replaces them.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tools.shell import printable
from tools.size.measured import MeasuredCost, read_bench
from tools.size.model import Case
from tools.size.prices import US_EAST_1, Prices, read_prices
from tools.size.report import (
    document_of,
    number,
    outputs_section,
    sections,
    text_of,
    worked_examples,
)
from tools.size.stack import DEFAULT_CONFIG, counts

_DAY_SECONDS = 86_400


def run(options: argparse.Namespace) -> int:
    """Prints the answer.

    Raises:
        WebLogError: A file cannot be used.
    """
    prices = US_EAST_1 if options.prices is None else read_prices(options.prices)
    measured = _measured(options)
    case = _case(options, measured, prices)
    assumptions = _assumptions(options, case, measured)
    answer = worked_examples(case) if options.examples else sections(case)
    if measured.output_micros and not options.examples:
        answer = (*answer, outputs_section(case, measured.output_micros))
    if options.json:
        document = {
            "assumptions": [line.strip() for line in assumptions],
            "prices": asdict(prices),
            "sections": document_of(answer),
        }
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(map(printable, (*assumptions, *text_of(answer)))))
    return 0


def _measured(options: argparse.Namespace) -> MeasuredCost:
    if options.bench is not None:
        return read_bench(options.bench, options.figure)
    return MeasuredCost(options.micros, None, "as given", busy=False)


def _case(options: argparse.Namespace, measured: MeasuredCost, prices: Prices) -> Case:
    rate = options.rate or (options.per_day or 0) / _DAY_SECONDS
    return Case(
        rate=rate,
        record_bytes=options.bytes,
        output_bytes=options.output_bytes,
        job_micros=measured.job_micros,
        # A function does only the core's work; without a figure for that, the job's is the bound.
        function_micros=options.lambda_micros or measured.core_micros or measured.job_micros,
        peak=options.peak,
        load=options.load / 100,
        stream_mode=options.stream_mode,
        shards=options.shards,
        backup_gb=options.backup_gb,
        dead_percent=options.dead_percent,
        job_log_gb=options.log_gb,
        gzip_ratio=options.gzip,
        memory_mb=options.memory,
        batch_records=options.batch,
        overhead_ms=options.overhead_ms,
        prices=prices,
        counts=counts(options.config),
    )


def _assumptions(options: argparse.Namespace, case: Case, measured: MeasuredCost) -> list[str]:
    prices = case.prices
    rate = "" if options.examples else f"{number(case.rate)} records/s, "
    sizes = f"{case.record_bytes} bytes in, {case.output_bytes} bytes out"
    function = f"{number(case.function_micros)} us of CPU a record"
    streams = f"{case.counts['streams']} streams, {case.stream_mode}"
    busy = ["warning   the benchmark ran on a busy machine"] if measured.busy else []
    return [
        f"Load      {rate}{sizes}, peak {number(case.peak)} x the mean; a month is 30 days",
        f"Job       {number(case.job_micros)} us of CPU a record ({measured.source})",
        f"Lambda    {function} ({_function_source(options, measured)})",
        f"Stacks    as deploy makes them of {options.config.name}: {streams}",
        f"Prices    USD, {prices.region}, {prices.date}: verify before use",
        f"          from {prices.source}",
        *busy,
        "          A vCPU there is not a core here: measure on the service before you commit.",
    ]


def _function_source(options: argparse.Namespace, measured: MeasuredCost) -> str:
    if options.lambda_micros is not None:
        return "as given"
    return "the job's" if measured.core_micros is None else "the core's, from the same file"


# --- the command line ------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    above_0 = _number(above=0)
    load = parser.add_mutually_exclusive_group(required=True)
    load.add_argument("--rate", type=above_0, metavar="N", help="records a second, on average")
    load.add_argument("--per-day", type=above_0, metavar="N", help="the same as records a day")
    load.add_argument("--examples", action="store_true", help="three worked examples")
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
    for flag, kind, default, text in _LOAD:
        shown = text if default is None else f"{text} (default: {default})"
        parser.add_argument(flag, type=kind, default=default, metavar="N", help=shown)
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE",
        help="property file of the job, for its streams (default: that of deploy)",
    )  # fmt: skip
    parser.add_argument(
        "--stream-mode", choices=("PROVISIONED", "ON_DEMAND"), default="PROVISIONED",
        help="how the streams are billed (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--prices", type=Path, metavar="FILE", help="JSON with other prices")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _number(
    least: int = 0, most: int | None = None, *, above: int | None = None, whole: bool = False
) -> Callable[[str], float]:
    """Returns a reader of numbers within bounds."""
    bound = f"above {above}" if above is not None else f"from {least}"
    limit = "" if most is None else f" to {most}"

    def read(text: str) -> float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= (most or 10**12) or value == above:
            kind = "a whole number" if whole else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind} {bound}{limit}")
        return value

    return read


_WHOLE = _number(1, whole=True)
_LOAD = (
    ("--bytes", _WHOLE, 237, "bytes of a record"),
    ("--output-bytes", _WHOLE, 1036, "bytes of an enriched record"),
    ("--peak", _number(1), 1, "highest rate over the mean"),
    ("--load", _number(most=100, above=0), 60, "percent of the vCPUs used at peak"),
    ("--shards", _WHOLE, None, "shards of each stream (default: as many as it takes)"),
    ("--backup-gb", _number(), 0, "snapshots kept, in GB"),
    ("--dead-percent", _number(most=100), 0.01, "percent of the records that are dead letters"),
    ("--log-gb", _number(), 1, "GB a month that the job logs"),
    ("--gzip", _number(1), 12, "enriched records over the same compressed"),
    ("--memory", _number(128, 10_240, whole=True), 512, "MB of the function"),
    ("--batch", _WHOLE, None, "records of a full batch (default: what fits 0.5 MB)"),
    ("--overhead-ms", _number(), 5, "what an invocation takes besides"),
)
"""Sizes, dead letters and compression are those of the bundled log, and of what is made of it."""
