"""`./build.sh bench`: how fast the core and the job are, by figures that can be repeated.

Usage: ./build.sh bench [OPTIONS]

Each figure is measured in a process of its own. The figures take turns over the rounds, so that
a change of the machine's speed meets all.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.bench.figures import EVERY, FULL, Figure, chosen
from tools.bench.inputs import FULL_DEPTH, Setup, make_city_database, make_logs
from tools.bench.jobs import SkippedError
from tools.bench.report import Report, describe_machine, machine_lines
from tools.package.connectors import check_jar
from tools.shell import EXIT_FAILED
from udfs.errors import ConfigurationError, WebLogError

EXIT_MISSED = 3

_RESULTS = Path("build") / "bench"
_RECORDS, _ROUNDS = 3_000_000, 2
# Records, rounds, seconds of latency, depth of the made database.
_SIZES, _QUICK_SIZES = (_RECORDS, _ROUNDS, 20.0, FULL_DEPTH), (60_000, 1, 5.0, 16)
_NAME_WIDTH = max(len(figure.name) for figure in EVERY) + 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add = parser.add_argument
    number: dict[str, Any] = {"metavar": "N", "type": _positive}
    file: dict[str, Any] = {"metavar": "FILE", "type": Path}
    add("--quick", action="store_true", help="a try: small sizes, one round, no rates of jobs")
    add("--list", action="store_true", help="name the figures and end")
    add("--figures", default="", metavar="A,B", help="only these; core, job.*.process, ...")
    add("--peers", action="store_true", help="the core and other programs that are installed")
    add("--costs", action="store_true", help="what each output costs: the job without each")
    add("--records", **number, help=f"lines of each log (default: {_RECORDS})")
    add("--rounds", **number, help=f"times each is measured (default: {_ROUNDS})")
    add("--seed", metavar="N", type=int, default=7, help="of the made log")
    add("--database", **file, help="a City database (default: a made one, as large as DB-IP's)")
    add("--jar", **file, help="AWS connectors, for Kinesis (default: the package's)")
    add("--check", action="store_true", help="exit with 3 when a target is missed")
    add("--out", **file, help="JSON file (default: build/bench/TIME.json)")


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("expected at least 1")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Measures what the options ask for, and shows it.

    Returns:
        0; 1 when a figure failed, 3 with `--check` and a target missed.

    Raises:
        WebLogError: An option is wrong.
        OSError: The result cannot be written.
    """
    figures = _figures(options)
    if options.list:
        print("\n".join(f"{figure.name:{_NAME_WIDTH}}{figure.title}" for figure in figures))
        return 0
    if options.database is not None and not options.database.is_file():
        raise ConfigurationError("--database", None, str(options.database), "a file")
    if options.jar is not None:
        check_jar(options.jar)
    records, rounds, seconds, depth = _QUICK_SIZES if options.quick else _SIZES
    records, rounds = options.records or records, options.rounds or rounds
    report = Report(describe_machine(), records, options.seed, rounds)
    out = options.out or _RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(report.to_json(), "utf-8")
    print("\n".join(machine_lines(report.machine)))
    print(f"making the input: {records:,} records", flush=True)
    with TemporaryDirectory(
        dir=out.parent.resolve(), prefix=".work-", ignore_cleanup_errors=True
    ) as name:
        work, jar = Path(name), options.jar and options.jar.resolve()
        database = (options.database or work / "made-city.mmdb").resolve()
        setup = Setup(work, records, database, seconds, jar)
        if options.database is None:
            make_city_database(database, depth)
        make_logs(setup, options.seed)
        for figure in figures * rounds:
            measure(figure, setup, report)
            # What took hours is not lost with the figures that come after it.
            out.write_text(report.to_json(), "utf-8")
    print(f"\n{report.to_text()}\n{out}")
    if report.failures:
        return EXIT_FAILED
    missed = not all(met for _, _, met in report.verdicts())
    return EXIT_MISSED if options.check and missed else 0


def _figures(options: argparse.Namespace) -> list[Figure]:
    names = [name for name in options.figures.split(",") if name]
    names += ["core.*", "yardstick.naive", "job.mission", "peer"] if options.peers else []
    names += [FULL, "job.without"] if options.costs else []
    return chosen(names)


def measure(figure: Figure, setup: Setup, report: Report) -> None:
    """Measures a figure in a process of its own, unless it failed before; notes what comes out.

    An interrupt reaches that process too: it is waited for until it has stopped its job.
    """
    name = figure.name
    if name in report.failures or name in report.skipped:
        return
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            values = pool.submit(figure.measure, setup).result()
    except SkippedError as reason:
        report.skipped[name] = shown = f"skipped: {reason}"
    except Exception as error:  # noqa: BLE001 - the figures of the hours before are worth more
        shown = f"failed: {error if isinstance(error, WebLogError) else repr(error)}"
        report.failures[name] = shown
    else:
        report.results.setdefault(name, []).append(values)
        key, value = next(iter(values.items()))
        shown = f"{key} {value:,.2f}"
    print(f"{name:{_NAME_WIDTH}}{shown}", flush=True)
