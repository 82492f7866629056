"""The records of an event through the core."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

from lambda_app.deadline import Deadline
from lambda_app.payload import decode_base64
from lambda_app.settings import Settings
from lambda_app.tally import Tally
from udfs.enrich.reference import ReferenceFile
from udfs.enrichment import Enricher
from udfs.errors import ValidationError
from udfs.lookups.additions import key_of, with_additions
from udfs.outcomes import DeadLettered, Enriched, Outcome


class Record(NamedTuple):
    """One record of an event.

    Attributes:
        id: What the answer calls it by.
        data: Base64 text of its lines, compressed or plain.
    """

    id: str
    data: str


class Line(NamedTuple):
    """An enriched record.

    Attributes:
        json: Its JSON.
        host: The client as it shows it.
        event_time_ms: When it happened, in milliseconds since 1970-01-01 UTC.
    """

    json: bytes
    host: str | None
    event_time_ms: int


@dataclass(slots=True)
class ProcessedRecord:
    """The lines of one record, after processing.

    Attributes:
        enriched: Its good lines.
        letters: Dead letters of its bad lines, as JSON.
        enriched_bytes: Bytes of the good lines, each with a line break.
        letter_bytes: Bytes of the dead letters.
    """

    enriched: list[Line] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)
    enriched_bytes: int = 0
    letter_bytes: int = 0


@dataclass(slots=True)
class ByteBudget:
    """Bytes of JSON that there is still room for; whoever takes what came of records fills it.

    A record of a few kilobytes can become a hundred megabytes.

    Attributes:
        enriched: For the good lines of a record.
        letters: For the dead letters of a record.
    """

    enriched: int = sys.maxsize
    letters: int = sys.maxsize


class RecordProcessor:
    """Takes records as an event carries them, and counts what becomes of their lines.

    Args:
        enricher: The core.
        settings: What the core was made with, and how the function runs.

    Raises:
        ConfigurationError: The reference file cannot be used.
    """

    def __init__(self, enricher: Enricher, settings: Settings) -> None:
        self._enricher = enricher
        self._reserve = settings.function.timeout_reserve.total_seconds()
        self._outage_minimum = settings.function.outage_minimum_lines
        # A basic record has nothing yet to look up.
        is_basic = settings.core.pipeline.stage == "basic"
        self._reference = None if is_basic else ReferenceFile.open(settings.reference)
        self._key_of = key_of(settings.reference.field)

    def process(
        self, records: Sequence[Record], deadline: Deadline, tally: Tally, budget: ByteBudget
    ) -> Iterator[ProcessedRecord | None]:
        """Processes records in their order while there is time; the rest of them is deferred.

        Gives None for a record that there is no room for, as soon as that is known. It is
        deferred too.

        Raises:
            ConfigurationError: The function's timeout is shorter than its reserve.
            DatabaseError: The GeoIP database is corrupt.
        """
        tally.records = len(records)
        deadline.check(self._reserve)
        for index, record in enumerate(records):
            if not deadline.allows(self._reserve):
                tally.deferred += len(records) - index
                break
            start = perf_counter()
            processed = self._process(record.data, tally, budget)
            tally.enrichment_seconds += perf_counter() - start
            tally.outage = tally.is_outage(self._outage_minimum)
            tally.deferred += processed is None
            yield processed

    def _process(self, text: str, tally: Tally, budget: ByteBudget) -> ProcessedRecord | None:
        processed = ProcessedRecord()
        for outcome in self._outcomes(text):
            if isinstance(outcome, Enriched):
                tally.enriched += 1
                line = Line(outcome.json.encode(), outcome.host, outcome.event_time_ms)
                processed.enriched.append(line)
                processed.enriched_bytes += len(line.json) + 1
                if processed.enriched_bytes > budget.enriched:
                    return None
            elif isinstance(outcome, DeadLettered):
                letter = outcome.letter
                tally.dead_lettered[f"{letter.stage}/{letter.reason}"] += 1
                body = outcome.json.encode()
                processed.letters.append(body)
                processed.letter_bytes += len(body)
                if processed.letter_bytes > budget.letters:
                    return None
            else:
                tally.filtered[outcome.reason] += 1
        return processed

    def _outcomes(self, text: str) -> Iterable[Outcome]:
        try:
            data = decode_base64(text)
        except ValidationError as error:
            return [self._enricher.refuse(text.encode(), error)]
        outcomes = self._enricher.process_lazily(data)
        reference = self._reference
        if reference is None:
            return outcomes
        reference.refresh()
        return (
            self._with_reference(outcome, reference) if isinstance(outcome, Enriched) else outcome
            for outcome in outcomes
        )

    def _with_reference(self, outcome: Enriched, reference: ReferenceFile) -> Enriched:
        attributes = reference.get(self._key_of(outcome))
        return with_additions(outcome, f'"reference":{attributes}')
