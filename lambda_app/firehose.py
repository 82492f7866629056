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
from typing import Any, Literal, NotRequired, TypedDict

from aws.put import Delivery, Message
from lambda_app.deadline import Deadline
from lambda_app.errors import EventError, OutageError
from lambda_app.records import Processed, Record, RecordProcessor, Room
from lambda_app.tally import Tally

type Result = Literal["Ok", "Dropped", "ProcessingFailed"]

RESPONSE_LIMIT = 6 * 1024 * 1024
"""Bytes of JSON that Lambda lets a synchronous call answer."""

# Letters wait until all records are answered. More than these are not sent within a timeout anyway:
# a call to the queue takes ten at most.
_MOST_LETTER_BYTES = 16 * 1024 * 1024


class Answer(TypedDict):
    """The answer about one record."""

    recordId: str
    result: Result
    data: NotRequired[str]


class Response(TypedDict):
    """What Firehose expects."""

    records: list[Answer]


class FirehoseTransformation:
    """The function behind a delivery stream.

    Args:
        processor: Takes records through the core.
        dead_letters: Where bad lines go; None when no place is configured.
    """

    event_type = "firehose"

    def __init__(self, processor: RecordProcessor, dead_letters: Delivery | None) -> None:
        self._processor = processor
        self._dead_letters = dead_letters

    def run(self, event: Mapping[str, Any], deadline: Deadline, tally: Tally) -> Response:
        """Answers one event.

        Raises:
            ConfigurationError: The function's timeout is shorter than its reserve.
            EventError: It is not an event of a delivery stream.
            OutageError: All of it is bad data. Firehose then keeps the batch, and the alarm on
                the function's errors rings; a queue full of dead letters would help nobody.
            DatabaseError: The GeoIP database is corrupt.
        """
        records = _records(event)
        answers = _Answers([record.id for record in records])
        letters: list[Message] = []
        bad: set[int] = set()
        room = Room(answers.room)
        if self._dead_letters is not None:
            room.letters = _MOST_LETTER_BYTES
        for index, processed in enumerate(self._processor.process(records, deadline, tally, room)):
            if processed is None:
                continue
            if processed.letters:
                bad.add(index)
                if self._dead_letters is None:
                    continue
            answers.accept(index, processed)
            letters += [Message(letter, index) for letter in processed.letters]
            room.enriched = answers.room
            room.letters -= processed.letter_bytes
        if tally.outage:
            raise OutageError(tally.dead_lettered.total(), tally.main_problem())
        if self._dead_letters is not None and letters:
            receipt = self._dead_letters.send(letters, deadline.allows)
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
            {"recordId": record_id, "result": "ProcessingFailed"} for record_id in ids
        ]
        # Base64 needs no escapes, so what an answer adds later need only be counted (hot path).
        self._size = len(json.dumps({"records": self._answers}))

    @property
    def room(self) -> int:
        """Bytes that the lines of one more record may have."""
        return (RESPONSE_LIMIT - self._size - len(', "data": ""')) // 4 * 3

    def accept(self, index: int, processed: Processed) -> None:
        """Takes the answer of a record for which there is room."""
        record_id = self._answers[index]["recordId"]
        if not processed.enriched:
            # Shorter than ProcessingFailed.
            self._answers[index] = {"recordId": record_id, "result": "Dropped"}
            return
        lines = b"".join([b"%b\n" % line.json for line in processed.enriched])
        data = binascii.b2a_base64(lines, newline=False).decode("ascii")
        self._answers[index] = {"recordId": record_id, "result": "Ok", "data": data}
        self._size += len(', "data": ""') + len(data)

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


def _records(event: Mapping[str, Any]) -> list[Record]:
    match event:
        case {"records": list(records)}:
            return [_record(record) for record in records]
    raise EventError("expected an event of a Firehose delivery stream, with a list 'records'")


def _record(record: Any) -> Record:
    match record:
        case {"recordId": str(record_id), "data": str(data)}:
            return Record(record_id, data)
    raise EventError("expected a 'recordId' and 'data' in each record of the Firehose event")
