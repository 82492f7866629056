"""The wait of `run --kinesis` for output, on a made clock."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tools.local.job import JobError
from tools.local.progress import JobProgress
from tools.run.kinesis.command import _watch
from tools.run.kinesis.view import StreamView

SECONDS_A_LOOK = 40


class FakeJob:
    """A job with one more line at each look, and its windows after the drain."""

    log_file = Path("work/logs/job.log")
    running = True

    def __init__(self, lines: int) -> None:
        self.seconds = 0.0
        self.drained = False
        self._lines = lines

    def progress(self) -> JobProgress:
        return JobProgress("RUNNING", None, None)

    def wait(self, _: float) -> None:
        self.seconds += SECONDS_A_LOOK
        self.running = not self.drained

    def drain(self) -> bool:
        self.drained = True
        return True

    def check(self) -> None:
        pass

    def enriched(self) -> list[dict[str, bytes]]:
        if not self._lines:
            return []
        self._lines -= 1
        return [{"Data": b'{"host":"a"}'}]

    def windows(self) -> list[dict[str, bytes]]:
        return [] if self.running else [{"Data": b"{}"}] * 7


class FakeFeed:
    fed = throttled = 0
    started = done = True

    def check(self) -> None:
        pass


class Tail:
    def __init__(self, read: Any) -> None:
        self.read = read


def watch(job: Any, lines: int, feed: Any = None) -> str:
    shown = io.StringIO()
    tails: Any = {"enriched": Tail(job.enriched), "errors_per_page": Tail(job.windows)}
    feed = feed or FakeFeed()
    feed.fed = lines
    try:
        view = StreamView(shown)
        _watch(job, feed, tails, view, lines, follow=False, clock=lambda: job.seconds)
    except KeyboardInterrupt:
        pass
    return shown.getvalue()


def test_records_that_keep_coming_are_waited_for_and_then_the_windows() -> None:
    shown = watch(FakeJob(5), 5)

    assert "every line is accounted for" in shown
    assert "           7  rows of errors_per_page\n" in shown
    assert "were closed with the log" in shown


def test_the_error_of_a_job_that_gives_nothing_more_names_log_and_folder() -> None:
    expected = (
        r"5 lines fed, but only 3 came out, and nothing more came for 60 s "
        r"\(log: work/logs/job\.log; the run's folder is left: work\)"
    )
    with pytest.raises(JobError, match=expected):
        watch(FakeJob(3), 5)


def test_an_interrupt_before_anything_was_fed_accounts_for_nothing() -> None:
    class Interrupted(FakeJob):
        def progress(self) -> JobProgress:
            raise KeyboardInterrupt

    shown = watch(Interrupted(0), 0)

    assert "nothing was fed" in shown
    assert "accounted for" not in shown
