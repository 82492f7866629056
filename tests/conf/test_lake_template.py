"""The lake in the templates: its tables, its delivery streams and its folders."""

from __future__ import annotations

import json
import re
from typing import Any

import jq
import pytest

from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sql_files import output_files
from tests.support.core import combined, dead, enriched, enricher
from tests.support.stacks import INLINE, KEY, LAKE, OTHER_SOURCE, Groups, Stack, arn, function, job
from tools.deploy.tables import columns

OUTPUTS = {one.name: one for one in output_files()}
OWN: Groups = {"weblog.sink.aggregates": {"stream.arn": "${Stream.of-{output}}"}}


def deliveries(made: Stack) -> dict[str, Any]:
    """Returns the delivery streams into the lake by their outputs."""
    return {
        one["DeliveryStreamName"].removeprefix("weblog-"): one
        for one in made.of("KinesisFirehose::DeliveryStream").values()
    }


def test_there_is_no_lake_unless_it_is_asked_for() -> None:
    for made in (job(), function(**INLINE, PartitionBy="hour")):
        assert made.of("Glue::Database") == made.of("Glue::Table") == {}
    assert deliveries(job()) == job().of("S3::Bucket") == {}
    converted = function().only("KinesisFirehose::DeliveryStream")
    destination = converted["ExtendedS3DestinationConfiguration"]
    assert destination["CompressionFormat"] == "GZIP"
    assert "DataFormatConversionConfiguration" not in destination


@pytest.mark.parametrize(
    ("changes", "outputs"),
    [
        ([], {"alerts", "dead_letters", "enriched", "late"}),
        ([OWN], {*OUTPUTS} - {"filtered"}),
        (
            [OTHER_SOURCE, {"weblog.outputs": {"enriched": "aggregates"}}],
            {"alerts", "dead_letters", "late"},
        ),
    ],
)
def test_an_output_with_a_stream_to_itself_is_in_the_lake(
    changes: list[Groups], outputs: set[str]
) -> None:
    made = job(*changes, **LAKE)
    if OWN in changes:  # Lines without response times have no table of them.
        outputs = outputs - {"response_times"}
    assert deliveries(made).keys() == outputs
    for name, delivery in deliveries(made).items():
        stream = delivery["KinesisStreamSourceConfiguration"]["KinesisStreamARN"]
        assert stream.rpartition("-")[2] in {name, name.rpartition("_")[2]}
        table = destination_of(delivery)["DataFormatConversionConfiguration"]["SchemaConfiguration"]
        assert (table["DatabaseName"], table["TableName"]) == ("weblog", name)


def destination_of(delivery: Any) -> Any:
    return delivery["ExtendedS3DestinationConfiguration"]


@pytest.mark.parametrize(
    "made",
    [job(OWN, **LAKE), function(**INLINE, PartitionBy="hour", **LAKE)],
    ids=["job", "function"],
)
def test_a_table_has_the_columns_of_its_output_and_the_folders_of_its_delivery(made: Stack) -> None:
    bucket = made.outputs.get("LakeBucketName") or made.outputs["BucketName"]
    prefixes = {
        destination_of(one)["Prefix"].split("/")[0]: destination_of(one)["Prefix"]
        for one in made.of("KinesisFirehose::DeliveryStream").values()
    }
    tables = {
        one["TableInput"]["Name"]: one["TableInput"] for one in made.of("Glue::Table").values()
    }
    assert tables.keys() == prefixes.keys()
    for name, table in tables.items():
        storage = table["StorageDescriptor"]
        declared = {one["Name"]: one["Type"] for one in storage["Columns"]}
        assert declared == columns(OUTPUTS[name])
        assert storage["Location"] == f"s3://{bucket}/{name}/"
        partitions = [one["Name"] for one in table["PartitionKeys"]]
        assert partitions == re.findall(r"/(\w+)=", prefixes[name])
        # The job's file sink has the same partitions.
        assert (*partitions,) == FilesystemSink(path="x", partition_by="hour").layout(
            OUTPUTS[name]
        ).partitions
        projected = {key.split(".")[1] for key in table["Parameters"] if key.count(".") == 2}
        assert projected == {*partitions}


@pytest.mark.parametrize(
    "made", [job(**LAKE), function(**INLINE, PartitionBy="hour", **LAKE)], ids=["job", "function"]
)
def test_firehose_converts_as_it_has_to(made: Stack) -> None:
    for delivery in made.of("KinesisFirehose::DeliveryStream").values():
        destination = destination_of(delivery)
        conversion = destination["DataFormatConversionConfiguration"]
        assert conversion["Enabled"] is True
        assert conversion["SchemaConfiguration"]["RoleARN"] == destination["RoleARN"]
        # Firehose requires this with conversion and partitions.
        assert destination["CompressionFormat"] == "UNCOMPRESSED"
        assert 64 <= destination["BufferingHints"]["SizeInMBs"] <= 128
        assert destination["ErrorOutputPrefix"].startswith("failed/")
        assert "!{firehose:error-output-type}" in destination["ErrorOutputPrefix"]


def test_a_delivery_may_read_its_stream_and_table_and_write_its_folder() -> None:
    made = job(KeyArn=KEY, **LAKE)
    bucket = f"arn:aws:s3:::{made.outputs['LakeBucketName']}"
    read = {"glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"}
    write = {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}
    log = "log-group:/aws/kinesisfirehose/weblog:log-stream:dead_letters"
    assert made.rights("DeadLettersDeliveryRole") == {
        arn("kinesis", "stream/weblog-dead-letters"): {
            f"kinesis:{one}"
            for one in ("DescribeStream", "GetRecords", "GetShardIterator", "ListShards")
        },
        arn("glue", "catalog"): read,
        arn("glue", "database/weblog"): read,
        arn("glue", "table/weblog/dead_letters"): read,
        f"{bucket}/dead_letters/*": write,
        f"{bucket}/failed/dead_letters/*": write,
        bucket: {"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
        arn("logs", log): {"logs:PutLogEvents"},
        KEY: {"kms:Decrypt", "kms:GenerateDataKey"},
    }
    in_function = function(**INLINE, PartitionBy="hour", **LAKE)
    assert in_function.rights("DeliveryRole")[arn("glue", "table/weblog/enriched")] == read


def test_keys_are_the_folders_of_the_file_sink() -> None:
    """Firehose's expression for the keys gives the folders."""
    (processor,) = destination_of(deliveries(job(**LAKE))["enriched"])["ProcessingConfiguration"][
        "Processors"
    ]
    values = {one["ParameterName"]: one["ParameterValue"] for one in processor["Parameters"]}
    assert values["JsonParsingEngine"] == "JQ-1.6"
    keys = jq.compile(values["MetadataExtractionQuery"])
    core = enricher()
    line = combined(timestamp="28/Oct/2025:23:30:00 -0100")
    letter = dead(core, b"no line").json
    rows = {
        enriched(core, line).json: ("2025-10-29", "00"),
        letter: (json.loads(letter)["failed_at"][:10], json.loads(letter)["failed_at"][11:13]),
        '{"window_start":"2025-10-28T10:05:00Z","window_end":"2025-10-28T10:06:00Z"}': (
            "2025-10-28",
            "10",
        ),
    }
    for row, (date, hour) in rows.items():
        assert keys.input_text(row).all() == [{"event_date": date, "event_hour": hour}]


def test_files_of_the_lake_expire_when_that_is_wanted() -> None:
    (leftovers,) = job(**LAKE).only("S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert "ExpirationInDays" not in leftovers
    _, rule = job(**LAKE, KeepDays="90").only("S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert rule == {"Id": "lake", "Status": "Enabled", "ExpirationInDays": 90}
