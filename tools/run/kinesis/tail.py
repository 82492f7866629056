"""Reads what appears in a Kinesis stream, shard by shard."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

_RECORDS_A_CALL = 10_000


class _Start(TypedDict):
    ShardIteratorType: Literal["TRIM_HORIZON", "AT_TIMESTAMP"]
    Timestamp: NotRequired[datetime]


class StreamTail:
    """All records of a stream, each once.

    Args:
        client: Client of Kinesis by boto3.
        stream: Name of the stream.
        since: Leaves out what came before this time; None leaves out nothing.
    """

    def __init__(self, client: KinesisClient, stream: str, since: datetime | None = None) -> None:
        self._client = client
        self._stream = stream
        self._start: _Start = {"ShardIteratorType": "TRIM_HORIZON"}
        if since is not None:
            self._start = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": since}
        # None: a shard that was closed and is read to its end.
        self._iterators: dict[str, str | None] = {}

    def read(self) -> list[RecordTypeDef]:
        """Returns what has come since the last call; in order within each shard."""
        self._find_shards()
        records: list[RecordTypeDef] = []
        for shard, iterator in self._iterators.items():
            at: str | None = iterator
            while at is not None:
                answer = self._client.get_records(ShardIterator=at, Limit=_RECORDS_A_CALL)
                at = answer.get("NextShardIterator")
                self._iterators[shard] = at
                records += answer["Records"]
                if not answer["MillisBehindLatest"]:
                    break
        return records

    def _find_shards(self) -> None:
        answer = self._client.list_shards(StreamName=self._stream)
        for shard in (description["ShardId"] for description in answer["Shards"]):
            if shard not in self._iterators:
                self._iterators[shard] = self._client.get_shard_iterator(
                    StreamName=self._stream, ShardId=shard, **self._start
                )["ShardIterator"]
