"""Firehose transformation: each record of the event is answered once and in order.

- `Ok`: the enriched records of its lines, each ended by a line break; where Firehose partitions,
  with the keys of the first of them.
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
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

from aws.put import Delivery, Message
from lambda_app.deadline import Deadline
from lambda_app.errors import EventError, OutageError
from lambda_app.records import ByteBudget, Line, ProcessedRecord, Record, RecordProcessor
from lambda_app.settings import PartitionBy
from lambda_app.tally import Tally
from udfs.parse.timestamps import iso_utc

type Result = Literal["Ok", "Dropped", "ProcessingFailed"]

RESPONSE_LIMIT = 6 * 1024 * 1024
"""Bytes of JSON that Lambda lets a synchronous call answer."""

# Letters wait until all records are answered. More than these are not sent within a timeout anyway:
# a call to the queue takes ten at most.
_MOST_LETTER_BYTES = 16 * 1024 * 1024


class Metadata(TypedDict):
    """The keys that Firehose makes a record's folder of."""

    partitionKeys: dict[str, str]


class Answer(TypedDict):
    """The answer about one record."""

    recordId: str
    result: Result
    data: NotRequired[str]
    metadata: NotRequired[Metadata]


class TransformationResponse(TypedDict):
    """The response that Firehose expects."""

    records: list[Answer]


class FirehoseTransformation:
    """The function behind a delivery stream.

    Args:
        processor: Takes records through the core.
        dead_letters: Where bad lines go; None when no place is configured.
        partition_by: What folders Firehose is given keys for.
    """

    event_type = "firehose"

    def __init__(
        self,
        processor: RecordProcessor,
        dead_letters: Delivery | None,
        partition_by: PartitionBy = "none",
    ) -> None:
        self._processor = processor
        self._dead_letters = dead_letters
        self._partitions = _PARTITIONS.get(partition_by)

    def run(
        self, event: Mapping[str, Any], deadline: Deadline, tally: Tally
    ) -> TransformationResponse:
        """Answers one event.

        Raises:
            ConfigurationError: The function's timeout is shorter than its reserve.
            EventError: It is not an event of a delivery stream.
            OutageError: All of it is bad data. Firehose then keeps the batch, and the alarm on
                the function's errors rings; a queue full of dead letters would help nobody.
            DatabaseError: The GeoIP database is corrupt.
        """
        records = _records(event)
        answers = _Answers([record.id for record in records], self._partitions)
        letters: list[Message] = []
        bad: set[int] = set()
        budget = ByteBudget(answers.room)
        if self._dead_letters is not None:
            budget.letters = _MOST_LETTER_BYTES
        outcomes = self._processor.process(records, deadline, tally, budget)
        for index, processed in enumerate(outcomes):
            if processed is None:
                continue
            if processed.letters:
                bad.add(index)
                if self._dead_letters is None:
                    continue
            answers.accept(index, processed)
            if self._partitions is not None:
                tally.misfiled += self._partitions.misfiled(processed.enriched)
            letters += [Message(letter, index) for letter in processed.letters]
            budget.enriched = answers.room
            budget.letters -= processed.letter_bytes
        if tally.outage:
            raise OutageError(tally.dead_lettered.total(), tally.main_problem())
        if self._dead_letters is not None and letters:
            receipt = self._dead_letters.send(letters, deadline.allows)
            tally.note(receipt)
            for index in receipt.failed:
                answers.fail(index)
        tally.failed = len(bad | answers.failed())
        return {"records": answers.all()}


class _Partitions(NamedTuple):
    """Folders by event time in UTC, the same as the job's file sink makes.

    Attributes:
        milliseconds: What a folder covers.
        parts: The keys, as parts of a time in ISO 8601.
    """

    milliseconds: int
    parts: Mapping[str, slice]

    def keys(self, event_time_ms: int) -> dict[str, str]:
        """Returns the keys of a time. They are equally long for all times."""
        text = iso_utc(event_time_ms)
        return {name: text[part] for name, part in self.parts.items()}

    def misfiled(self, lines: Sequence[Line]) -> int:
        """Returns how many lines of a record belong in another folder than its first.

        Firehose takes one answer for a record, with one set of keys, so a record can't be split.
        """
        folders = [line.event_time_ms // self.milliseconds for line in lines]
        return len(folders) - folders.count(folders[0]) if folders else 0


_DATE = {"event_date": slice(10)}
_PARTITIONS = {
    "date": _Partitions(86_400_000, _DATE),
    "hour": _Partitions(3_600_000, {**_DATE, "event_hour": slice(11, 13)}),
}


class _Answers:
    """Answers that fit one response together.

    All start as ProcessingFailed, whose room is always kept, so whatever happens later every
    record has an answer.
    """

    def __init__(self, ids: Sequence[str], partitions: _Partitions | None) -> None:
        self._partitions = partitions
        self._answers: list[Answer] = [
            {"recordId": record_id, "result": "ProcessingFailed"} for record_id in ids
        ]
        # Base64 needs no escapes, so what an answer adds later need only be counted (hot path).
        self._size = len(json.dumps({"records": self._answers}))
        bare = {"recordId": "", "result": "Ok"}
        self._overhead = len(json.dumps(self._ok("", "", 0))) - len(json.dumps(bare))

    @property
    def room(self) -> int:
        """Returns the bytes that the lines of one more record may have."""
        return (RESPONSE_LIMIT - self._size - self._overhead) // 4 * 3

    def accept(self, index: int, processed: ProcessedRecord) -> None:
        """Takes the answer of a record for which there is room."""
        record_id = self._answers[index]["recordId"]
        if not processed.enriched:
            # Shorter than ProcessingFailed.
            self._answers[index] = {"recordId": record_id, "result": "Dropped"}
            return
        lines = b"".join([b"%b\n" % line.json for line in processed.enriched])
        data = binascii.b2a_base64(lines, newline=False).decode("ascii")
        self._answers[index] = self._ok(record_id, data, processed.enriched[0].event_time_ms)
        self._size += self._overhead + len(data)

    def _ok(self, record_id: str, data: str, event_time_ms: int) -> Answer:
        answer: Answer = {"recordId": record_id, "result": "Ok", "data": data}
        if self._partitions is not None:
            answer["metadata"] = {"partitionKeys": self._partitions.keys(event_time_ms)}
        return answer

    def fail(self, index: int) -> None:
        """Makes a record ProcessingFailed after all."""
        answer = self._answers[index]
        self._answers[index] = {"recordId": answer["recordId"], "result": "ProcessingFailed"}

    def failed(self) -> set[int]:
        """Returns the indices of the records that are ProcessingFailed."""
        return {
            index
            for index, answer in enumerate(self._answers)
            if answer["result"] == "ProcessingFailed"
        }

    def all(self) -> list[Answer]:
        """Returns the answers in the order of the records."""
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
