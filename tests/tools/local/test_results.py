"""The output folder: a run replaces old results there, and touches nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools.local.results import publish, reserved
from tools.shell import CommandError

RUN_FILES = ["job.log", "run.json", "summary.json"]


def a_run(output: Path, *names: str) -> None:
    """Writes the results of a run, with a row in each output."""
    with reserved(output) as reservation:
        work = reservation.work
        (work / "logs").mkdir()
        (work / "logs" / "job.log").touch()
        (work / "run.json").touch()
        summary = json.dumps({"outputs": dict.fromkeys(names, 1)})
        (work / "results" / "summary.json").write_text(summary)
        for name in names:
            (work / "results" / name).mkdir()
            (work / "results" / name / "part-0-0").write_text("{}\n")
        publish(output, work, list(names), (work / "run.json",))


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def test_outputs_that_are_off_or_are_no_longer_there_go(tmp_path: Path) -> None:
    a_run(tmp_path, "enriched", "sessions", "an_aggregate_of_last_week")
    a_run(tmp_path, "enriched", "late")
    assert names_in(tmp_path) == sorted(["enriched", "late", *RUN_FILES])


def test_folders_by_event_time_stay(tmp_path: Path) -> None:
    hours = [f"event_date=2025-10-28/event_hour={hour}" for hour in ("10", "11")]
    with reserved(tmp_path) as reservation:
        for folder in ("logs", *(f"results/enriched/{hour}" for hour in hours)):
            (reservation.work / folder).mkdir(parents=True)
            (reservation.work / folder / "job.log").write_text(folder)
        (reservation.work / "results" / "summary.json").write_text("{}")
        publish(tmp_path, reservation.work, ["enriched"])
    written = {path.parent: path.read_text() for path in tmp_path.glob("enriched/**/*.jsonl")}
    assert written == {tmp_path / "enriched" / one: f"results/enriched/{one}" for one in hours}


@pytest.mark.parametrize("name", ["mine.log", "notes/today.txt"])
def test_a_file_beside_the_results_is_refused_and_stays(tmp_path: Path, name: str) -> None:
    a_run(tmp_path, "enriched")
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    entry = name.partition("/")[0]
    with pytest.raises(CommandError, match=re.escape(f"not made by a run ({entry})")):
        a_run(tmp_path, "enriched")
    assert mine.read_text() == "mine"
    assert (tmp_path / "summary.json").exists()


def test_a_file_that_comes_during_a_run_stays(tmp_path: Path) -> None:
    a_run(tmp_path, "enriched")
    with reserved(tmp_path) as reservation:
        work = reservation.work
        (work / "logs").mkdir()
        (work / "logs" / "job.log").touch()
        (work / "results" / "summary.json").write_text("{}")
        (tmp_path / "mine.log").write_text("mine")
        publish(tmp_path, work, ["late"])
    assert names_in(tmp_path) == ["job.log", "late", "mine.log", "summary.json"]


@pytest.mark.parametrize("name", [".lock", ".work"])
def test_a_link_in_the_place_of_a_runs_own_files_is_not_followed(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes").write_text("mine")
    output = tmp_path / "out"
    output.mkdir()
    (output / name).symlink_to(mine / "notes" if name == ".lock" else mine)
    with pytest.raises(CommandError, match=f"{name} is a symbolic link"):
        a_run(output, "enriched")
    assert [entry.name for entry in mine.iterdir()] == ["notes"]
    assert (mine / "notes").read_text() == "mine"


def test_a_link_in_the_place_of_results_is_not_followed(tmp_path: Path) -> None:
    output = tmp_path / "out"
    a_run(output, "enriched")
    mine = (output / "enriched").rename(tmp_path / "mine")
    (output / "enriched").symlink_to(mine)
    with pytest.raises(CommandError, match=re.escape("not made by a run (enriched)")):
        a_run(output, "enriched")
    assert names_in(mine) == ["part-00000.jsonl"]


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".work" / "run-killed" / "tmp"
    left.mkdir(parents=True)
    (tmp_path / ".lock").touch()
    a_run(tmp_path, "enriched")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".lock", "enriched", *RUN_FILES]


def test_a_folder_named_as_an_output_is_not_taken_where_no_run_has_been(tmp_path: Path) -> None:
    (tmp_path / "late").mkdir()
    with pytest.raises(CommandError), reserved(tmp_path):
        pass
    assert names_in(tmp_path) == ["late"]
