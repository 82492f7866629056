"""The display of output records by `run --kinesis`."""

from __future__ import annotations

import io
import json

import pytest

from tools.local.progress import JobProgress
from tools.run.kinesis import view as kinesis_view
from tools.run.kinesis.view import StreamView


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


def test_accounts_add_up(shown: io.StringIO) -> None:
    view = StreamView(shown)
    view.records("enriched", [b'{"host":"a"}', b'{"host":"b"}'])
    view.records("late", [b'{"host":"b"}'])
    view.records("filtered", [b'{"reason":"blank_line"}'])
    view.records(
        "dead_letters", [b'{"stage":"parse","reason":"malformed_line","message":"no log line"}']
    )
    view.records("errors_per_page", [b"{}"] * 3)
    assert view.accounted_for == 4
    view.summary(fed=5, throttled=7, whole=False)
    text = shown.getvalue()
    assert "dead      parse/malformed_line: no log line\n" in text
    assert "           5  lines put into the input stream (7 put again after throttling)\n" in text
    assert "           2  enriched (1 of them late)" in text
    assert "           1      blank_line\n" in text
    assert "1 are on their way" in text
    assert "           3  rows of errors_per_page\n" in text
    assert "windows that had not closed, or were on their way, are not counted" in text


def test_a_restart_shows_as_lines_that_came_twice(shown: io.StringIO) -> None:
    view = StreamView(shown)
    view.records("enriched", [b'{"host":"a"}'] * 3)
    view.summary(fed=2, throttled=0, whole=True)
    assert "              1 came out again after a restart" in shown.getvalue()


def test_windows_are_shown_in_order_of_time(shown: io.StringIO) -> None:
    def window(start: str) -> bytes:
        row = {"requests": 20, "bytes_sent": 2_500_000, "error_rate": 0.25, "bot_share": 0.5}
        return json.dumps({"window_start": start, **row}).encode()

    StreamView(shown).records(
        "traffic_overview", [window("2025-10-28T10:01:00Z"), window("2025-10-28T10:00:00Z")]
    )
    assert shown.getvalue() == (
        "window    2025-10-28 10:00   20 requests, 2.5 MB, 25.0% errors, 50% bots\n"
        "window    2025-10-28 10:01   20 requests, 2.5 MB, 25.0% errors, 50% bots\n"
    )


def test_a_record_cannot_command_the_terminal(shown: io.StringIO) -> None:
    view = StreamView(shown)
    record = {"host": "h", "country": None, "response": "200", "method": "GET"}
    view.records("enriched", [json.dumps({**record, "path": "/\x1b[2J\r\n" + "x" * 500}).encode()])
    view.tick(fed=1)
    (line,) = shown.getvalue().splitlines()
    assert "\x1b" not in line
    assert len(line) <= kinesis_view._WIDTH + 10


def test_a_state_is_shown_when_it_changes(shown: io.StringIO) -> None:
    view = StreamView(shown)
    for state in ("CREATED", "RUNNING", "RUNNING"):
        view.state(JobProgress(state=state, lines=None, failure=None))
    view.state(None)
    assert shown.getvalue() == "Flink     created\nFlink     running\n"
