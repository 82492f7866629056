"""The users' emulator, with refused calls and processors of Firehose.

Moto neither throttles nor checks rights, and its Firehose ignores processors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.firehose.models import FirehoseBackend
from moto.kinesis import models
from moto.kinesis.utils import decompose_shard_iterator

from tools.run.kinesis.emulator import serve

THROTTLED_PREFIX = "throttled-"
"""In a stream of such a name, every other PutRecords call refuses every third record."""

REFUSED_TAG = "refused"
"""A stream with this tag refuses the call that the value names, as in `GetRecords=AccessDenied`."""

_put_records = models.KinesisBackend.put_records
_put_s3_records = FirehoseBackend.put_s3_records
_calls: dict[str, int] = {}


def put_records(
    backend: models.KinesisBackend, stream_arn: str, stream_name: str, records: list[Any]
) -> dict[str, Any]:
    name = stream_name or stream_arn.rpartition("/")[2]
    refuse(backend, name, "PutRecords")
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


def refusing(get_records: Callable[..., Any]) -> Callable[..., Any]:
    def get(
        backend: models.KinesisBackend,
        stream_arn: str | None,
        shard_iterator: str,
        limit: int | None,
    ) -> Any:
        name, _, _ = decompose_shard_iterator(shard_iterator)
        refuse(backend, stream_arn.rpartition("/")[2] if stream_arn else name, "GetRecords")
        return get_records(backend, stream_arn, shard_iterator, limit)

    return get


def refuse(backend: models.KinesisBackend, stream: str, call: str) -> None:
    tag = backend.describe_stream(stream_arn=None, stream_name=stream).tags.get(REFUSED_TAG, "")
    refused, _, code = tag.partition("=")
    if refused == call:
        raise JsonRESTError(code, f"{call} is refused")


def put_s3_records(
    backend: FirehoseBackend,
    name: str,
    version: str,
    destination: dict[str, Any],
    records: list[dict[str, bytes]],
) -> list[dict[str, str]]:
    processors = destination.get("ProcessingConfiguration", {}).get("Processors", [])
    if {"Type": "AppendDelimiterToRecord"} in processors:
        records = [{"Data": record["Data"] + b"\n"} for record in records]
    return _put_s3_records(backend, name, version, destination, records)


def change() -> None:
    for owner, name, replacement in (
        (models.KinesisBackend, "put_records", put_records),
        (models.KinesisBackend, "get_records", refusing(models.KinesisBackend.get_records)),
        (FirehoseBackend, "put_s3_records", put_s3_records),
    ):
        setattr(owner, name, replacement)


if __name__ == "__main__":
    serve(change)
