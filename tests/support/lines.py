"""Log lines for tests of a job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.support.core import FIREFOX, combined

START = datetime(2025, 10, 28, 10, tzinfo=UTC)
BAD = b"not a line of a log"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def log_line(
    time: str,
    *,
    host: str = "203.0.113.9",
    request: str = "GET /a.html HTTP/1.1",
    status: int = 200,
    size: str = "100",
    agent: str = "-",
) -> str:
    """Returns a line with its line break, of a client that says little."""
    line = combined(
        timestamp=time,
        host=host,
        request=request,
        status=str(status),
        size=size,
        referer="-",
        agent=agent,
    )
    return line + "\n"


def line(
    number: int, seconds: float = 0, *, host: str = "203.0.113.9", agent: str = FIREFOX
) -> bytes:
    """Returns a good line without its line break.

    Args:
        number: Makes the line differ from all others.
        seconds: Its time, counted from `START`.
        host: The client.
        agent: The user agent.
    """
    time = START + timedelta(seconds=seconds)
    request = f"GET /page-{number % 20}.html?n={number} HTTP/1.1"
    text = log_line(f"{time:%d/%b/%Y:%H:%M:%S} +0000", host=host, request=request, agent=agent)
    return text.rstrip("\n").encode()


def good(first: int, count: int, seconds: float = 0, *, host: str = "203.0.113.9") -> list[bytes]:
    """Returns lines with the numbers from `first`, within a minute from `seconds`."""
    return [line(first + n, seconds + n * 59 // count, host=host) for n in range(count)]
