"""The emulator, made more like Kinesis where the tests need it.

What moto does otherwise: it moves the records of a shard that is split or merged into the
new shards, goes on putting records into the closed one, and never ends it; it lists all
shards when asked for the ones after another, so the connector takes a finished shard for a
new one; it never throttles; its calls get slower with every record; and its Firehose
ignores processors.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.firehose.models import FirehoseBackend
from moto.kinesis import models
from moto.kinesis.responses import KinesisResponse
from moto.kinesis.utils import decompose_shard_iterator

from tools.run.kinesis.emulator import serve

THROTTLED_PREFIX = "throttled-"
"""PutRecords refuses every third record of every other call to a stream of such a name."""

_put_records = models.KinesisBackend.put_records
_get_records = models.KinesisBackend.get_records
_list_shards = KinesisResponse.list_shards
_get_shard_for_key = models.Stream.get_shard_for_key
_put_s3_records = FirehoseBackend.put_s3_records
_calls: dict[str, int] = {}


def last_sequence_number(shard: models.Shard) -> int:
    return next(reversed(shard.records), 0)


def put_records(
    backend: models.KinesisBackend, stream_arn: str, stream_name: str, records: list[Any]
) -> dict[str, Any]:
    name = stream_name or stream_arn.rpartition("/")[2]
    _calls[name] = _calls.get(name, 0) + 1
    if not name.startswith(THROTTLED_PREFIX) or _calls[name] % 2 == 0:
        return _put_records(backend, stream_arn, stream_name, records)
    taken = [record for index, record in enumerate(records) if index % 3]
    answer = _put_records(backend, stream_arn, stream_name, taken)
    results = iter(answer["Records"])
    refused = {
        "ErrorCode": "ProvisionedThroughputExceededException",
        "ErrorMessage": "Rate exceeded for shard",
    }
    return {
        "FailedRecordCount": len(records) - len(taken),
        "Records": [next(results) if index % 3 else refused for index in range(len(records))],
    }


def get_records(
    backend: models.KinesisBackend, stream_arn: str | None, shard_iterator: str, limit: int | None
) -> tuple[str | None, list[models.Record], int]:
    following, records, behind = _get_records(backend, stream_arn, shard_iterator, limit)
    name, shard_id, position = decompose_shard_iterator(following)
    shard = backend.describe_stream(stream_arn=stream_arn, stream_name=name).get_shard(shard_id)
    at_end = int(position) >= last_sequence_number(shard)
    return (None if at_end and not shard.is_open else following), records, behind


def list_shards(response: KinesisResponse) -> ActionResult:
    answer = _list_shards(response)
    match response._get_param("ShardFilter"):
        case {"Type": "AFTER_SHARD_ID", "ShardId": str(last)}:
            result = cast("dict[str, Any]", answer.result)
            result["Shards"] = [one for one in result["Shards"] if one["ShardId"] > last]
    return answer


def get_open_shard_for_key(
    stream: models.Stream, partition_key: str, explicit_hash_key: str
) -> models.Shard | None:
    shards = stream.shards
    stream.shards = {name: shard for name, shard in shards.items() if shard.is_open}
    try:
        return _get_shard_for_key(stream, partition_key, explicit_hash_key)
    finally:
        stream.shards = shards


def keeping_records(change: Callable[..., None]) -> Callable[..., None]:
    """Wraps split and merge: what is in the closed shards stays there."""

    def changed(stream: models.Stream, *arguments: str) -> None:
        kept = {name: shard.records for name, shard in stream.shards.items()}
        for shard in stream.shards.values():
            shard.records = OrderedDict()
        change(stream, *arguments)
        for name, records in kept.items():
            stream.shards[name].records = records

    return changed


def put_s3_records(
    backend: FirehoseBackend,
    name: str,
    version: str,
    destination: dict[str, Any],
    records: list[dict[str, bytes]],
) -> list[dict[str, str]]:
    processors = destination.get("ProcessingConfiguration", {}).get("Processors", [])
    if {"Type": "AppendDelimiterToRecord"} in processors:
        records = [{"Data": one["Data"] + b"\n"} for one in records]
    return _put_s3_records(backend, name, version, destination, records)


CHANGES: tuple[tuple[type, str, Callable[..., Any]], ...] = (
    (models.Shard, "get_max_sequence_number", last_sequence_number),
    (models.Stream, "get_shard_for_key", get_open_shard_for_key),
    (models.Stream, "split_shard", keeping_records(models.Stream.split_shard)),
    (models.Stream, "merge_shards", keeping_records(models.Stream.merge_shards)),
    (models.KinesisBackend, "put_records", put_records),
    (models.KinesisBackend, "get_records", get_records),
    (KinesisResponse, "list_shards", list_shards),
    (FirehoseBackend, "put_s3_records", put_s3_records),
)

if __name__ == "__main__":
    for owner, name, replacement in CHANGES:
        setattr(owner, name, replacement)
    serve()
