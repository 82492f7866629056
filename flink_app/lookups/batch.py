"""Enriches a batch of source records, look-ups included."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from flink_app.lookups.dns import ReverseDns
from flink_app.lookups.dynamodb import DynamoDbTable
from flink_app.lookups.service import Answers, LookupService, LoopThread
from udfs.enrich.reference import ReferenceFile
from udfs.enrichment import Enricher
from udfs.errors import TransientError
from udfs.lookups.additions import KeyOf, key_of, with_additions
from udfs.lookups.settings import LookupSettings
from udfs.outcomes import Enriched, Outcome
from udfs.quality import LOOKUP_FAILED


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One kind of look-up: what it adds, and with what key."""

    member: str
    key_of: KeyOf
    service: LookupService
    required: bool


@dataclass(slots=True)
class BatchEnricher:
    """The core's enricher and the look-ups behind it.

    Attributes:
        enricher: Made with `client_address=True`.
    """

    enricher: Enricher
    _lookups: list[_Lookup] = field(default_factory=list)
    _file: ReferenceFile | None = None
    _file_key: KeyOf = field(default=lambda _: None)
    _thread: LoopThread | None = None

    @classmethod
    def open(cls, enricher: Enricher, settings: LookupSettings) -> Self:
        """Opens what the settings name.

        Raises:
            ConfigurationError: Something cannot be opened.
        """
        opened = cls(enricher, _file=ReferenceFile.open(settings.reference))
        opened._file_key = key_of(settings.reference.field)
        dns, table = settings.dns, settings.dynamodb
        if not dns.enabled and not table.table:
            return opened
        dns_backend = ReverseDns(dns) if dns.enabled else None
        table_backend = DynamoDbTable(table) if table.table else None
        opened._thread = LoopThread()
        loop = opened._thread.loop
        if dns_backend is not None:
            service = LookupService(dns_backend, dns, loop)
            required = dns.on_failure == "dead_letter"
            opened._lookups.append(_Lookup("hostname", _address, service, required))
        if table_backend is not None:
            service = LookupService(table_backend, table, loop)
            required = table.on_failure == "dead_letter"
            opened._lookups.append(_Lookup("reference", key_of(table.field), service, required))
        return opened

    @property
    def services(self) -> dict[str, LookupService]:
        """Returns the services in use, by the member that they fill."""
        return {lookup.member: lookup.service for lookup in self._lookups}

    def process(self, batch: Sequence[bytes]) -> list[list[Outcome]]:
        """Returns the outcomes of each source record, in order.

        Raises:
            DatabaseError: The GeoIP database is corrupt.
            ConfigurationError: A service can never answer with these settings.
        """
        if self._file is not None:
            self._file.refresh()
        processed = [self.enricher.process(data) for data in batch]
        records = [
            outcome
            for outcomes in processed
            for outcome in outcomes
            if isinstance(outcome, Enriched)
        ]
        # All begin before the first is waited for, so their times do not add up.
        pending = [
            lookup.service.start(
                {key for record in records if (key := lookup.key_of(record)) is not None}
            )
            for lookup in self._lookups
        ]
        answers = [answer.result() for answer in pending]
        return [
            [
                self._complete(outcome, answers) if isinstance(outcome, Enriched) else outcome
                for outcome in outcomes
            ]
            for outcomes in processed
        ]

    def close(self) -> None:
        """Ends look-ups under way and gives back connections."""
        if self._thread is not None:
            self._thread.close()
        for lookup in self._lookups:
            lookup.service.close()

    def _complete(self, outcome: Enriched, answers: list[Answers]) -> Outcome:
        members, failed = [], False
        for lookup, known in zip(self._lookups, answers, strict=True):
            key = lookup.key_of(outcome)
            answer = "null" if key is None else known[key]
            if answer is None:
                failed = True
                if lookup.required:
                    problem = TransientError("enrich", LOOKUP_FAILED, f"no {lookup.member}")
                    return self.enricher.give_up(outcome, problem)
            members.append(f'"{lookup.member}":{answer or "null"}')
        if self._file is not None:
            members.append(f'"reference":{self._file.get(self._file_key(outcome))}')
        return with_additions(outcome, ",".join(members), failed=failed)


@lru_cache(maxsize=65_536)
def _is_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # The zone of a link-local address has a meaning only on the server.
    return "%" not in str(address)


def _address(outcome: Enriched) -> str | None:
    host = outcome.client_address
    return host if host is not None and _is_address(host) else None
