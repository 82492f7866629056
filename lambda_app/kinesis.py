"""Kinesis consumer: enriches the records of a batch and writes them to a stream of its own.

Lambda reads the answer so: the lowest sequence number among `batchItemFailures` becomes
the checkpoint of the shard, and everything from there on comes again, what succeeded included.
So at most one number is reported, the first record that is not done, and nothing behind it is
sent on purpose. An empty list moves the checkpoint past the batch.

What comes again is written again (at least once). The lines of a record keep their `event_id`,
by which a reader can tell duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from aws.put import Delivery, Message
from lambda_app.deadline import Deadline
from lambda_app.errors import EventError
from lambda_app.records import ByteBudget, Record, RecordProcessor
from lambda_app.tally import Tally
from udfs.privacy.text import MASK

# No record is begun beside so much that waits to be sent: what all records of an event unpack to
# need not fit the memory. A record by itself always goes, or its shard would stand still.
_MOST_WAITING_BYTES = 32 * 1024 * 1024


class ItemFailure(TypedDict):
    """One record that is to come again."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The response that Lambda expects with `ReportBatchItemFailures`."""

    batchItemFailures: list[ItemFailure]


class KinesisConsumer:
    """The function behind an event source mapping.

    Args:
        processor: Takes records through the core.
        output: Where enriched records go, in order.
        dead_letters: Where bad lines go.
        pack: Makes the output's messages of enriched records, in their order.
    """

    event_type = "kinesis"

    def __init__(
        self,
        processor: RecordProcessor,
        output: Delivery,
        dead_letters: Delivery,
        *,
        pack: Callable[[Sequence[Message]], Iterable[Message]] = list,
    ) -> None:
        self._processor = processor
        self._output = output
        self._dead_letters = dead_letters
        self._pack = pack

    def run(self, event: Mapping[str, Any], deadline: Deadline, tally: Tally) -> BatchResponse:
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
        enriched: list[Message] = []
        letters: list[Message] = []
        waiting = 0
        for index, processed in enumerate(
            self._processor.process(records, deadline, tally, ByteBudget())
        ):
            assert processed is not None, "there is room for every record"  # noqa: S101
            enriched += [
                Message(line.json, index, _key(line.host, records[index].id))
                for line in processed.enriched
            ]
            letters += [Message(letter, index) for letter in processed.letters]
            waiting += processed.enriched_bytes + processed.letter_bytes
            if waiting > _MOST_WAITING_BYTES:
                tally.deferred += len(records) - index - 1
                break
        bad = {letter.owner for letter in letters}
        done = 0
        if not tally.outage:
            begun = len(records) - tally.deferred
            done = self._deliver(enriched, letters, begun, deadline, tally)
        tally.failed = len(bad | set(range(done, len(records))))
        if done == len(records):
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": records[done].id}]}

    def _deliver(
        self,
        enriched: list[Message],
        letters: list[Message],
        done: int,
        deadline: Deadline,
        tally: Tally,
    ) -> int:
        """Sends what was made of records and returns how many records are done."""
        receipt = self._output.send(self._pack(enriched), deadline.allows)
        tally.note(receipt)
        done = min(receipt.failed, default=done)
        sendable = [letter for letter in letters if letter.owner < done]
        if sendable:
            receipt = self._dead_letters.send(sendable, deadline.allows)
            tally.note(receipt)
            done = min(receipt.failed, default=done)
        return done


def _key(host: str | None, sequence_number: str) -> str:
    """Returns the client as the record shows it. A hidden client leaves no order to keep.

    Any key will do then, but the same key for all clients would fill one shard.
    """
    return sequence_number if not host or host == MASK else host


def _records(event: Mapping[str, Any]) -> list[Record]:
    match event:
        case {"Records": list(records)}:
            return [_record(record) for record in records]
    raise EventError("expected an event of a Kinesis stream, with a list 'Records'")


def _record(record: Any) -> Record:
    match record:
        case {"kinesis": {"sequenceNumber": str(sequence_number), "data": str(data)}}:
            return Record(sequence_number, data)
    raise EventError(
        "expected 'kinesis' with 'sequenceNumber' and 'data' in each record of the Kinesis event"
    )
