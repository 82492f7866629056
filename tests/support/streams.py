"""Streams of the emulator, and the settings of a job between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.rows import Row
from tools.run.kinesis.emulator import CREDENTIALS, JOB_ENVIRONMENT

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef, RecordTypeDef

REGION = "eu-west-1"
ACCOUNT = "123456789012"
ENVIRONMENT = {"AWS_REGION": REGION, **CREDENTIALS, **JOB_ENVIRONMENT}


def arn(stream: str) -> str:
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"


def delivery_arn(name: str) -> str:
    return f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}"


class Streams:
    """The streams of an emulator."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: KinesisClient = boto3.client(
            "kinesis",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def create(self, shards: Mapping[str, int]) -> None:
        for name, count in shards.items():
            self.client.create_stream(StreamName=name, ShardCount=count)

    def aws(self, service: str) -> Any:
        """Returns a client of another service of the emulator."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def create_bucket(self, name: str) -> None:
        self.aws("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def create_delivery_stream(self, name: str, bucket: str, *processors: str) -> None:
        """Makes a delivery stream into a folder of its own in a bucket."""
        self.aws("firehose").create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
                "BucketARN": f"arn:aws:s3:::{bucket}",
                "Prefix": f"{name}/",
                "ProcessingConfiguration": {
                    "Enabled": bool(processors),
                    "Processors": [{"Type": one} for one in processors],
                },
            },
        )

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Returns the objects in a bucket below a prefix."""
        s3 = self.aws("s3")
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {
            one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            for one in listed
        }

    def put(self, stream: str, records: Iterable[tuple[str, str]]) -> None:
        """Puts records, each with its hash key: a number below 2**128, as text."""
        entries: list[PutRecordsRequestEntryTypeDef] = [
            {"Data": data.encode(), "PartitionKey": "ignored", "ExplicitHashKey": hash_key}
            for hash_key, data in records
        ]
        for start in range(0, len(entries), 500):
            answer = self.client.put_records(
                StreamName=stream, Records=entries[start : start + 500]
            )
            assert answer["FailedRecordCount"] == 0

    def shards(self, stream: str) -> list[str]:
        return [s["ShardId"] for s in self.client.list_shards(StreamName=stream)["Shards"]]

    def records(self, stream: str) -> dict[str, list[RecordTypeDef]]:
        """Returns the records of a stream by shard, in order."""
        found: dict[str, list[RecordTypeDef]] = {}
        for shard in self.shards(stream):
            at: str | None = self.client.get_shard_iterator(
                StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found[shard] = []
            while at is not None:
                answer = self.client.get_records(ShardIterator=at)
                if not answer["Records"]:
                    break
                found[shard] += answer["Records"]
                at = answer.get("NextShardIterator")
        return found

    def rows(self, stream: str) -> list[Row]:
        return [
            json.loads(record["Data"])
            for records in self.records(stream).values()
            for record in records
        ]

    def source(self, stream: str, **settings: str) -> dict[str, str]:
        given = {"type": "kinesis", "stream.arn": arn(stream), "endpoint": self.url}
        return given | {key.replace("_", "."): value for key, value in settings.items()}

    def sink(self, stream: str, **settings: str) -> dict[str, str]:
        given = {
            "type": "kinesis",
            "stream.arn": arn(stream),
            "endpoint": self.url,
            "flush.interval": "100 ms",
        }
        return given | {key.replace("_", "."): value for key, value in settings.items()}
