"""`./build.sh bench`: how fast the core and the job are, by figures that can be repeated.

Usage: ./build.sh bench [OPTIONS]

Each figure is measured in a process of its own, and the figures take turns over the rounds,
so that a change of the machine's mood meets all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tools.bench.city_database import FULL_DEPTH
from tools.bench.figures import FIGURES, Figure, chosen
from tools.bench.machine import describe_machine
from tools.bench.report import Run, machine_lines
from tools.bench.setup import prepare
from tools.bench.skipped import EXIT_SKIPPED, SkippedError
from tools.bench.targets import verdicts
from tools.package.connectors import check_jar
from tools.shell import EXIT_FAILED
from udfs.config.root import ROOT
from udfs.errors import ConfigurationError, WebLogError

EXIT_MISSED = 3

_RESULTS = Path("build") / "bench"
_FULL_DATABASE = ROOT / "data" / "geoip" / "dbip-city-lite.mmdb"
_SEED = 7
_RECORDS, _ROUNDS, _LATENCY_S = 3_000_000, 2, 20.0
_QUICK_RECORDS, _QUICK_ROUNDS, _QUICK_LATENCY_S, _QUICK_DEPTH = 60_000, 1, 5.0, 16
_NAME_WIDTH = max(len(figure.name) for figure in FIGURES) + 1
# Longer than the stopping of a job takes at most.
_END_S = 30.0


def run(options: argparse.Namespace) -> int:
    """Measures, and prints and writes the figures.

    Returns:
        0; 1 when a figure failed, 3 with `--check` and a target missed.
    """
    if options.list:
        for figure in FIGURES:
            print(f"{figure.name:{_NAME_WIDTH}}{figure.title}")
        return 0
    measured = _measure(options)
    if measured.failures:
        return EXIT_FAILED
    missed = any(not verdict.met for verdict in verdicts(measured.results))
    return EXIT_MISSED if options.check and missed else 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes, one round: a try; jobs are too short for a steady state, so they get "
        "start-up and total times but no rate",
    )
    parser.add_argument("--list", action="store_true", help="name the figures and end")
    parser.add_argument(
        "--figures", default="", metavar="A,B", help="these alone; core, job.*.process, ..."
    )
    parser.add_argument("--records", type=int, help=f"lines of each log (default: {_RECORDS})")
    parser.add_argument(
        "--memory-records", type=int, help="lines for the memory figures (default: as --records)"
    )
    parser.add_argument("--rounds", type=int, help=f"times each is measured (default: {_ROUNDS})")
    parser.add_argument(
        "--log", choices=("made", "sample"), default="made", help="what jobs and loops read"
    )
    parser.add_argument("--seed", type=int, default=_SEED, help="of the made log")
    parser.add_argument(
        "--database",
        type=Path,
        help="City database (default: data/geoip/dbip-city-lite.mmdb, else a made one)",
    )
    parser.add_argument(
        "--jar", type=Path, help="AWS connectors, for the Kinesis figure (default: the package's)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 3 when a target is missed")
    parser.add_argument("--out", type=Path, help="JSON file (default: build/bench/TIME.json)")


def _measure(options: argparse.Namespace) -> Run:
    figures = _figures(options.figures)
    records = _number(options, "records", _QUICK_RECORDS if options.quick else _RECORDS)
    rounds = _number(options, "rounds", _QUICK_ROUNDS if options.quick else _ROUNDS)
    memory_records = _number(options, "memory-records", records)
    database = _database(options.database, quick=options.quick)
    if options.jar is not None:
        check_jar(options.jar)
    out = options.out or _RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    if out.is_dir():
        raise ConfigurationError("--out", None, str(out), "a file, not a folder")
    with _writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=out.parent.resolve(), prefix=".work-"))
    machine = describe_machine()
    print("\n".join(machine_lines(machine)))
    try:
        print(f"making the input: {records:,} records", flush=True)
        setup = prepare(
            work,
            records=records,
            memory_records=memory_records,
            seed=options.seed,
            log=options.log,
            database=database,
            depth=_QUICK_DEPTH if options.quick else FULL_DEPTH,
            latency_seconds=_QUICK_LATENCY_S if options.quick else _LATENCY_S,
            jar=options.jar,
        )
        run = Run(machine, setup, rounds)
        _measure_all(run, figures, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    # The table first: what took hours is seen even if the file cannot be written.
    print()
    print(run.to_text(), end="", flush=True)
    with _writing(out):
        out.write_text(run.to_json(), encoding="utf-8")
    print(f"\n{out}")
    return run


def _number(options: argparse.Namespace, name: str, default: int) -> int:
    given = getattr(options, name.replace("-", "_"))
    value: int = default if given is None else given
    if value < 1:
        raise ConfigurationError(f"--{name}", None, str(value), "at least 1")
    return value


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError("--out", None, str(out), f"a file to write ({reason})") from error


def _figures(names: str) -> list[Figure]:
    try:
        return chosen([name for name in names.split(",") if name])
    except KeyError as error:
        raise ConfigurationError(
            "--figures", None, str(error.args[0]), "names that --list shows"
        ) from None


def _database(given: Path | None, *, quick: bool) -> Path | None:
    if given is not None:
        if not given.is_file():
            raise ConfigurationError("--database", None, str(given), "a file")
        return given
    return _FULL_DATABASE if _FULL_DATABASE.exists() and not quick else None


def _measure_all(run: Run, figures: Sequence[Figure], work: Path) -> None:
    file = work / "setup.json"
    file.write_text(run.setup.to_json(), encoding="utf-8")
    for number in range(run.rounds):
        for figure in figures:
            if figure.name in run.failures or figure.name in run.skipped:
                continue
            try:
                values = measure_in_own_process(figure.name, file)
            except SkippedError as reason:
                run.skipped[figure.name] = str(reason)
                print(f"skipped  {figure.name}: {reason}", flush=True)
                continue
            except WebLogError as error:
                run.failures[figure.name] = str(error)
                print(f"round {number + 1}  {figure.name}: {error}", flush=True)
                continue
            run.results.setdefault(figure.name, []).append(values)
            key, value = next(iter(values.items()))
            name = f"{figure.name:{_NAME_WIDTH}}"
            print(f"round {number + 1}  {name}{key} {value:,.2f}", flush=True)


def measure_in_own_process(name: str, setup_file: Path) -> dict[str, float]:
    """Measures one figure in a process of its own.

    Raises:
        SkippedError: What it needs is not there.
        WebLogError: It failed; the message is the last line that it printed.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tools.bench.one", name, str(setup_file)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as measuring:
        try:
            printed, errors = measuring.communicate()
        except KeyboardInterrupt:
            _let_end(measuring)
            raise
    if measuring.returncode:
        reason = errors.strip().splitlines() or [f"exit status {measuring.returncode}"]
        skipped = measuring.returncode == EXIT_SKIPPED
        raise (SkippedError if skipped else WebLogError)(reason[-1])
    values: dict[str, float] = json.loads(printed.strip().splitlines()[-1])
    return values


def _let_end(measuring: subprocess.Popen[str]) -> None:
    # It has heard Ctrl-C too and stops its job, which is in a process group of its own: killed
    # meanwhile, it would leave that behind.
    deadline = monotonic() + _END_S
    while True:
        try:
            measuring.communicate(timeout=max(0.0, deadline - monotonic()))
        except KeyboardInterrupt:
            continue
        except subprocess.TimeoutExpired:
            measuring.kill()
        return
