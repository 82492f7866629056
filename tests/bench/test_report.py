"""Statistics, targets and what is shown of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flink_app.bench import __main__ as bench
from flink_app.bench import kinesis
from flink_app.bench.__main__ import EXIT_BAD_INPUT, main
from flink_app.bench.figures import FIGURES, chosen
from flink_app.bench.jobs import Reading, steady_rate
from flink_app.bench.machine import Machine
from flink_app.bench.report import Run
from flink_app.bench.setup import Setup
from flink_app.bench.skipped import SkippedError
from flink_app.bench.targets import TARGETS, verdicts
from udfs.errors import ConfigurationError

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
