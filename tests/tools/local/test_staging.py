"""The preparation of the inputs for the job."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import pytest

from tests.support.lines import log_line
from tests.udfs.parse.test_formats import ALB
from tools.local import staging
from tools.local.staging import StagedInput, count_events, detected_format, stage
from tools.shell import CommandError


def lines_of(day: int, count: int) -> str:
    return "".join(log_line(f"{day}/May/2015:12:00:{number:02} +0000") for number in range(count))


def text_of(staged: StagedInput) -> str:
    return gzip.decompress(staged.path.read_bytes()).decode()


@contextmanager
def pipe_with(text: str) -> Iterator[str]:
    """Yields the name of a pipe with a text in it, as a shell's `<(...)` does."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as stream:
            stream.write(text)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


def test_pipes_are_read_once_and_in_the_order_given(tmp_path: Path) -> None:
    texts = [lines_of(18, 50), lines_of(16, 50)]
    with ExitStack() as stack:
        pipes = [stack.enter_context(pipe_with(text)) for text in texts]
        staged = stage(pipes, tmp_path / "work")
    assert text_of(staged) == "".join(texts)
    assert (staged.lines, staged.sources) == (100, tuple(pipes))


def test_a_pipe_among_files_leaves_the_order_alone(tmp_path: Path) -> None:
    later = tmp_path / "later.log"
    later.write_text(lines_of(18, 3))
    with pipe_with(lines_of(16, 3)) as pipe:
        staged = stage([str(later), pipe], tmp_path / "work")
    assert text_of(staged) == lines_of(18, 3) + lines_of(16, 3)


def test_files_are_put_in_the_order_of_time(tmp_path: Path) -> None:
    # The order of the names is wrong, and so is that of the arguments.
    later, middle, first = (tmp_path / name for name in ("a.log", "b.log.1", "c.log"))
    later.write_text(lines_of(18, 3))
    middle.write_bytes(gzip.compress(lines_of(17, 3).encode()))
    first.write_text(lines_of(16, 3).rstrip("\n"))
    ordered = lines_of(16, 3) + lines_of(17, 3) + lines_of(18, 3)
    assert text_of(stage([str(tmp_path)], tmp_path / "work")) == ordered
    assert text_of(stage([str(middle), str(later), str(first)], tmp_path / "work")) == ordered


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_dash_is_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: Callable[[bytes], bytes]
) -> None:
    given = BufferedReader(BytesIO(compress(lines_of(16, 3).encode())))
    monkeypatch.setattr("sys.stdin", TextIOWrapper(given))
    assert text_of(stage(["-"], tmp_path / "work")) == lines_of(16, 3)


def test_a_last_line_without_its_end_gets_one(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"a\nb")
    staged = stage([str(log), str(log)], tmp_path / "work")
    assert text_of(staged) == "a\nb\na\nb\n"
    assert (staged.lines, staged.uncompressed_bytes) == (4, 8)


def test_no_name_is_not_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.log").write_text(lines_of(18, 3))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=r"^no such file or folder: ''$"):
        stage([""], tmp_path / "work")


def test_a_name_that_is_too_long_is_the_inputs_fault(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^cannot read x+: File name too long$"):
        stage(["x" * 300], tmp_path / "work")


def test_a_folder_that_cannot_be_listed_is_the_inputs_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    # The error is simulated, as root may read any folder.
    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(CommandError, match=f"^cannot read {tmp_path}: Permission denied$"):
        stage([str(tmp_path)], tmp_path / "work")


@pytest.mark.parametrize("manner", ["rename", "copytruncate"])
def test_a_log_that_is_rotated_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    log, older = tmp_path / "access.log", tmp_path / "access.log.1"
    log.write_text(lines_of(18, 3))
    older.write_text(lines_of(17, 3))
    in_order = staging._in_order_of_time

    def rotated(files: list[str]) -> list[str]:
        ordered = in_order(files)
        # A read by name would lose the lines of the older log, or double those of the newer log.
        if manner == "rename":
            older.rename(tmp_path / "access.log.2")
            log.rename(older)
        else:
            shutil.copyfile(log, older)
        log.write_text("")
        return ordered

    monkeypatch.setattr(staging, "_in_order_of_time", rotated)
    with pytest.raises(CommandError, match=r"access\.log(\.1)? was replaced while the input was"):
        stage([str(tmp_path)], tmp_path / "work")


def test_a_log_that_grows_is_read_as_far_as_it_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "access.log"
    log.write_text(lines_of(18, 3))
    opened = staging._readable

    def grown(stream: IO[bytes], file: str) -> IO[bytes]:
        with log.open("a") as more:
            more.write(lines_of(19, 3) + "the half of a l")
        return opened(stream, file)

    monkeypatch.setattr(staging, "_readable", grown)
    staged = stage([str(log)], tmp_path / "work")
    assert text_of(staged) == lines_of(18, 3) + lines_of(19, 3) + "the half of a l\n"
    assert staged.lines == 7


@pytest.fixture
def ordinary_users() -> Iterator[Path]:
    """Makes a folder of an ordinary user, and runs the test as that user."""
    user = os.geteuid() or 65534
    with TemporaryDirectory() as name:
        os.chown(name, user, -1)
        os.seteuid(user)
        try:
            yield Path(name)
        finally:
            os.seteuid(os.getuid())


@pytest.mark.parametrize("closed", ["logs", "logs/closed.log"])
def test_what_the_user_may_not_read_is_named(ordinary_users: Path, closed: str) -> None:
    logs = ordinary_users / "logs"
    logs.mkdir()
    for name in ("closed.log", "open.log"):
        (logs / name).write_text(lines_of(18, 3))
    (ordinary_users / closed).chmod(0)
    try:
        with pytest.raises(CommandError, match=f"^cannot read .*/{closed}: Permission denied$"):
            stage([str(logs)], ordinary_users / "work")
    finally:
        logs.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_not_the_inputs_fault(tmp_path: Path) -> None:
    log, work = tmp_path / "a.log", tmp_path / "work"
    # The input exceeds any buffer, so the disk fills up while the input is read.
    log.write_bytes(os.urandom(3_000_000))
    work.mkdir()
    (work / "access_log.gz").symlink_to("/dev/full")
    with pytest.raises(CommandError, match=f"^cannot write to {work}: No space left on device$"):
        stage([str(log)], work)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_by_their_first_bytes(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    log = tmp_path / "access_log.txt"
    log.write_bytes(compress(b"\xef\xbb\xbfone\ntwo\n"))
    staged = stage([str(log)], tmp_path / "staged")
    # A byte-order mark does not belong to the first line.
    assert (staged.lines, text_of(staged)) == (2, "one\ntwo\n")


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "zip archive"),
        ("\ufeffa line\n".encode("utf-16-le"), "UTF-16"),
        ("\ufeffa line\n".encode("utf-16-be"), "UTF-16"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(start: bytes, problem: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(start)
    with pytest.raises(CommandError, match=f"cannot read .*{problem}"):
        stage([str(log)], tmp_path / "staged")


def test_a_format_that_is_not_clear_is_an_error(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("level=info msg=started\n" * 3 + log_line("28/Oct/2025:10:15:30 +0000"))
    staged = stage([str(log)], tmp_path / "staged")
    with pytest.raises(CommandError, match=r"1 of 4 lines are combined.*'level=info msg=started'"):
        detected_format(staged)


def test_files_of_load_balancers_are_put_in_order_of_time(tmp_path: Path) -> None:
    for name, time in (("a", "2018-07-02T22:23:00Z"), ("b", "2018-07-02T21:23:00Z")):
        line = ALB.replace("2018-07-02T22:23:00.186641Z", time)
        (tmp_path / name).write_bytes(gzip.compress(f"{line}\n".encode()))
    staged = stage([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "staged")
    assert [Path(source).name for source in staged.sources] == ["b", "a"]
    assert detected_format(staged).format == "alb"


def test_a_line_may_hold_several_events(tmp_path: Path) -> None:
    messages = [{"message": log_line("28/Oct/2025:10:15:30 +0000")}] * 3
    wrapped = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": messages})
    log = tmp_path / "cloudwatch.json"
    log.write_text(f"{wrapped}\n{wrapped}\nnot JSON\n")
    staged = stage([str(log)], tmp_path / "staged")
    assert (staged.lines, count_events(staged)) == (3, 7)
    log.write_text(lines_of(17, 4))
    staged = stage([str(log)], tmp_path / "staged")
    assert count_events(staged) == staged.lines == 4
