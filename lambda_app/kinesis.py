"""Kinesis consumer: enriches the records of a batch and writes them to a stream of its own.

What Lambda makes of the answer: the lowest sequence number among `batchItemFailures` becomes
the checkpoint of the shard, and everything from there on comes again, what succeeded included.
So at most one number is reported, the first record that is not done, and nothing behind it is
sent on purpose. An empty list moves the checkpoint past the batch.

What comes again is written again (at least once). The lines of a record keep their `event_id`,
by which a reader can tell duplicates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from lambda_app.deadline import Deadline
from lambda_app.delivery import Delivery, Message
from lambda_app.errors import EventError
from lambda_app.records import RecordProcessor
from lambda_app.settings import FunctionSettings
from lambda_app.tally import Tally
from lambda_app.targets import OutputTarget
from udfs.privacy.text import MASK


class ItemFailure(TypedDict):
    """One record that is to come again."""

    itemIdentifier: str


class Response(TypedDict):
    """What Lambda expects with `ReportBatchItemFailures`."""

    batchItemFailures: list[ItemFailure]


@dataclass(frozen=True, slots=True)
class _Record:
    sequence_number: str
    data: str


class KinesisConsumer:
    """The function behind an event source mapping.

    Args:
        processor: Takes records through the core.
        output: Where enriched records go.
        delivery: Sends them there, in order.
        dead_letters: Where bad lines go.
        settings: How the function runs.
    """

    event_type = "kinesis"

    def __init__(
        self,
        processor: RecordProcessor,
        output: OutputTarget,
        delivery: Delivery,
        dead_letters: Delivery,
        settings: FunctionSettings,
    ) -> None:
        self._processor = processor
        self._output = output
        self._delivery = delivery
        self._dead_letters = dead_letters
        self._reserve = settings.timeout_reserve.total_seconds()
        self._outage_minimum = settings.outage_minimum_lines

    def run(self, event: Mapping[str, Any], deadline: Deadline, tally: Tally) -> Response:
        """Answers one event.

        When all of it is bad data the first record is reported: the shard stands still and the
        alarms ring. Raising instead would make Lambda halve the batch again and again, down to
        pieces that are too small to be taken for an outage.

        Raises:
            ConfigurationError: The function's timeout is shorter than its reserve.
            EventError: It is not an event of a Kinesis stream.
            DatabaseError: The GeoIP database is corrupt.
        """
        records = _records(event)
        tally.records = len(records)
        deadline.check(self._reserve)
        enriched: list[Message] = []
        letters: list[Message] = []
        done = len(records)
        for index, record in enumerate(records):
            if not deadline.allows(self._reserve):
                tally.deferred = len(records) - index
                done = index
                break
            processed = self._processor.process(record.data, tally)
            enriched += [
                Message(one.json.encode(), index, _key(one.host, record.sequence_number))
                for one in processed.enriched
            ]
            letters += [Message(letter.encode(), index) for letter in processed.letters]
        bad = {letter.owner for letter in letters}
        if tally.is_outage(self._outage_minimum):
            tally.outage = True
            done = 0
        else:
            done = self._deliver(enriched, letters, done, deadline, tally)
        tally.failed = len(bad | set(range(done, len(records))))
        if done == len(records):
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": records[done].sequence_number}]}

    def _deliver(
        self,
        enriched: list[Message],
        letters: list[Message],
        done: int,
        deadline: Deadline,
        tally: Tally,
    ) -> int:
        """Sends what was made of records and returns how many records are done."""
        receipt = self._delivery.send(self._output.pack(enriched), deadline)
        tally.note(receipt)
        done = min(receipt.failed, default=done)
        sendable = [letter for letter in letters if letter.owner < done]
        if sendable:
            receipt = self._dead_letters.send(sendable, deadline)
            tally.note(receipt)
            done = min(receipt.failed, default=done)
        return done


def _key(host: str | None, sequence_number: str) -> str:
    """The client as the record shows it; one that is hidden leaves no order to keep.

    Any key will do then, but one for all clients would fill one shard.
    """
    return sequence_number if not host or host == MASK else host


def _records(event: Mapping[str, Any]) -> list[_Record]:
    match event:
        case {"Records": list(records)}:
            return [_record(one) for one in records]
    raise EventError("expected an event of a Kinesis stream, with a list 'Records'")


def _record(one: Any) -> _Record:
    match one:
        case {"kinesis": {"sequenceNumber": str(sequence_number), "data": str(data)}}:
            return _Record(sequence_number, data)
    raise EventError(
        "expected 'kinesis' with 'sequenceNumber' and 'data' in each record of the Kinesis event"
    )
