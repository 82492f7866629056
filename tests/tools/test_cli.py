"""The start, the errors and the exit status of every command of `./build.sh`."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from types import ModuleType
from typing import IO

import pytest

from aws.destinations import make_client
from tools.bench.command import EXIT_MISSED
from tools.cli import COMMANDS, Command, main, parse, parser_of, run_command
from tools.shell import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_UNHEARD
from udfs.config.root import ROOT
from udfs.errors import ConfigurationError, WebLogError

ASKING = """
import sys, urllib.request
urllib.request.urlopen(f"{sys.argv[1]}/moto-api/data.json").close()
"""


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("trial", "The help.")
    module.add_arguments = lambda _: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trial", module)
    monkeypatch.setitem(COMMANDS, "trial", Command("trial", 7, "interrupted: all is lost"))
    return module


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (WebLogError("a\x1b[1mb"), 7, "a\ufffd[1mb"),
        (PermissionError(13, "denied", "x"), 1, "[Errno 13] denied: 'x'"),
        (KeyboardInterrupt(), 130, "interrupted: all is lost"),
    ],
)
def test_an_error_is_one_line(
    trial: ModuleType,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    line: str,
) -> None:
    def run(_: argparse.Namespace) -> int:
        raise error

    trial.run = run  # type: ignore[attr-defined]
    assert run_command("trial", []) == status
    assert capsys.readouterr() == ("", f"error: {line}\n")


@pytest.mark.parametrize(
    "wrong", [[], ["walk"], ["replay", "--nonsense"], ["deploy", "walk"], ["deploy"]]
)
def test_a_wrong_command_line_is_one_line(wrong: list[str]) -> None:
    ended = start(*wrong)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["settings"], ["size", "--examples", "--micros", "9"]])
def test_output_that_nobody_reads_or_that_has_no_room_is_no_traceback(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        unheard = start(*arguments, stdout=pipe)
    assert (unheard.returncode, unheard.stderr) == (141, "")
    with Path("/dev/full").open("w") as full:
        no_room = start(*arguments, stdout=full)
    assert no_room.returncode == 1
    assert no_room.stderr == "error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_that_has_no_room_is_no_traceback(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        errors = start(command, "--help", stdout=full).stderr
    # Without a buffer in Python, argparse ignores the error.
    assert errors in ("error: [Errno 28] No space left on device\n", "")


def test_an_error_that_nobody_reads_is_an_error_all_the_same() -> None:
    with Path("/dev/full").open("w") as full:
        assert start("size", "--nonsense", stderr=full).returncode == 2
        assert start("run", "/nonexistent", stderr=full).returncode == 2


@pytest.mark.parametrize(
    ("closed", "status", "error"),
    [
        ("<&-", 2, "error: cannot read -: standard input is closed\n"),
        (">&-", 2, "error: no such file or folder: /nonexistent\n"),
        ("2>&-", 2, ""),
        ("<&- >&- 2>&-", 2, ""),
    ],
)
def test_streams_that_are_closed(tmp_path: Path, closed: str, status: int, error: str) -> None:
    log = "-" if closed == "<&-" else "/nonexistent"
    command = f'exec "$@" {closed}'
    run = [sys.executable, "-m", "tools.cli", "run", "--out", str(tmp_path / "out"), log]
    ended = subprocess.run(
        ["/bin/sh", "-c", command, "sh", *run],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (status, error)
    # The first file of the run has not become its standard error.
    assert (tmp_path / "out" / ".lock").read_bytes() == b""


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("spared", [None, "example.org", "*"])
def test_a_proxy_is_not_asked_for_this_machine(
    trial: ModuleType,
    endpoint: str,
    nobody: str,
    spared: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(_: argparse.Namespace) -> int:
        subprocess.run([sys.executable, "-c", ASKING, endpoint], check=True)
        for url in (endpoint, endpoint.replace("127.0.0.1", "localhost")):
            make_client("kinesis", "us-east-1", endpoint=url).list_streams()
        return 0

    trial.run = run  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "argv", ["cli", "trial"])
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", nobody)
    if spared is not None:
        monkeypatch.setenv("NO_PROXY", spared)
    assert main() == 0


@pytest.mark.parametrize(
    ("command", "foreign"),
    [
        ("size", {"boto3", "pyflink", "mmdb_writer", "tools.bench", "tools.run"}),
        ("replay", {"boto3", "pyflink", "py4j", "pandas", "tools.run"}),
        ("run", {"boto3", "pandas", "tools.deploy"}),
    ],
)
def test_a_command_imports_what_it_needs(command: str, foreign: set[str]) -> None:
    asked = f"""
import sys
from tools.cli import run_command
try:
    run_command({command!r}, ["--help"])
finally:
    print(*sys.modules, file=sys.stderr)
"""
    ended = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not foreign & {*ended.stderr.split()}


def start(
    *arguments: str, stdout: IO[str] | int = PIPE, stderr: IO[str] | int = PIPE
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.cli", *arguments]
    return subprocess.run(
        command, cwd=ROOT, stdout=stdout, stderr=stderr, text=True, timeout=60, check=False
    )


DEVELOPMENT = {"setup", "test", "check", "fix", "lock", "clean", "help"}
HELP = (ROOT / "tools" / "help.txt").read_text("utf-8")
SHOWN = re.findall(r"^  ([a-z-]+) .*\n {28}\./build\.sh (.*)$", HELP, re.MULTILINE)


def test_the_help_shows_every_command_with_one_example() -> None:
    assert {name for name, _ in SHOWN} == {*COMMANDS} | DEVELOPMENT
    assert len(SHOWN) == len(COMMANDS) + len(DEVELOPMENT)
    for name, example in SHOWN:
        command, *arguments = shlex.split(example)
        assert command == name
        if name in COMMANDS:
            parse(name, arguments)


def test_the_help_states_the_exit_statuses() -> None:
    stated = re.findall(r"^  (\d+) ", HELP, re.MULTILINE)
    assert [int(status) for status in stated] == [
        0, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_MISSED, EXIT_INTERRUPTED, EXIT_UNHEARD,
    ]  # fmt: skip


def options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yields the options with a value, each with the word for that value."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options(inner)
        elif action.nargs != 0 and not action.choices:
            yield from ((name, str(action.metavar)) for name in action.option_strings)


def test_an_option_is_spelt_alike_in_all_commands() -> None:
    words: dict[str, set[str]] = {}
    for command in COMMANDS:
        for name, word in options(parser_of(command)):
            assert re.fullmatch(r"-[a-z]|-(-[a-z]+)+", name), name
            assert word != "None", (command, name)
            # A template's parameter takes any value; bench's --out is one file.
            if word != "VALUE" and (command, name) != ("bench", "--out"):
                words.setdefault(name, set()).add(word)
    assert {name: found for name, found in words.items() if len(found) > 1} == {}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("arguments", [["--help"], ["--nonsense"]])
def test_statuses_and_plain_text_of_every_command(
    command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(command, arguments)
    assert ended.value.code == (0 if arguments == ["--help"] else EXIT_BAD_INPUT)
    # Only terminals get colours.
    assert "\x1b" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_ends_alike(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = next(shlex.split(example)[1:] for name, example in SHOWN if name == command)
    module = importlib.import_module(COMMANDS[command].module)
    ends: list[tuple[BaseException, int]] = [
        (ConfigurationError("weblog.x", "y", "z", "something else"), EXIT_BAD_INPUT),
        (OSError(28, "No space left on device"), EXIT_FAILED),
        (KeyboardInterrupt(), EXIT_INTERRUPTED),
        (BrokenPipeError(), EXIT_UNHEARD),
    ]
    for error, status in ends:

        def run(_: argparse.Namespace, error: BaseException = error) -> int:
            raise error

        monkeypatch.setattr(module, "run", run)
        assert run_command(command, arguments) == status
        errors = capsys.readouterr().err
        assert errors.count("\n") == (0 if status == EXIT_UNHEARD else 1)
        assert errors.startswith("error: ") or not errors
