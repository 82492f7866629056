"""The journal of a run, and the command beside the dashboard."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from tools.cli import run_command
from tools.dashboard import beside
from tools.dashboard.runs import find_run
from tools.dashboard.server import open_browser
from tools.local import journal
from tools.local.journal import RunJournal
from tools.local.progress import JobProgress
from tools.local.staging import StagedInput
from tools.shell import EXIT_BAD_INPUT

ADDRESS = "127.1.2.3:4711"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / ".work" / "run-1"
    folder.mkdir(parents=True)
    return folder


def read(work: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((work / "run.json").read_text("utf-8"))
    return document


def staged(lines: int = 100, sources: int = 1) -> StagedInput:
    return StagedInput(Path("x.gz"), lines, 1, tuple(f"log{n}" for n in range(sources)))


def test_the_phases_of_a_run(work: Path) -> None:
    with RunJournal(work, "City") as kept:
        assert find_run(work.parents[1]).state == "preparing"
        kept.input(staged(), ["enriched"])
        kept.starting()
        assert (find_run(work.parents[1]).state, read(work)["rest_address"]) == ("running", None)
        kept.finishing(3.0)
        assert find_run(work.parents[1]).state == "finishing"
        kept.finished()
        # The state holds until the results are in the output folder.
        assert find_run(work.parents[1]).state == "finishing"
    assert (read(work)["phase"], read(work)["lines_total"]) == ("finished", 100)


@pytest.mark.parametrize(
    ("error", "phase"), [(ValueError("no space"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_how_a_run_ended_is_noted(work: Path, error: BaseException, phase: str) -> None:
    with pytest.raises(type(error)), RunJournal(work, None):
        raise error
    assert (read(work)["phase"], read(work)["message"]) == (phase, str(error) or None)


def test_a_work_folder_that_is_gone_is_no_error(work: Path) -> None:
    kept = RunJournal(work, None).__enter__()
    (work / "run.json").unlink()
    work.rmdir()
    kept.__exit__(ValueError, ValueError("late"), None)
    assert not work.exists()


def test_names_that_are_not_utf_8_are_shown_escaped(work: Path) -> None:
    name = os.fsdecode(b"caf\xe9.log")
    kept = RunJournal(work, None).__enter__()
    kept.input(StagedInput(Path("x.gz"), 1, 1, (name,)), [])
    kept.__exit__(ValueError, ValueError(f"cannot read {name}"), None)
    written = read(work)
    assert written["sources"] == ["caf\\u{dce9}.log"]
    assert written["message"] == "cannot read caf\\u{dce9}.log"


def test_the_file_stays_small(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_SECONDS_BETWEEN_WRITES", 0.0)
    with RunJournal(work, None) as kept:
        kept.input(staged(10_000, sources=5000), [])
        kept.starting()
        kept.observe(None, None)
        for lines in range(2000):
            kept.observe(JobProgress("RUNNING", lines, None), ADDRESS)
    written = read(work)
    assert len(written["samples"]) <= 600
    assert (written["samples"][-1][1], written["rest_address"]) == (1999, ADDRESS)
    assert (len(written["sources"]), written["source_count"]) == (20, 5000)


def test_it_is_not_written_at_every_look(work: Path) -> None:
    with RunJournal(work, None) as kept:
        kept.starting()
        before = (work / "run.json").stat().st_ino
        for lines in range(100):
            kept.observe(JobProgress("RUNNING", lines, None), ADDRESS)
        assert (work / "run.json").stat().st_ino == before


def test_the_dashboard_is_there_beside_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(beside, "open_browser", opened.append)
    monkeypatch.setattr(beside, "wait_for_interrupt", lambda: None)

    with (
        beside.dashboard_beside(tmp_path),
        urllib.request.urlopen(f"{opened[0]}snapshot.json", timeout=10) as answer,  # noqa: S310
    ):
        assert json.load(answer)["run"]["state"] == "none"
    printed = capsys.readouterr().out
    assert opened[0] in printed
    assert "stays until Ctrl-C" in printed
    assert not [t for t in threading.enumerate() if "serve_forever" in t.name]


@pytest.mark.parametrize("arguments", [["--set", "weblog.site:x=y"], ["missing.log"]])
def test_the_dashboard_ends_with_a_run_that_did_not_start(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "open_browser", lambda _: None)
    monkeypatch.setattr(beside, "wait_for_interrupt", lambda: pytest.fail("it waits"))
    assert (
        run_command("run", ["--open", "--out", str(tmp_path / "out"), *arguments]) == EXIT_BAD_INPUT
    )


@pytest.mark.parametrize(
    ("kind", "named", "opens"),
    [
        (webbrowser.GenericBrowser, False, False),  # links, lynx and w3m
        (webbrowser.GenericBrowser, True, True),
        (webbrowser.BackgroundBrowser, False, True),
    ],
)
def test_no_browser_takes_the_terminal(
    kind: type[webbrowser.GenericBrowser],
    named: bool,
    opens: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = kind("a-browser")
    # A real browser would leave a process that nobody waits for.
    monkeypatch.setattr(kind, "open", lambda *_: True)
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    monkeypatch.delenv("BROWSER", raising=False)
    if named:
        monkeypatch.setenv("BROWSER", "a-browser")
    assert open_browser("http://127.0.0.1:1/") is opens


def test_open_needs_a_run_on_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("run", ["--kinesis", "--open"]) == 2
    assert "--open" in capsys.readouterr().err
