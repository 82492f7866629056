"""The three outcomes, of which an input line has exactly one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from udfs.letters.dead_letter import DeadLetter
from udfs.record.encode import AgentPart, ClientPart, ReferrerPart, RequestPart

# Blank lines are no evidence that the data is good.
_NO_EVIDENCE = frozenset({"blank_line"})


class Origin(NamedTuple):
    """Where an enriched record came from, for look-ups that may yet fail."""

    client_address: str
    """As the log has it, be it hidden in the record."""
    raw: bytes
    """The event's bytes."""
    attempt: int
    """How often it has come in, with this time."""


class Enriched(NamedTuple):
    """A good record: the parts it is made of, and the whole as JSON.

    A NamedTuple, which is made faster than a frozen dataclass: every line makes one (hot path).
    """

    event_time_ms: int
    client: ClientPart
    request: RequestPart
    status: int
    size: int | None
    """Bytes that enter sums; None where there are none, and where the size is impossible."""
    request_time_ms: int | None
    """Where the format has it."""
    referrer: ReferrerPart
    agent: AgentPart
    issues: tuple[str, ...]
    origin: Origin | None
    """For look-ups; None unless they are wanted."""
    json: str

    @property
    def client_address(self) -> str | None:
        """Returns the client's address as the log has it; None without look-ups."""
        return None if self.origin is None else self.origin.client_address

    @property
    def host(self) -> str | None:
        """Returns the client as the record shows it."""
        return self.client.host

    @property
    def webpage(self) -> str | None:
        """Returns the name of the page asked for."""
        return self.request.webpage


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


def good_lines(enriched: int, filtered: Mapping[str, int]) -> int:
    """Returns how many lines show that the data is good: enriched ones, and filtered by a rule.

    Args:
        enriched: Number of enriched lines.
        filtered: Numbers of filtered lines, by reason.
    """
    return enriched + sum(n for reason, n in filtered.items() if reason not in _NO_EVIDENCE)
