"""The records of an event through the core."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
from udfs.letters.dead_letter import DeadLetter
from udfs.lookups.additions import key_of, with_additions
from udfs.outcomes import DeadLettered, Enriched, Outcome
from udfs.parse.timestamps import iso_utc
from udfs.privacy.rules import rules_of


class Record(NamedTuple):
    """One record of an event.

    Attributes:
        id: What the answer calls it by.
        data: Base64 text of its lines, compressed or plain.
    """

    id: str
    data: str


@dataclass(slots=True)
class Processed:
    """What came of one record.

    Attributes:
        enriched: Its good lines.
        letters: Dead letters of its bad lines, as JSON.
    """

    enriched: list[Enriched] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)


class RecordProcessor:
    """Takes records as an event carries them, and counts what becomes of their lines.

    Args:
        enricher: The core.
        settings: What the core was made with, and how the function runs.
        clock: Seconds since 1970-01-01 UTC.

    Raises:
        ConfigurationError: The reference file cannot be used.
    """

    def __init__(
        self, enricher: Enricher, settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._enricher = enricher
        self._reserve = settings.function.timeout_reserve.total_seconds()
        self._outage_minimum = settings.function.outage_minimum_lines
        self._clock = clock
        # A basic record has nothing yet to look up.
        is_basic = settings.core.pipeline.stage == "basic"
        self._reference = None if is_basic else ReferenceFile.open(settings.reference)
        self._key_of = key_of(settings.reference.field)
        # Nobody can mask the inside of data that cannot be unpacked.
        rules = rules_of(settings.core.privacy, settings.core.dead_letters)
        self._shows_packed_data = rules.dead_letters == "raw"
        self._max_letter_bytes = settings.core.dead_letters.max_bytes

    def process(
        self, records: Sequence[Record], deadline: Deadline, tally: Tally
    ) -> Iterator[Processed]:
        """Processes records in their order while there is time; the rest of them is deferred.

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
            yield self._process(record.data, tally)
        tally.outage = tally.is_outage(self._outage_minimum)

    def _process(self, text: str, tally: Tally) -> Processed:
        processed = Processed()
        start = perf_counter()
        outcomes = self._outcomes(text)
        tally.enrichment_seconds += perf_counter() - start
        for outcome in outcomes:
            if isinstance(outcome, Enriched):
                processed.enriched.append(outcome)
            elif isinstance(outcome, DeadLettered):
                letter = outcome.letter
                tally.dead_lettered[f"{letter.stage}/{letter.reason}"] += 1
                processed.letters.append(outcome.json)
            else:
                tally.filtered[outcome.reason] += 1
        tally.enriched += len(processed.enriched)
        return processed

    def _outcomes(self, text: str) -> list[Outcome]:
        try:
            data = decode_base64(text)
        except ValidationError as error:
            return [self._dead_letter(error, text.encode())]
        outcomes = self._enricher.process(data)
        if self._reference is None:
            return outcomes
        self._reference.refresh()
        return [
            self._with_reference(outcome, self._reference)
            if isinstance(outcome, Enriched)
            else outcome
            for outcome in outcomes
        ]

    def _with_reference(self, outcome: Enriched, reference: ReferenceFile) -> Enriched:
        attributes = reference.get(self._key_of(outcome))
        return with_additions(outcome, f'"reference":{attributes}')

    def _dead_letter(self, problem: ValidationError, raw: bytes) -> DeadLettered:
        stage, reason, message = problem.stage, problem.reason, problem.message
        if self._shows_packed_data:
            letter = DeadLetter(stage, reason, message, raw)
        else:
            letter = DeadLetter(stage, reason, message, None, raw_privacy="omitted")
        failed_at = iso_utc(int(self._clock() * 1000))
        return DeadLettered(letter, letter.to_json(failed_at, self._max_letter_bytes))
