"""The CloudFormation template: valid, least privilege, alarms, and settings that hold."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]
from moto import mock_aws

from lambda_app.deadline import Deadline
from lambda_app.log import Invocation, invocation_line
from lambda_app.settings import FunctionSettings, settings_from
from lambda_app.tally import Tally
from tests.conf.test_job_template import Resolver, listed, resources
from tests.support.functions import (
    ACCOUNT,
    REGION,
    FakeContext,
    FakeTarget,
    firehose_event,
    sample_lines,
    transformation,
)
from tools.package.function import HANDLERS
from udfs.config.root import ROOT

TEMPLATE = ROOT / "conf" / "cloudformation" / "lambda.yaml"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/lines"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
SALT = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:salt-a1b2c3"
CODE = {"CodeBucket": "code-bucket", "CodeKey": "lambda.zip"}

DIRECT = {**CODE, "Shape": "inline"}
INLINE = {**CODE, "Shape": "inline", "SourceStreamArn": STREAM}
CONSUMER = {**CODE, "Shape": "consumer", "SourceStreamArn": STREAM}
SHAPES = [DIRECT, INLINE, CONSUMER]


class Resolved(Resolver):
    """Also knows conditions made of others."""

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Fn::And": parts}:
                return all(map(self._holds, parts))
        return super()._holds(condition)

    def has(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource is made."""
        return "Condition" not in resource or self._holds(self.conditions[resource["Condition"]])


@pytest.fixture(scope="module")
def template() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = cfn_yaml.load(str(TEMPLATE))
    return loaded


def made(template: Mapping[str, Any], given: Mapping[str, str], kind: str) -> list[Any]:
    """Properties of the resources of a kind that a stack would have."""
    resolve = Resolved(template, given)
    return [
        resolve(one["Properties"])
        for one in template["Resources"].values()
        if one["Type"] == kind and resolve.has(one)
    ]


def only(template: Mapping[str, Any], given: Mapping[str, str], kind: str) -> Any:
    (one,) = made(template, given, kind)
    return one


def statements(
    template: Mapping[str, Any], given: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    resolve = Resolved(template, given)
    for name, role in resources(template, "AWS::IAM::Role"):
        for policy in role["Policies"]:
            for one in resolve(policy["PolicyDocument"]["Statement"]):
                yield name, one
    for kind in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
        for name, policy in resources(template, kind):
            for one in resolve(policy["PolicyDocument"]["Statement"]):
                yield name, one


def test_cfn_lint_finds_nothing() -> None:
    regions = ManualArgs(regions=[REGION, "us-east-1"])
    assert [str(match) for match in lint_file(TEMPLATE, regions)] == []
    assert TEMPLATE.stat().st_size <= 51_200  # what CloudFormation takes without a bucket


def test_cfn_lint_would_find_something(tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    (tmp_path / "x.yaml").write_text(text.replace("python3.12", "python2.2"), encoding="utf-8")
    assert lint_file(tmp_path / "x.yaml", ManualArgs(regions=[REGION]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("more", [{}, {"KeyArn": KEY, "SaltArn": SALT}])
def test_each_action_and_resource_is_named(
    template: Mapping[str, Any], shape: dict[str, str], more: dict[str, str]
) -> None:
    reasons = template["Metadata"]["UnscopedResources"]
    for name, one in statements(template, shape | more):
        if one["Effect"] == "Deny":
            assert one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            continue
        assert name.endswith("Role")
        assert not [action for action in listed(one["Action"]) if "*" in action], one
        for resource in listed(one["Resource"]):
            assert resource.startswith("arn:aws:"), one
            assert "*" not in resource or one["Sid"] in reasons, one


def test_reasons_are_not_left_over(template: Mapping[str, Any]) -> None:
    open_ones = {
        one["Sid"]
        for shape in SHAPES
        for _, one in statements(template, shape)
        if one["Effect"] == "Allow" and any("*" in resource for resource in listed(one["Resource"]))
    }
    assert open_ones == template["Metadata"]["UnscopedResources"].keys()


def allowed(template: Mapping[str, Any], given: dict[str, str], role: str) -> set[str]:
    return {
        action
        for name, one in statements(template, given)
        if name == role
        for action in listed(one["Action"])
    }


WRITE_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
READ = {"kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator"}
READ |= {"kinesis:ListShards"}


def test_the_function_may_do_what_it_does_in_its_shape(template: Mapping[str, Any]) -> None:
    inline = WRITE_LOG | {"sqs:SendMessage"}
    salted = {"secretsmanager:GetSecretValue", "ssm:GetParameter"}

    assert allowed(template, DIRECT, "FunctionRole") == inline
    assert allowed(template, INLINE, "FunctionRole") == inline
    assert allowed(template, INLINE | {"SaltArn": SALT}, "FunctionRole") == inline | salted
    assert allowed(template, CONSUMER, "FunctionRole") == inline | READ | {
        "kinesis:DescribeStreamSummary",
        "firehose:PutRecordBatch",
        "s3:PutObject",
        "s3:ListBucket",
    }


def test_the_delivery_may_call_the_function_only_inline(template: Mapping[str, Any]) -> None:
    call = {"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"}

    direct, inline, consumer = (allowed(template, one, "DeliveryRole") for one in SHAPES)

    assert call <= direct
    assert inline == direct | READ
    assert consumer == direct - call


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("more", [{}, {"KeyArn": KEY, "SaltArn": SALT, "ReserveSeconds": "15"}])
def test_the_function_accepts_its_environment(
    template: Mapping[str, Any], shape: dict[str, str], more: dict[str, str]
) -> None:
    function = only(template, shape | more, "AWS::Lambda::Function")
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:weblog-lambda-dead-letters"
    variables = {
        name: queue if value == "arn:aws:DeadLetterQueue" else value
        for name, value in function["Environment"]["Variables"].items()
    }

    settings = settings_from(variables)

    assert settings.function.dead_letter_arn is not None
    assert settings.function.dead_letter_arn.text == queue
    assert settings.function.output_arn is not None
    assert settings.function.output_arn.name == "weblog-lambda"
    reserve = settings.function.timeout_reserve.total_seconds()
    assert reserve == float(more.get("ReserveSeconds", 10))
    assert settings.core.privacy.salt_secret_arn == more.get("SaltArn", "")
    kind = "Kinesis consumer" if shape is CONSUMER else "Firehose transformation"
    assert function["Handler"] == HANDLERS[kind]


def test_inline_the_delivery_stream_has_the_function_transform(
    template: Mapping[str, Any],
) -> None:
    kind = "AWS::KinesisFirehose::DeliveryStream"
    direct, inline, consumer = (only(template, one, kind) for one in SHAPES)

    for one in (direct, inline):
        processing = one["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"]
        (processor,) = processing["Processors"]
        values = {p["ParameterName"]: p["ParameterValue"] for p in processor["Parameters"]}
        assert values["LambdaArn"] == "arn:aws:Function"
        assert 0.2 <= float(values["BufferSizeInMBs"]) <= 3
    assert "ProcessingConfiguration" not in consumer["ExtendedS3DestinationConfiguration"]
    assert inline["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == STREAM
    types = [one["DeliveryStreamType"] for one in (direct, inline, consumer)]
    assert types == ["DirectPut", "KinesisStreamAsSource", "DirectPut"]
    for one in (direct, consumer):
        assert one["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}


def test_failures_have_a_place_of_their_own(template: Mapping[str, Any]) -> None:
    for shape in SHAPES:
        delivery = only(template, shape, "AWS::KinesisFirehose::DeliveryStream")
        destination = delivery["ExtendedS3DestinationConfiguration"]
        assert destination["ErrorOutputPrefix"].startswith("failed/!{firehose:error-output-type}/")
        assert destination["Prefix"].startswith("enriched/")


def test_the_consumer_answers_with_partial_failures(template: Mapping[str, Any]) -> None:
    assert made(template, INLINE, "AWS::Lambda::EventSourceMapping") == []

    mapping = only(template, CONSUMER, "AWS::Lambda::EventSourceMapping")

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == "arn:aws:Bucket"
    assert mapping["MaximumRecordAgeInSeconds"] < 24 * 3600


def test_a_batch_of_the_default_size_fits_the_response(template: Mapping[str, Any]) -> None:
    size = float(template["Parameters"]["BatchMegabytes"]["Default"]) * 1_048_576
    lines = itertools.cycle(sample_lines()[:2000])
    short = itertools.cycle([b'::1 - - [17/May/2015:10:05:03 +0000] "" 200 - "-" "-"'])
    for source, fits_all in ((lines, True), (short, False)):
        batch: list[bytes] = []
        total = 0
        while total < size:
            batch.append(next(source))
            total += len(batch[-1])
        response = transformation(FakeTarget()).run(
            firehose_event(batch), Deadline(FakeContext()), Tally()
        )
        failed = sum(one["result"] == "ProcessingFailed" for one in response["records"])
        # Only lines far shorter than any real ones do not.
        assert (failed == 0) is fits_all


# What an operator has to hear of, in which shapes, and above which value.
ALARMS = {
    ("AWS/Lambda", "Errors"): (0, SHAPES),
    ("AWS/Lambda", "Throttles"): (0, SHAPES),
    ("AWS/Lambda", "Duration"): (0, SHAPES),
    ("AWS/Lambda", "IteratorAge"): (60_000, [CONSUMER]),
    ("AWS/Lambda", "DestinationDeliveryFailures"): (0, [CONSUMER]),
    ("AWS/Firehose", "KinesisMillisBehindLatest"): (60_000, [INLINE]),
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"): (900, SHAPES),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): (86_400, SHAPES),
    ("WebLog/Lambda", "outages"): (0, SHAPES),
    ("WebLog/Lambda", "messages_undelivered"): (0, SHAPES),
    ("WebLog/Lambda", "records_deferred"): (0, SHAPES),
    ("WebLog/Lambda", "lines_dead_lettered"): (1, SHAPES),
    ("WebLog/Lambda", "lines_enriched"): (1, SHAPES),
    ("WebLog/Lambda", "lines_filtered"): (1, SHAPES),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_alarms(template: Mapping[str, Any], shape: dict[str, str]) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
    found: dict[tuple[str, str], float] = {}
    for alarm in made(template, shape | {"AlarmTopicArn": topic}, "AWS::CloudWatch::Alarm"):
        assert len(alarm["AlarmDescription"]) > 30
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]
        metrics = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if
                   "MetricStat" in one] or [alarm]  # fmt: skip
        for metric in metrics:
            found[metric["Namespace"], metric["MetricName"]] = alarm["Threshold"]

    assert found == {key: value for key, (value, shapes) in ALARMS.items() if shape in shapes}


def test_the_duration_that_alarms_is_the_timeout_minus_the_reserve(
    template: Mapping[str, Any],
) -> None:
    given = DIRECT | {"TimeoutSeconds": "100", "ReserveSeconds": "30"}
    (alarm,) = [
        one
        for one in made(template, given, "AWS::CloudWatch::Alarm")
        if one["AlarmName"].endswith("-duration")
    ]
    assert alarm["Metrics"][0]["Expression"] == "duration / 1000 - (100 - 30)"


@pytest.mark.parametrize(
    ("batch_seconds", "age", "rings"),
    [("0", 61_000, True), ("60", 61_000, False), ("60", 121_000, True), ("300", 301_000, False)],
)
def test_collecting_a_batch_is_not_being_behind(
    template: Mapping[str, Any], batch_seconds: str, age: int, rings: bool
) -> None:
    given = CONSUMER | {"BatchSeconds": batch_seconds}
    mapping = only(template, given, "AWS::Lambda::EventSourceMapping")
    (alarm,) = [
        one
        for one in made(template, given, "AWS::CloudWatch::Alarm")
        if one["AlarmName"].endswith("-iterator-age")
    ]
    (expression,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert mapping["MaximumBatchingWindowInSeconds"] == batch_seconds
    assert (eval(expression, {}, {"age": age}) > alarm["Threshold"]) is rings  # noqa: S307


def test_metrics_of_alarms_are_written_by_the_function() -> None:
    line = json.loads(
        invocation_line(
            Invocation(
                timestamp_ms=0,
                request_id="1",
                function_name="weblog-lambda",
                event_type="firehose",
                duration_ms=1,
                tally=Tally(),
            ),
            FunctionSettings().metrics_namespace,
        )
    )
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    written = {(directive["Namespace"], one["Name"]) for one in directive["Metrics"]}
    assert directive["Dimensions"] == [["function_name"]]
    assert {key for key in ALARMS if key[0] == "WebLog/Lambda"} <= written


@pytest.mark.parametrize("more", [{}, {"KeyArn": KEY}])
def test_everything_is_encrypted_and_kept_for_a_time(
    template: Mapping[str, Any], more: dict[str, str]
) -> None:
    given = INLINE | more
    queue = only(template, given, "AWS::SQS::Queue")
    bucket = only(template, given, "AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    if more:
        assert queue["KmsMasterKeyId"] == KEY
        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": KEY,
        }
    else:
        assert queue["SqsManagedSseEnabled"] is True
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    groups = made(template, given, "AWS::Logs::LogGroup")
    assert len(groups) == 2
    for group in groups:
        assert group["RetentionInDays"] == "30"
        assert group.get("KmsKeyId") == more.get("KeyArn")


# moto knows no alarms, bucket and queue policies, log streams and delivery streams in a stack.
@pytest.mark.filterwarnings("ignore:Tried to parse .* not supported by moto:UserWarning")
@pytest.mark.parametrize("shape", [DIRECT, CONSUMER])
def test_a_stack_of_it(
    shape: dict[str, str], function_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        s3 = boto3.client("s3")
        s3.create_bucket(
            Bucket="code-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        s3.put_object(Bucket="code-bucket", Key="lambda.zip", Body=function_zip.read_bytes())
        boto3.client("kinesis").create_stream(StreamName="lines", ShardCount=1)
        client = boto3.client("cloudformation")
        client.create_stack(
            StackName="weblog-lambda",
            TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in shape.items()
            ],
        )
        (stack,) = client.describe_stacks(StackName="weblog-lambda")["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        functions = boto3.client("lambda")
        function = functions.get_function_configuration(FunctionName="weblog-lambda")
        assert function["Timeout"] == 60
        variables = function["Environment"]["Variables"]
        assert settings_from(variables).function.dead_letter_arn is not None
        mappings = functions.list_event_source_mappings()
        assert len(mappings["EventSourceMappings"]) == (shape is CONSUMER)
