"""What becomes of one input line: exactly one of three outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from udfs.dead_letter import DeadLetter
from udfs.record import AgentPart, ClientPart, ReferrerPart, RequestPart


class Enriched(NamedTuple):
    """A good record: the parts it is made of, and the whole as JSON.

    A NamedTuple because one is made for every line: 0.4 us, a frozen dataclass takes 1.9 us.
    """

    event_time_ms: int
    client: ClientPart
    request: RequestPart
    status: int
    size: int | None
    referrer: ReferrerPart
    agent: AgentPart
    issues: tuple[str, ...]
    client_address: str | None
    """As the log has it, for look-ups; None unless they are wanted."""
    json: str

    @property
    def host(self) -> str | None:
        """The client as the record shows it."""
        return self.client.host

    @property
    def webpage(self) -> str | None:
        """Name of the page asked for."""
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
