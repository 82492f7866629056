"""What becomes of one input line: exactly one of three outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from udfs.dead_letter import DeadLetter


class Enriched(NamedTuple):
    """A good record: what windows and filters need as values, and the whole as JSON.

    A NamedTuple because one is made for every line: 0.4 us, a frozen dataclass takes 1.9 us.
    """

    event_time_ms: int
    host: str | None
    """As the record shows it."""
    webpage: str | None
    status: int
    size: int | None
    country: str | None
    device_type: str
    browser: str | None
    os: str | None
    referer_type: str
    referring_site: str | None
    is_bot: bool
    issues: tuple[str, ...]
    client_address: str | None
    """As the log has it, for look-ups; None unless they are wanted."""
    json: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """A record left out on purpose; its JSON holds no personal data."""

    event_time_ms: int | None
    reason: str
    json: str


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A record that could not be used."""

    letter: DeadLetter
    json: str


type Outcome = Enriched | Filtered | DeadLettered
