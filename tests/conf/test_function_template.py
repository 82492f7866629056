"""The function's template: its rights in each shape, its environment and its delivery."""

from __future__ import annotations

import itertools
import re

import pytest

from lambda_app.deadline import Deadline
from lambda_app.settings import settings_from
from lambda_app.tally import Tally
from tests.support.core import sample_lines
from tests.support.functions import (
    FakeContext,
    FakeDestination,
    firehose_event,
    transformation,
)
from tests.support.stacks import CONSUMER, INLINE, READ_SALT, SALT, SOURCE, arn, function
from tools.package.function import HANDLERS

DIRECT: dict[str, str] = {}
SHAPES = pytest.mark.parametrize("shape", [DIRECT, INLINE, CONSUMER])

QUEUE = arn("sqs", "weblog-lambda-dead-letters")
DELIVERY = arn("firehose", "deliverystream/weblog-lambda")
FUNCTION = arn("lambda", "function:weblog-lambda:live")
READ = {
    f"kinesis:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListShards")
}


def rights(role: str, **parameters: str) -> dict[str, set[str]]:
    """Returns the rights of a role, with a short name for the bucket that AWS names."""
    made = function(**parameters)
    bucket = made.outputs["BucketName"]
    return {name.replace(bucket, "bucket"): actions for name, actions in made.rights(role).items()}


def test_the_function_may_do_what_it_does_in_its_shape() -> None:
    log = arn("logs", "log-group:/aws/lambda/weblog-lambda:*")
    always = {log: {"logs:CreateLogStream", "logs:PutLogEvents"}, QUEUE: {"sqs:SendMessage"}}

    assert rights("FunctionRole") == rights("FunctionRole", **INLINE) == always
    assert rights("FunctionRole", FunctionSaltArn=SALT) == always | {SALT: READ_SALT}
    assert rights("FunctionRole", **CONSUMER) == always | {
        SOURCE: READ | {"kinesis:DescribeStreamSummary"},
        DELIVERY: {"firehose:PutRecordBatch"},
        "arn:aws:s3:::bucket": {"s3:ListBucket"},
        "arn:aws:s3:::bucket/aws/lambda/*": {"s3:PutObject"},
    }


def test_the_delivery_may_call_the_function_only_inline() -> None:
    log = arn("logs", "log-group:/aws/kinesisfirehose/weblog-lambda:log-stream:delivery")
    call = {"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"}
    always = {
        log: {"logs:PutLogEvents"},
        "arn:aws:s3:::bucket": {
            "s3:GetBucketLocation",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
        },
        "arn:aws:s3:::bucket/*": {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
    }
    inline = always | {FUNCTION: call}

    assert rights("DeliveryRole") == inline
    assert rights("DeliveryRole", **INLINE) == inline | {SOURCE: READ}
    assert rights("DeliveryRole", **CONSUMER) == always


@SHAPES
@pytest.mark.parametrize("more", [{}, {"FunctionSaltArn": SALT, "ReserveSeconds": "15"}])
def test_the_function_accepts_its_environment(shape: dict[str, str], more: dict[str, str]) -> None:
    made = function(**shape, **more)["Function"]

    settings = settings_from(made["Environment"]["Variables"])

    assert settings.function.dead_letter_arn is not None
    assert settings.function.dead_letter_arn.text == QUEUE
    assert settings.function.output_arn is not None
    assert settings.function.output_arn.text == DELIVERY
    reserve = settings.function.timeout_reserve.total_seconds()
    assert reserve == float(more.get("ReserveSeconds", 10)) < made["Timeout"]
    assert settings.core.privacy.salt_secret_arn == more.get("FunctionSaltArn", "")
    kind = "Kinesis consumer" if shape is CONSUMER else "Firehose transformation"
    assert made["Handler"] == HANDLERS[kind]


@SHAPES
def test_the_delivery_stream_has_the_function_transform_inline(shape: dict[str, str]) -> None:
    delivery = function(**shape).only("KinesisFirehose::DeliveryStream")
    destination = delivery["ExtendedS3DestinationConfiguration"]
    # Failures go into a folder of their own.
    assert destination["ErrorOutputPrefix"].startswith("failed/!{firehose:error-output-type}/")
    assert destination["Prefix"].startswith("enriched/")
    if shape is CONSUMER:
        assert "ProcessingConfiguration" not in destination
    else:
        (processor,) = destination["ProcessingConfiguration"]["Processors"]
        values = {one["ParameterName"]: one["ParameterValue"] for one in processor["Parameters"]}
        assert values["LambdaArn"] == FUNCTION
        assert 0.2 <= float(values["BufferSizeInMBs"]) <= 3
    if shape is INLINE:
        assert delivery["DeliveryStreamType"] == "KinesisStreamAsSource"
        assert delivery["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == SOURCE
    else:
        assert delivery["DeliveryStreamType"] == "DirectPut"
        encryption = delivery["DeliveryStreamEncryptionConfigurationInput"]
        assert encryption == {"KeyType": "AWS_OWNED_CMK"}


DATE = "event_date=!{partitionKeyFromLambda:event_date}/"
HOUR = "event_hour=!{partitionKeyFromLambda:event_hour}/"


@pytest.mark.parametrize(
    ("by", "folders"),
    [("none", "!{timestamp:yyyy/MM/dd/HH}/"), ("date", DATE), ("hour", DATE + HOUR)],
)
def test_the_delivery_stream_takes_the_keys_that_the_function_answers(
    by: str, folders: str
) -> None:
    made = function(PartitionBy=by)
    delivery = made.only("KinesisFirehose::DeliveryStream")
    destination = delivery["ExtendedS3DestinationConfiguration"]
    settings = settings_from(made["Function"]["Environment"]["Variables"])
    partitioned = transformation(partition_by=settings.function.partition_by)
    event = firehose_event(sample_lines()[:1])
    (answer,) = partitioned.run(event, Deadline(FakeContext()), Tally())["records"]

    assert destination["Prefix"] == f"enriched/{folders}"
    asked = re.findall(r"!\{partitionKeyFromLambda:(\w+)\}", destination["Prefix"])
    assert asked == list(answer.get("metadata", {"partitionKeys": {}})["partitionKeys"])
    # With partitions Firehose requires 64 to 128 MB, no zero buffering, and a folder for failures.
    partitions = destination.get("DynamicPartitioningConfiguration", {"Enabled": False})
    assert partitions["Enabled"] is (by != "none")
    hints = destination["BufferingHints"]
    assert 64 <= hints["SizeInMBs"] <= 128
    assert hints["IntervalInSeconds"] >= 60
    assert destination["ErrorOutputPrefix"]


def test_the_consumer_answers_with_partial_failures() -> None:
    made = function(**CONSUMER)
    mapping = made.only("Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    given_up = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert given_up == f"arn:aws:s3:::{made.outputs['BucketName']}"
    assert mapping["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert function(**INLINE).of("Lambda::EventSourceMapping") == {}


def test_everything_calls_the_alias_of_a_version_of_its_own() -> None:
    made = function(**CONSUMER, ProvisionedConcurrency="2")
    assert made["Alias"]["FunctionName"] == made["Version0a1b"]["FunctionName"] == "weblog-lambda"
    kept_started = made["Alias"]["ProvisionedConcurrencyConfig"]
    assert kept_started == {"ProvisionedConcurrentExecutions": 2}
    assert made.only("Lambda::EventSourceMapping")["FunctionName"] == FUNCTION
    assert "ProvisionedConcurrencyConfig" not in function()["Alias"]


def test_the_consumer_takes_what_the_parameters_say() -> None:
    pattern = '{"data": {"vhost": ["example.com"]}}'
    sizes = {"BatchRecords": "200", "BatchesPerShard": "4"}
    mapping = function(**CONSUMER, EventFilter=pattern, **sizes).only("Lambda::EventSourceMapping")
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": pattern}]}
    assert (mapping["BatchSize"], mapping["ParallelizationFactor"]) == (200, 4)
    assert "FilterCriteria" not in function(**CONSUMER).only("Lambda::EventSourceMapping")


def test_enriched_records_expire_when_that_is_wanted_and_nothing_else_does() -> None:
    kept, expiring = function(), function(KeepDays="90")
    (leftovers,) = kept.only("S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert leftovers["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    _, rule = expiring.only("S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("enriched/", 90)


def test_a_batch_of_the_default_size_fits_the_response() -> None:
    size = float(function().parameters["BatchMegabytes"]) * 1_048_576
    lines = itertools.cycle(sample_lines()[:2000])
    short = itertools.cycle([b'::1 - - [17/May/2015:10:05:03 +0000] "" 200 - "-" "-"'])
    # Only batches of lines far shorter than any real line do not fit.
    for source, fits_all in ((lines, True), (short, False)):
        batch: list[bytes] = []
        total = 0
        while total < size:
            batch.append(next(source))
            total += len(batch[-1])
        event, deadline = firehose_event(batch), Deadline(FakeContext())
        response = transformation(FakeDestination()).run(event, deadline, Tally())
        assert all(one["result"] != "ProcessingFailed" for one in response["records"]) is fits_all
