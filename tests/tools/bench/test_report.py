"""The report of figures, and the command."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.interrupts import in_a_terminal
from tools.bench import command as bench
from tools.bench.core import Metrics
from tools.bench.figures import FIGURES, FULL, TARGETS, Figure, Target, chosen
from tools.bench.inputs import Setup
from tools.bench.jobs import SkippedError
from tools.bench.report import Machine, Report
from tools.cli import run_command
from tools.shell import EXIT_BAD_INPUT, EXIT_FAILED

main = partial(run_command, "bench")

MACHINE: Machine = {
    "cpu": "A processor", "cores": 2, "memory_gb": 8.0, "python": "3.12.1", "java": "17",
    "flink": "2.2.0", "load": 0.1, "busy": False,
}  # fmt: skip
SHORT = [{"startup_s": 9.0, "total_s": 10.0}]


def rounds(*rates: float) -> list[Metrics]:
    return [{"records_per_s": rate} for rate in rates]


def test_a_target_is_a_number_a_ratio_within_rounds_or_a_share_of_what_parts_allow() -> None:
    # The machine halves its speed after the first round, but the ratio stays 3.
    results = {"core": rounds(300_000, 150_000), "simple": rounds(100_000, 50_000)}
    assert Target(2.5, "core", ("simple",)).numbers(results) == pytest.approx([3, 3])
    assert Target(2.5, "core").numbers(results) == [300_000, 150_000]
    # Only rounds with all rates count.
    results = {"job": [*SHORT, *rounds(40_000)], "border": rounds(1, 100_000)}
    share = Target(0.75, "job", ("border", "core"))
    assert share.numbers(results | {"core": rounds(1, 100_000)}) == pytest.approx([0.8])
    assert share.numbers(results) == []
    assert (share.met([0.8]), share.met([0.7, 0.6, 0.8])) == (True, False)
    assert Target(0.75, "job", at_most=True).met([0.7])


def test_every_target_is_made_of_figures_that_there_are() -> None:
    names = {figure.name for figure in FIGURES}
    assert len(names) == len(FIGURES)
    assert {name for target in TARGETS for name in (target.figure, *target.parts)} <= names


def test_the_report_shows_medians_spread_verdicts_and_failures() -> None:
    report = Report(MACHINE, records=100, seed=7, rounds=1, failures={"loop.core2": "it broke"})
    report.results = {
        "core.whole.made": rounds(90_000, 200_000, 80_000),
        "job.full.process": SHORT,
        "latency.thread": [{"p50_ms": 5.0, "p99_ms": 20.0}],
    }
    text = report.to_text()
    assert re.search(r"core\.whole\.made +core, made log +90,000 \(80,000\.\.200,000\)", text)
    assert "too short for a rate, 9.00 startup_s, 10.00 total_s" in text
    assert re.search(r"NOT MET +90,000 .* >= 100,000 +core\.whole\.made", text)
    assert re.search(r"met +20.00 .* <= 300 +latency\.thread, p99_ms", text)
    assert "loop.core2: it broke" in text
    assert "the machine was busy" not in text
    report.machine = MACHINE | {"busy": True}
    assert "warning: the machine was busy" in report.to_text()
    figures = json.loads(report.to_json())["figures"]
    assert figures["core.whole.made"]["median"] == {"records_per_s": 90_000}
    assert figures["job.full.process"]["median"] == SHORT[0]


def test_an_output_costs_what_the_job_without_it_saves() -> None:
    def job(*micros: tuple[float, float]) -> list[Metrics]:
        return [
            {"records_per_s": 1.0, "jvm_cpu_us": jvm, "python_cpu_us": python}
            for jvm, python in micros
        ]

    report = Report(MACHINE, records=100, seed=7, rounds=2)
    # The machine is slower for the last job: its workers, which do the same, take twice as long.
    without = job((58, 30), (172, 60))
    report.results = {FULL: job((60, 30), (90, 30)), "job.without.bots": without}
    report.results["core.whole.made"] = []
    assert report.costs() == {"bots": 3.0}
    assert json.loads(report.to_json())["output_cpu_us"] == {"bots": 3.0}
    assert re.search(r"bots +3.0 us", report.to_text())
    # Too short for a rate, there is no cost either.
    report.results["job.without.sessions"] = SHORT
    assert list(report.costs()) == ["bots"]


def test_peers_and_costs_are_measured_only_when_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--list"]) == main(["--list", "--peers"]) == main(["--list", "--costs"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    every, others = names[: len(FIGURES)], names[len(FIGURES) :]
    assert not any(name.startswith(("peer.", "job.without.")) for name in every)
    assert {"core.whole.made", "peer.goaccess.sample", FULL, "job.without.sessions"} < set(others)


def fails(reason: Exception, _: Setup) -> Metrics:
    raise reason


def of_a_broken_setup(figure: Figure, setup: Setup) -> Metrics:
    return figure.measure(replace(setup, database=Path("missing.mmdb")))


def test_a_figure_that_fails_or_lacks_what_it_needs_says_why(setup: Setup) -> None:
    report = Report(MACHINE, records=100, seed=7, rounds=1)
    (core,) = chosen(["core.whole.made"])
    for figure in (
        Figure("kinesis", "", partial(fails, SkippedError("no connectors"))),
        Figure("core.whole.sample", "", partial(of_a_broken_setup, core)),
        Figure("lambda", "", partial(fails, KeyError("a fault"))),
        core,
    ):
        bench.measure(figure, setup, report)
    assert report.skipped == {"kinesis": "skipped: no connectors"}
    assert "no such file" in report.failures["core.whole.sample"]
    assert report.failures["lambda"] == "failed: KeyError('a fault')"
    assert list(report.results) == ["core.whole.made"]


def test_the_command_shows_and_writes_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    arguments = ["--quick", "--records", "100", "--figures", "core.whole.made", "--out", str(out)]
    assert main(arguments) == 0
    figures = json.loads(out.read_text("utf-8"))["figures"]
    rate = figures["core.whole.made"]["median"]["records_per_s"]
    shown = rf"core\.whole\.made +core, made log +{rate:,.0f} \("
    assert re.search(shown, capsys.readouterr().out)
    # The command has removed its work folder.
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--figures", "loop,speed"], EXIT_BAD_INPUT, "--figures = 'speed': expected names"),
        (["--jar", "missing"], EXIT_BAD_INPUT, "missing"),
        (["--database", "missing"], EXIT_BAD_INPUT, "--database = 'missing': expected a file"),
        (["--out", "."], EXIT_FAILED, "Is a directory: '.'"),
    ],
)
def test_a_wrong_option_is_one_clear_line_before_anything_is_measured(
    arguments: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert told in printed.err


def test_figures_are_listed_and_chosen_by_name_family_or_pattern(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        main(["--list"]) == main(["--list", "--figures", "job.mission,latency.*,loop.core2"]) == 0
    )
    shown = [tuple(line.split(maxsplit=1)) for line in capsys.readouterr().out.splitlines()]
    assert shown[: len(FIGURES)] == [(figure.name, figure.title) for figure in FIGURES]
    assert [name for name, _ in shown[len(FIGURES) :]] == [
        "loop.core2",
        "job.mission.process.2slots",
        "job.mission.thread.managers",
        "latency.process",
        "latency.thread",
    ]


SLOW_FIGURE = """
import time
from pathlib import Path
def measure(setup):
    Path("measuring").touch()
    try:
        while True:
            time.sleep(0.1)
    except KeyboardInterrupt:
        time.sleep(1)  # as the stopping of a job takes its time
        Path("stopped").touch()
        raise
"""
MEASURE = """
from slow_figure import measure
from tools.bench import command
from tools.bench.figures import Figure
from tools.bench.report import Report
command.measure(Figure("job", "", measure), None, Report({}, 1, 1, 1))
"""


def test_an_interrupted_figure_may_stop_its_job(tmp_path: Path) -> None:
    (tmp_path / "slow_figure.py").write_text(SLOW_FIGURE)
    with in_a_terminal(MEASURE, tmp_path) as measuring:
        deadline = time.monotonic() + 60
        while not (tmp_path / "measuring").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        # A terminal sends Ctrl-C to the whole group.
        os.killpg(measuring.pid, signal.SIGINT)
        _, errors = measuring.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert (tmp_path / "stopped").exists()
