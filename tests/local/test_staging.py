"""What becomes of the inputs before the job sees them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flink_app.local.staging import StagedInput, stage
from tests.job.running import log_line


def lines_of(day: int, count: int) -> str:
    return "".join(log_line(f"{day}/May/2015:12:00:{number:02} +0000") for number in range(count))


def text_of(staged: StagedInput) -> str:
    return gzip.decompress(staged.path.read_bytes()).decode()


@contextmanager
def pipe_with(text: str) -> Iterator[str]:
    """The name of a pipe with the text in it, as a shell's `<(...)` is one."""
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
    later, first = tmp_path / "a.log", tmp_path / "b.log"
    later.write_text(lines_of(18, 3))
    first.write_text(lines_of(16, 3))
    assert text_of(stage([str(tmp_path)], tmp_path / "work")) == lines_of(16, 3) + lines_of(18, 3)
