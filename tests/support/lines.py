"""Log lines of these tests, each of them another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2025, 10, 28, 10, tzinfo=UTC)
BAD = b"not a line of a log"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def line(
    number: int, seconds: float = 0, *, host: str = "203.0.113.9", agent: str = "curl/8.5.0"
) -> bytes:
    """A good line.

    Args:
        number: Makes it another line than all others.
        seconds: Its time, after START.
        host: The client.
        agent: The user agent.
    """
    time = START + timedelta(seconds=seconds)
    return (
        f"{host} - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET /page-{number % 20}.html?n={number} HTTP/1.1" 200 100 "-" "{agent}"'
    ).encode()


def good(first: int, count: int, seconds: float = 0, *, host: str = "203.0.113.9") -> list[bytes]:
    """Lines with the numbers from `first`, within a minute from `seconds` on."""
    return [line(first + n, seconds + n * 59 // count, host=host) for n in range(count)]
