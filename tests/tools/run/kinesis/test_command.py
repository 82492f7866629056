"""`./build.sh run --kinesis` as a user's shell runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.interrupts import hearing_interrupts
from tests.support.lines import log_line
from tests.support.waiting import PATIENCE_SECONDS
from udfs.config.root import ROOT

URL = "a URL such as https://kinesis.eu-west-1.amazonaws.com"
SETTINGS = ("weblog.outputs:errors_per_page_sliding=off", "weblog.outputs:sessions=off")


def command(*arguments: str) -> list[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return [sys.executable, "-m", "tools.cli", "run", "--kinesis", *settings, *arguments]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # Anything that the command leaves shows up in an empty folder.
    return kept | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that use a folder for temporary files."""
    wanted = f"TMPDIR={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [one for one in found if one]


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


def test_without_connectors_it_says_what_is_missing(tmp_path: Path) -> None:
    ended = run(tmp_path, "--jar", str(tmp_path / "no.jar"))
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: cannot read ")
    assert "no.jar" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shards", "0"), "error: --shards = '0': expected at least 1\n"),
        (("--rate", "-1"), "error: --rate = '-1.0': expected at least 0\n"),
        (("--rate", "nan"), "error: --rate = 'nan': expected at least 0\n"),
        (("--endpoint", "127.0.0.1:80"), f"error: --endpoint = '127.0.0.1:80': expected {URL}\n"),
        (("--endpoint", ""), f"error: --endpoint = '': expected {URL}\n"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ended = run(tmp_path, *arguments)
    assert (ended.returncode, ended.stderr) == (2, message)


@pytest.mark.kinesis
def test_an_endpoint_that_does_not_answer(nobody: str, connector_jar: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        ended = run(tmp_path, "--jar", str(connector_jar), "--endpoint", nobody)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: --endpoint = '{nobody}': expected ")
    assert ended.stderr.count("\n") == 1


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    lines = [
        log_line(f"28/Oct/2025:10:{minute:02}:00 +0000", request=f"GET /{number} HTTP/1.1")
        for minute in range(10)
        for number in range(20)
    ]
    path.write_text("".join([*lines, "no log line\n"]), "utf-8")
    return path


@pytest.mark.kinesis
@pytest.mark.minicluster
@pytest.mark.slow
@needs_proc
def test_a_log_goes_through_and_the_command_ends(
    connector_jar: Path, log: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    ended = run(work, "--jar", str(connector_jar), "--rate", "0", str(log))
    assert ended.returncode == 0, ended.stderr
    assert "         201  lines put into the input stream\n" in ended.stdout
    assert "         200  enriched (0 of them late)" in ended.stdout
    assert re.search(r" 1  dead-lettered\n +1 +parse/malformed_line\n", ended.stdout)
    assert "every line is accounted for" in ended.stdout
    assert "window    2025-10-28 10:00   20 requests" in ended.stdout
    # The last windows, which no line of the log closes, have rows too.
    assert "          10  rows of traffic_overview\n" in ended.stdout
    assert "         200  rows of errors_per_page\n" in ended.stdout
    assert list(work.iterdir()) == []
    assert processes_in(work) == []


@contextmanager
def following(work: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with hearing_interrupts():
        process = subprocess.Popen(
            command(*arguments, "--follow"),
            cwd=work,
            env=environment(work),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


@pytest.mark.kinesis
@pytest.mark.minicluster
@pytest.mark.slow
@needs_proc
def test_ctrl_c_ends_everything(connector_jar: Path, log: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with following(work, "--jar", str(connector_jar), "--rate", "0", str(log)) as process:
        assert process.stdout is not None
        seen = next((line for line in process.stdout if line.startswith("enriched")), None)
        assert seen is not None
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors
    assert "lines put into the input stream" in rest
    assert list(work.iterdir()) == []
    assert processes_in(work) == []
