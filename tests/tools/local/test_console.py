"""The display of a run on a terminal."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from io import FileIO, TextIOWrapper
from pathlib import Path

import pytest

from tools.local.console import Console
from tools.local.progress import JobProgress
from tools.local.summary import BotTraffic, CountryTraffic, PageTimes, RunSummary

RUNNING = JobProgress("RUNNING", 123_456, None)
WHOLE = "Flink     running  123,456 of 234,567 lines (53%)"


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIOWrapper]]:
    """Yields a terminal's other side, and the terminal to write to."""
    master, slave = os.openpty()
    with FileIO(master) as _, TextIOWrapper(FileIO(slave, "w"), write_through=True) as stream:
        yield master, stream


def shown(terminal: tuple[int, TextIOWrapper], *progress: JobProgress) -> str:
    master, stream = terminal
    console = Console(stream)
    for one in progress:
        console.progress(one, 234_567)
    return os.read(master, 10_000).decode()


@pytest.mark.parametrize(("columns", "text"), [(0, WHOLE), (80, WHOLE), (40, WHOLE[:39])])
def test_progress_overwrites_its_line_and_does_not_wrap(
    monkeypatch: pytest.MonkeyPatch,
    terminal: tuple[int, TextIOWrapper],
    columns: int,
    text: str,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    termios.tcsetwinsize(terminal[0], (24, columns))
    assert shown(terminal, RUNNING) == f"\r\x1b[K{text}"


def test_a_terminal_without_cursor_shows_only_changes(
    monkeypatch: pytest.MonkeyPatch, terminal: tuple[int, TextIOWrapper]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(terminal, RUNNING, RUNNING) == "Flink     running\r\n"


def test_a_file_gets_only_changes(tmp_path: Path) -> None:
    with (tmp_path / "printed").open("w") as stream:
        console = Console(stream)
        console.progress(RUNNING, 234_567)
        console.progress(RUNNING, 234_567)
    assert (tmp_path / "printed").read_text() == "Flink     running\n"


def test_a_run_over_nothing_is_accounted_for(tmp_path: Path) -> None:
    with (tmp_path / "printed").open("w") as stream:
        Console(stream).summary(RunSummary(0, 0, {}, {}, 0, 1.0), tmp_path)
    assert "0 + 0 + 0 = 0" in (tmp_path / "printed").read_text()


def test_bots_and_slow_pages_are_shown_where_there_are_any(tmp_path: Path) -> None:
    bots, slow = (BotTraffic("search", 1200, 3_400_000),), (PageTimes(None, 7, 1234.5, 9000),)
    with (tmp_path / "printed").open("w") as stream:
        Console(stream).summary(RunSummary(0, 0, {}, {}, 0, 1.0), tmp_path)
    assert "Bots" not in (tmp_path / "printed").read_text()
    with (tmp_path / "printed").open("w") as stream:
        summary = RunSummary(0, 0, {}, {}, 0, 1.0, bots=bots, slowest_pages=slow)
        Console(stream).summary(summary, tmp_path)
    lines = [line.split() for line in (tmp_path / "printed").read_text().splitlines()]
    assert ["search", "1,200", "3.4"] in lines
    assert ["(unknown)", "7", "1,234.5", "9,000"] in lines


def test_wide_numbers_do_not_run_together(tmp_path: Path) -> None:
    countries = (CountryTraffic("France", 12_345_678_901, 10**20), CountryTraffic("Oman", 1, 0))
    summary = RunSummary(0, 0, {}, {}, 0, 1.0, traffic_per_country=countries)
    with (tmp_path / "printed").open("w") as stream:
        Console(stream).summary(summary, tmp_path)
    printed = (tmp_path / "printed").read_text().partition("Traffic per country\n")[2]
    table = printed.splitlines()[:3]
    assert [line.split() for line in table] == [
        ["country", "requests", "MB"],
        ["France", "12,345,678,901", "100,000,000,000,000.0"],
        ["Oman", "1", "0.0"],
    ]
    assert len({len(line) for line in table}) == 1


def test_a_restart_is_shown_with_its_reason(tmp_path: Path) -> None:
    failed = JobProgress("RESTARTING", 5, "Caused by: CANCELLED: client cancelled\n")
    with (tmp_path / "printed").open("w") as stream:
        console = Console(stream)
        for progress in (RUNNING, failed, failed, RUNNING):
            console.progress(progress, 234_567)
    assert (tmp_path / "printed").read_text() == (
        "Flink     running\n"
        "Flink     starts again from its last checkpoint: a Python worker was ended from outside, "
        "as the system does for want of memory\n"
        "Flink     restarting\n"
        "Flink     running\n"
    )
