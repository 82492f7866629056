"""The users' emulator with what tests need beside it.

Calls that AWS refuses: moto neither throttles nor asks for rights. And a Firehose that heeds a
processor; moto's ignores them.
"""

from __future__ import annotations

from typing import Any

from moto.firehose.models import FirehoseBackend
from moto.kinesis import models

from tools.run.kinesis.emulator import serve

THROTTLED_PREFIX = "throttled-"
"""PutRecords refuses every third record of every other call to a stream of such a name."""

_put_records = models.KinesisBackend.put_records
_put_s3_records = FirehoseBackend.put_s3_records
_calls: dict[str, int] = {}


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


if __name__ == "__main__":
    for owner, name, replacement in (
        (models.KinesisBackend, "put_records", put_records),
        (FirehoseBackend, "put_s3_records", put_s3_records),
    ):
        setattr(owner, name, replacement)
    serve()
