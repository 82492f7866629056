"""Where moto's Kinesis is changed to do as the service does.

What moto does otherwise: it walks all records of a shard for each put, so a put takes the longer
the fuller the shard is; it moves the records of a shard that is split or merged into the new
shards, goes on putting records into the closed one, and never ends it; and it lists all shards
when asked for the ones after another, so the connector takes a finished shard for a new one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.kinesis import models
from moto.kinesis.responses import KinesisResponse
from moto.kinesis.utils import decompose_shard_iterator

_get_records = models.KinesisBackend.get_records
_list_shards = KinesisResponse.list_shards
_get_shard_for_key = models.Stream.get_shard_for_key


def change_moto() -> None:
    """Changes moto in this process."""
    changes: tuple[tuple[type, str, Callable[..., Any]], ...] = (
        (models.Shard, "get_max_sequence_number", _last_sequence_number),
        (models.Stream, "get_shard_for_key", _open_shard_for_key),
        (models.Stream, "split_shard", _keeping_records(models.Stream.split_shard)),
        (models.Stream, "merge_shards", _keeping_records(models.Stream.merge_shards)),
        (models.KinesisBackend, "get_records", _records_to_the_end),
        (KinesisResponse, "list_shards", _shards_after),
    )
    for owner, name, replacement in changes:
        setattr(owner, name, replacement)


def _last_sequence_number(shard: models.Shard) -> int:
    return next(reversed(shard.records), 0)


def _records_to_the_end(
    backend: models.KinesisBackend, stream_arn: str | None, shard_iterator: str, limit: int | None
) -> tuple[str | None, list[models.Record], int]:
    following, records, behind = _get_records(backend, stream_arn, shard_iterator, limit)
    name, shard_id, position = decompose_shard_iterator(following)
    shard = backend.describe_stream(stream_arn=stream_arn, stream_name=name).get_shard(shard_id)
    at_end = int(position) >= _last_sequence_number(shard)
    return (None if at_end and not shard.is_open else following), records, behind


def _shards_after(response: KinesisResponse) -> ActionResult:
    answer = _list_shards(response)
    match response._get_param("ShardFilter"):  # noqa: SLF001 - moto has no other way
        case {"Type": "AFTER_SHARD_ID", "ShardId": str(last)}:
            result = cast("dict[str, Any]", answer.result)
            result["Shards"] = [shard for shard in result["Shards"] if shard["ShardId"] > last]
    return answer


def _open_shard_for_key(
    stream: models.Stream, partition_key: str, explicit_hash_key: str
) -> models.Shard | None:
    shards = stream.shards
    stream.shards = {name: shard for name, shard in shards.items() if shard.is_open}
    try:
        return _get_shard_for_key(stream, partition_key, explicit_hash_key)
    finally:
        stream.shards = shards


def _keeping_records(change: Callable[..., None]) -> Callable[..., None]:
    """Wraps split and merge: what is in the closed shards stays there."""

    def changed(stream: models.Stream, *arguments: str) -> None:
        kept = {name: shard.records for name, shard in stream.shards.items()}
        for shard in stream.shards.values():
            shard.records = OrderedDict()
        change(stream, *arguments)
        for name, records in kept.items():
            stream.shards[name].records = records

    return changed
