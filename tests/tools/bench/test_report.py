"""Statistics, targets and what is shown of them."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.interrupts import in_a_terminal
from tools.bench import command as bench
from tools.bench import kinesis
from tools.bench.figures import FIGURES, chosen
from tools.bench.jobs import Reading, Watched, _metrics, steady_rate
from tools.bench.machine import Machine
from tools.bench.report import Run
from tools.bench.setup import Setup
from tools.bench.skipped import SkippedError
from tools.bench.targets import TARGETS, verdicts, without_verdict
from tools.cli import run_command
from tools.shell import EXIT_BAD_INPUT
from udfs.errors import ConfigurationError

main = partial(run_command, "bench")

MACHINE = Machine("A processor", 2, 8.0, "Linux", "3.12.1", "openjdk 17", "2.2.0", load=0.1)


def test_the_rate_leaves_out_warm_up_and_end() -> None:
    slow = [Reading(10 + second, 10 * second) for second in range(25)]
    steady = [Reading(40 + second, 250 + 50 * second) for second in range(15)]
    ended = [Reading(55, 1000), Reading(60, 1000), Reading(70, 1000)]
    assert steady_rate(slow + steady + ended, 1000) == pytest.approx(50)


def test_a_reading_that_tells_nothing_new_does_not_bend_the_rate() -> None:
    readings = [Reading(float(at), 100 * (at // 3 * 3)) for at in range(100)]
    assert steady_rate(readings, 9900) == pytest.approx(100)


def test_too_short_a_job_has_no_steady_rate() -> None:
    assert steady_rate([Reading(1, 10), Reading(2, 100)], 100) is None


def _rounds(*rates: float) -> list[dict[str, float]]:
    return [{"records_per_s": rate} for rate in rates]


def test_ratios_are_made_within_rounds() -> None:
    # The machine halves its speed after the first round: the ratio is 3 all along.
    results = {
        "core.whole.made": _rounds(300_000, 150_000, 150_000),
        "core.straightforward.made": _rounds(100_000, 50_000, 50_000),
    }
    ratio = next(one for one in verdicts(results) if one.target.unit == "x")
    assert (ratio.median, ratio.lowest, ratio.highest) == (3.0, 3.0, 3.0)
    assert ratio.met


def test_a_share_of_what_the_parts_allow() -> None:
    results = {
        "job.enrich.process.2slots": _rounds(40_000),
        "yardstick.identity.process.2slots": _rounds(100_000),
        "loop.core2": _rounds(100_000),
    }
    (share,) = verdicts(results)
    assert share.median == pytest.approx(0.8)
    assert share.met


def test_a_target_that_is_a_limit() -> None:
    (verdict,) = verdicts({"latency.thread": [{"p50_ms": 10.0, "p99_ms": 301.0}]})
    assert not verdict.met


def test_targets_without_their_figures_are_left_out() -> None:
    assert verdicts({"loop.core2": _rounds(1)}) == []


SHORT = [{"startup_s": 9.0, "total_s": 10.0}]


def test_a_job_too_short_for_a_rate_has_no_verdict() -> None:
    results = {"job.full.process": SHORT, "job.enrich.process.files": _rounds(50_000)}
    assert verdicts(results) == []
    (target,) = without_verdict(results)
    assert target.needs == ("job.full.process", "job.enrich.process.files")


def test_a_verdict_is_made_of_the_rounds_that_have_a_rate() -> None:
    results = {
        "job.full.process": [*SHORT, *_rounds(40_000)],
        "job.enrich.process.files": _rounds(10_000, 50_000),
    }
    (verdict,) = verdicts(results)
    assert verdict.median == pytest.approx(0.8)
    assert without_verdict(results) == []


def test_the_rate_is_of_the_steady_state_or_not_given() -> None:
    watched = Watched(started=0.0, first=8.0, ended=10.0)
    watched.readings = [Reading(8.0, 10), Reading(9.0, 60)]
    assert _metrics(watched, 100) == {"startup_s": 8.0, "total_s": 10.0}
    watched.readings += [Reading(9.0 + second / 10, 60 + second) for second in range(1, 9)]
    assert _metrics(watched, 100)["records_per_s"] == pytest.approx(10)


def test_the_report_says_what_was_too_short(setup: Setup) -> None:
    run = Run(MACHINE, setup, rounds=1)
    run.results = {"job.full.process": SHORT, "job.enrich.process.files": SHORT}
    text = run.to_text()
    assert re.search("all outputs to files, process +too short to tell .*total .s. 10", text)
    assert "no verdict: all outputs / enrichment only, both to files, process: a job was" in text
    document = json.loads(run.to_json())
    assert document["targets"] == []
    assert document["no_verdict"] == ["all outputs / enrichment only, both to files, process"]
    assert document["figures"]["job.full.process"]["median"] == SHORT[0]


def test_every_target_is_made_of_figures_that_there_are() -> None:
    names = {figure.name for figure in FIGURES}
    assert len(names) == len(FIGURES)
    assert {name for target in TARGETS for name in target.needs} <= names


def test_figures_are_chosen_by_name_family_or_pattern() -> None:
    assert [one.name for one in chosen(["loop"])] == [
        "loop.straightforward",
        "loop.core",
        "loop.core2",
    ]
    assert [one.name for one in chosen(["latency.*"])] == ["latency.process", "latency.thread"]
    assert len(chosen([])) == len(FIGURES)


def test_an_unknown_figure_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--figures", "loop,speed"]) == EXIT_BAD_INPUT
    assert capsys.readouterr().err == (
        "error: --figures = 'speed': expected names that --list shows\n"
    )


@pytest.mark.parametrize("name", ["records", "rounds", "memory-records"])
def test_none_at_all_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--figures", "loop", f"--{name}", "0"]) == EXIT_BAD_INPUT
    assert capsys.readouterr().err == f"error: --{name} = '0': expected at least 1\n"


def test_a_folder_as_the_file_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--figures", "loop", "--out", str(tmp_path)]) == EXIT_BAD_INPUT
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert f"--out = '{tmp_path}'" in printed.err
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_shown_even_if_the_file_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"

    def measure(_: str, __: Path) -> dict[str, float]:
        # What lies there now cannot be written over.
        out.mkdir(exist_ok=True)
        return {"records_per_s": 1234.0}

    monkeypatch.setattr(bench, "measure_in_own_process", measure)
    arguments = ["--quick", "--records", "100", "--figures", "loop.core", "--out", str(out)]
    assert main(arguments) == EXIT_BAD_INPUT
    printed = capsys.readouterr()
    assert "1,234 (1,234..1,234)" in printed.out
    assert printed.err.startswith(f"error: --out = '{out}': expected a file to write")
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("option", ["--jar", "--database"])
def test_a_file_that_is_not_there_is_told_before_anything_is_measured(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing"
    arguments = ["--figures", "lambda", "--records", "10", "--out", str(tmp_path / "out.json")]
    assert main([*arguments, option, str(missing)]) == EXIT_BAD_INPUT
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(missing) in printed.err


def test_names_and_titles_of_figures_are_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in shown] == [
        [figure.name, figure.title] for figure in FIGURES
    ]


FIGURE = """#!{python}
import signal, sys, time
from pathlib import Path
def stop(*_):
    print("stopping", file=sys.stderr)
    time.sleep(1)  # as the stopping of a job takes its time
    Path("stopped").touch()
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
Path("measuring").touch()
while True:
    time.sleep(0.1)
"""
MEASURE = """
import sys
from pathlib import Path
from tools.bench import command as bench
bench.ROOT = Path()
sys.executable = str(Path("figure").resolve())
bench.measure_in_own_process("job", Path("setup.json"))
"""


def test_an_interrupted_figure_may_stop_its_job(tmp_path: Path) -> None:
    figure = tmp_path / "figure"
    figure.write_text(FIGURE.format(python=sys.executable))
    figure.chmod(0o755)
    with in_a_terminal(MEASURE, tmp_path) as measuring:
        deadline = time.monotonic() + 60
        while not (tmp_path / "measuring").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        # As a terminal sends it: to both.
        os.killpg(measuring.pid, signal.SIGINT)
        _, errors = measuring.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert (tmp_path / "stopped").exists()


def test_the_report_shows_medians_spread_verdicts_and_failures(setup: Setup) -> None:
    run = Run(MACHINE, setup, rounds=3)
    run.results = {
        "core.whole.made": _rounds(90_000, 200_000, 80_000),
        "latency.thread": [{"p50_ms": 5.0, "p99_ms": 20.0}],
    }
    run.failures = {"loop.core": "it broke"}
    text = run.to_text()
    assert "90,000 (80,000..200,000)" in text
    assert "11.1" in text  # microseconds a record
    assert "p99 [ms]" in text
    assert "NOT MET" in text
    assert "failed: loop.core: it broke" in text
    assert "busy" not in text
    document = json.loads(run.to_json())
    assert document["figures"]["core.whole.made"]["median"]["records_per_s"] == 90_000
    assert document["inputs"]["made"]["sha256"] == setup.made.sha256
    assert [one["met"] for one in document["targets"]] == [False, True]


def test_a_busy_machine_is_a_warning(setup: Setup) -> None:
    busy = Machine("A processor", 2, 8.0, "Linux", "3.12.1", "openjdk 17", "2.2.0", load=1.5)
    assert "warning: the machine was busy" in Run(busy, setup, rounds=1).to_text()


def test_a_figure_whose_needs_are_missing_is_skipped_and_says_why(
    monkeypatch: pytest.MonkeyPatch, setup: Setup, tmp_path: Path
) -> None:
    def measure(name: str, _: Path) -> dict[str, float]:
        if name == "kinesis":
            raise SkippedError("no connectors")
        return {"records_per_s": 1.0}

    monkeypatch.setattr(bench, "measure_in_own_process", measure)
    run = Run(MACHINE, setup, 2)
    bench._measure_all(run, chosen(["kinesis", "loop.core"]), tmp_path)
    assert (run.skipped, run.failures) == ({"kinesis": "no connectors"}, {})
    assert list(run.results) == ["loop.core"]
    assert "skipped: kinesis: no connectors" in run.to_text()
    assert json.loads(run.to_json())["skipped"] == run.skipped


def test_without_the_connectors_kinesis_is_skipped(
    monkeypatch: pytest.MonkeyPatch, setup: Setup
) -> None:
    def missing(_: Path | None) -> Path:
        raise ConfigurationError("--jar", None, None, "the AWS connectors")

    monkeypatch.setattr(kinesis, "find_jar", missing)
    with pytest.raises(SkippedError, match="the AWS connectors"):
        kinesis.kinesis(setup)
    # One that is named has to be there.
    with pytest.raises(ConfigurationError):
        kinesis.kinesis(replace(setup, jar="missing.jar"))
