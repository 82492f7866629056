"""Firehose transformation: each record of the event is answered once and in order.

- `Ok`: the enriched records of its lines, each ended by a line break.
- `Dropped`: all its lines were filtered, or were bad and are in the dead-letter queue.
- `ProcessingFailed`: it could not be processed or delivered now. Firehose does not call again
  for it but keeps the original below `processing-failed` in its bucket.

A record is one of these as a whole: dead letters of a failed record are not sent, or its bad
lines would come twice when the record is put in again.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from lambda_app.deadline import Deadline
from lambda_app.delivery import Delivery, Message
from lambda_app.errors import EventError, OutageError
from lambda_app.records import Processed, RecordProcessor
from lambda_app.settings import FunctionSettings
from lambda_app.tally import Tally

type Result = Literal["Ok", "Dropped", "ProcessingFailed"]

RESPONSE_LIMIT = 6 * 1024 * 1024
"""Bytes of JSON that Lambda lets a synchronous call answer."""


class Answer(TypedDict):
    """What is said of one record."""

    recordId: str
    result: Result
    data: NotRequired[str]


class Response(TypedDict):
    """What Firehose expects."""

    records: list[Answer]


@dataclass(frozen=True, slots=True)
class _Record:
    id: str
    data: str


class FirehoseTransformation:
    """The function behind a delivery stream.

    Args:
        processor: Takes records through the core.
        dead_letters: Where bad lines go; None when no place is configured.
        settings: How the function runs.
    """

    event_type = "firehose"

    def __init__(
        self,
        processor: RecordProcessor,
        dead_letters: Delivery | None,
        settings: FunctionSettings,
    ) -> None:
        self._processor = processor
        self._dead_letters = dead_letters
        self._reserve = settings.timeout_reserve.total_seconds()
        self._outage_minimum = settings.outage_minimum_lines

    def run(self, event: Mapping[str, Any], deadline: Deadline, tally: Tally) -> Response:
        """Answers one event.

        Raises:
            ConfigurationError: The function's timeout is shorter than its reserve.
            EventError: It is not an event of a delivery stream.
            OutageError: All of it is bad data. Firehose then keeps the batch, and the alarm on
                the function's errors tells; a queue full of dead letters would help nobody.
            DatabaseError: The GeoIP database is corrupt.
        """
        records = _records(event)
        tally.records = len(records)
        deadline.check(self._reserve)
        answers = _Answers([record.id for record in records])
        letters: list[Message] = []
        bad: set[int] = set()
        for index, record in enumerate(records):
            if not deadline.allows(self._reserve):
                tally.deferred += len(records) - index
                break
            processed = self._processor.process(record.data, tally)
            if processed.letters:
                bad.add(index)
            if self._dead_letters is None and processed.letters:
                continue
            if answers.accept(index, processed):
                letters += [Message(letter.encode(), index) for letter in processed.letters]
            else:
                tally.deferred += 1
        if tally.is_outage(self._outage_minimum):
            tally.outage = True
            raise OutageError(tally.dead_lettered.total(), tally.main_problem())
        if self._dead_letters is not None and letters:
            receipt = self._dead_letters.send(letters, deadline)
            tally.note(receipt)
            for index in receipt.failed:
                answers.fail(index)
        tally.failed = len(bad | answers.failed())
        return {"records": answers.all()}


class _Answers:
    """Answers that fit one response together.

    All start as ProcessingFailed, whose room is always kept, so whatever happens later every
    record has an answer.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._answers: list[Answer] = [
            {"recordId": one, "result": "ProcessingFailed"} for one in ids
        ]
        # Base64 needs no escapes, so that what an answer adds later need only be counted: 4 us a
        # record less than writing JSON to learn its length.
        self._size = len(json.dumps({"records": self._answers}))

    def accept(self, index: int, processed: Processed) -> bool:
        """Takes a record's answer if it fits, and tells whether it does."""
        record_id = self._answers[index]["recordId"]
        if not processed.enriched:
            self._answers[index] = {"recordId": record_id, "result": "Dropped"}
            return True  # Shorter than ProcessingFailed.
        lines = "".join([f"{one.json}\n" for one in processed.enriched])
        data = binascii.b2a_base64(lines.encode(), newline=False).decode("ascii")
        size = self._size + len(', "data": ""') + len(data)
        if size > RESPONSE_LIMIT:
            return False
        self._answers[index] = {"recordId": record_id, "result": "Ok", "data": data}
        self._size = size
        return True

    def fail(self, index: int) -> None:
        """Makes a record ProcessingFailed after all."""
        answer = self._answers[index]
        self._answers[index] = {"recordId": answer["recordId"], "result": "ProcessingFailed"}

    def failed(self) -> set[int]:
        """Indices of the records that are ProcessingFailed."""
        return {
            index
            for index, answer in enumerate(self._answers)
            if answer["result"] == "ProcessingFailed"
        }

    def all(self) -> list[Answer]:
        """The answers in the order of the records."""
        return self._answers


def _records(event: Mapping[str, Any]) -> list[_Record]:
    match event:
        case {"records": list(records)}:
            return [_record(one) for one in records]
    raise EventError("expected an event of a Firehose delivery stream, with a list 'records'")


def _record(one: Any) -> _Record:
    match one:
        case {"recordId": str(record_id), "data": str(data)}:
            return _Record(record_id, data)
    raise EventError("expected a 'recordId' and 'data' in each record of the Firehose event")
