"""The job's template: its rights, its streams and pipes, and the settings of the application."""

from __future__ import annotations

import json

import pytest

from flink_app.settings import JobSettings
from flink_app.sinks.kinesis import KinesisSink
from flink_app.sources.kinesis import KinesisSource
from tests.support import stacks
from tests.support.stacks import Stack, arn, stack
from tools.package.layout import RUN_OPTIONS_GROUP, Manifest
from udfs.config.root import ROOT

PROPERTIES = ROOT / "conf" / "managed_flink_properties.json"
APPLICATION = "KinesisAnalyticsV2::Application"


def stream(name: str) -> str:
    return arn("kinesis", f"stream/{name}")


def actions(service: str, names: str) -> set[str]:
    return {f"{service}:{name}" for name in names.split()}


INPUT = stream("weblog-input")
OUTPUTS = {
    stream(f"weblog-{name}")
    for name in ("aggregates", "alerts", "dead-letters", "enriched", "late")
}
POLL = actions("kinesis", "DescribeStreamSummary GetRecords GetShardIterator ListShards")
CONSUME = actions("kinesis", "DeregisterStreamConsumer DescribeStreamConsumer SubscribeToShard")
FAN_OUT = {
    INPUT: POLL | {"kinesis:RegisterStreamConsumer"},
    f"{INPUT}/consumer/weblog": CONSUME,
    f"{INPUT}/consumer/weblog:*": CONSUME,
}
MOVE_FILES = "AbortMultipartUpload DeleteObject GetObject ListMultipartUploadParts PutObject"
FILES = {
    "arn:aws:s3:::lake": {"s3:ListBucket"},
    "arn:aws:s3:::lake/logs/web/*": actions("s3", MOVE_FILES),
}
LOG_GROUP = "log-group:/aws/kinesis-analytics/weblog"
ALWAYS = {
    "arn:aws:s3:::code-bucket/weblog/*": {"s3:GetObject", "s3:GetObjectVersion"},
    INPUT: POLL,
    **{output: {"kinesis:PutRecords"} for output in OUTPUTS},
    arn("logs", "log-group:*"): {"logs:DescribeLogGroups"},
    arn("logs", LOG_GROUP): {"logs:DescribeLogStreams"},
    arn("logs", f"{LOG_GROUP}:log-stream:kinesis-analytics-log-stream"): {"logs:PutLogEvents"},
}


@pytest.mark.parametrize(
    ("parameters", "more"),
    [
        ({}, {}),
        (stacks.TOPICS, {}),  # which the pipes write to
        ({"EnhancedFanOut": "yes"}, FAN_OUT),
        ({"KeyArn": stacks.KEY}, {stacks.KEY: {"kms:Decrypt", "kms:GenerateDataKey"}}),
        ({"SaltArn": stacks.SALT}, {stacks.SALT: stacks.READ_SALT}),
        ({"ReferenceTableArn": stacks.TABLE}, {stacks.TABLE: {"dynamodb:BatchGetItem"}}),
        ({"DeliveryStreamArn": stacks.DELIVERY}, {stacks.DELIVERY: {"firehose:PutRecordBatch"}}),
        ({"FilesBucket": "lake", "FilesPrefix": "logs/web"}, FILES),
    ],
)
def test_a_right_comes_with_the_setting_that_needs_it(
    parameters: dict[str, str], more: dict[str, set[str]]
) -> None:
    assert stack("weblog", **parameters).rights("ApplicationRole") == ALWAYS | more


def properties_of(made: Stack) -> dict[str, dict[str, str]]:
    """The property groups that the application gets."""
    environment = made.only(APPLICATION)["ApplicationConfiguration"]["EnvironmentProperties"]
    return {one["PropertyGroupId"]: one["PropertyMap"] for one in environment["PropertyGroups"]}


def test_a_stream_of_another_stack_is_read_in_place_of_its_own() -> None:
    own, other = (stack("weblog", **one, EnhancedFanOut="yes") for one in ({}, stacks.INLINE))
    for made, source in ((own, INPUT), (other, stacks.SOURCE)):
        assert properties_of(made)["weblog.source"]["stream.arn"] == source
        assert made.outputs["InputStreamArn"] == source
        resources = {one.replace(source, INPUT) for one in made.rights("ApplicationRole")}
        assert resources == (ALWAYS | FAN_OUT).keys()
    assert own.of("Kinesis::Stream").keys() - other.of("Kinesis::Stream").keys() == {"InputStream"}


def test_streams_queue_and_role_have_their_names_in_the_outputs() -> None:
    made = stack("weblog", StreamMode="PROVISIONED", Shards="3", RetentionHours="48")
    streams = made.of("Kinesis::Stream").values()
    assert {(one["ShardCount"], one["RetentionPeriodHours"]) for one in streams} == {(3, 48)}
    assert not any("ShardCount" in one for one in stack("weblog").of("Kinesis::Stream").values())
    named = {value for key, value in made.outputs.items() if key.endswith("StreamArn")}
    assert named == {stream(one["Name"]) for one in streams} == OUTPUTS | {INPUT}
    assert made.outputs["DeadLetterQueueUrl"].endswith("/weblog-dead-letters")
    assert made.outputs["ApplicationRoleArn"].endswith(":role/weblog-application")
    assert made.outputs["ApplicationRoleArn"] == made.only(APPLICATION)["ServiceExecutionRole"]


# The jobs of the README's shapes by the names of their stacks: one after another, or side by side.
@pytest.mark.parametrize(
    ("name", "source"),
    [("weblog", INPUT), ("aggregates", INPUT), ("advanced", stream("weblog-enriched"))],
)
def test_a_job_may_read_and_write_what_its_property_file_names(name: str, source: str) -> None:
    text = PROPERTIES.read_text("utf-8").replace("stream/weblog-", f"stream/{name}-")
    properties = {one["PropertyGroupId"]: one["PropertyMap"] for one in json.loads(text)}
    properties["weblog.source"]["stream.arn"] = source
    other = {} if name == "weblog" else {"SourceStreamArn": source}

    settings = JobSettings.load(properties)

    rights = stack("weblog", Name=name, ApplicationByStack="no", **other).rights("ApplicationRole")
    assert isinstance(settings.source, KinesisSource)
    assert rights[settings.source.stream_arn] == POLL
    for sink in settings.sinks.values():
        assert isinstance(sink, KinesisSink)
        assert rights[sink.stream_arn] == {"kinesis:PutRecords"}


def test_pipes_move_what_the_job_wrote() -> None:
    made, without = stack("weblog", **stacks.TOPICS), stack("weblog")
    queue = arn("sqs", "weblog-dead-letters")
    targets = {
        "AlertPipe": ("weblog-alerts", stacks.ALERTS, "sns:Publish"),
        "DeadLetterPipe": ("weblog-dead-letters", queue, "sqs:SendMessage"),
        "DeadLetterTopicPipe": ("weblog-dead-letters", stacks.LETTERS, "sns:Publish"),
    }
    assert made.of("Pipes::Pipe").keys() == targets.keys()
    for name, (source, target, action) in targets.items():
        pipe, read = made[name], POLL | {"kinesis:DescribeStream"}
        assert (pipe["Source"], pipe["Target"]) == (stream(source), target)
        # As a value: AWS says that it takes the quotation marks out of an object anywhere else.
        assert pipe["TargetParameters"] == {"InputTemplate": '{"data": <$.data>}'}
        # What SendMessageBatch and PublishBatch take.
        assert pipe["SourceParameters"]["KinesisStreamParameters"]["BatchSize"] <= 10
        assert made.rights(f"{name}Role") == {stream(source): read, target: {action}}
    topics = ("AlertPipe", "AlertPipeRole", "DeadLetterTopicPipe", "DeadLetterTopicPipeRole")
    assert made.resources.keys() - without.resources.keys() == {*topics, "AlertPipeAlarm"}


def test_the_key_says_whom_its_policy_must_admit_for_the_application() -> None:
    application = stack("weblog", KeyArn=stacks.KEY).only(APPLICATION)
    encryption = application["ApplicationConfiguration"]["ApplicationEncryptionConfiguration"]
    assert encryption == {"KeyType": "CUSTOMER_MANAGED_KEY", "KeyId": stacks.KEY}
    # Managed Flink refuses an application whose key does not let both use it.
    described = stacks.template("weblog")["Parameters"]["KeyArn"]["Description"]
    assert " kinesisanalytics.amazonaws.com " in described
    assert " infrastructure.kinesisanalytics.amazonaws.com," in described


@pytest.mark.parametrize(
    ("parameters", "enriched"),
    [
        *zip(stacks.EXAMPLES["weblog"], ("enriched", "delivery"), strict=True),
        ({"WithConnectors": "no"}, "enriched"),
        ({"GeoIpDatabasePath": "data/city.mmdb"}, "enriched"),
        ({"FilesBucket": "lake"}, "files"),
    ],
)
def test_the_job_accepts_the_properties(parameters: dict[str, str], enriched: str) -> None:
    properties = properties_of(stack("weblog", **parameters))

    settings = JobSettings.load(properties)

    named = {name: settings.outputs[name] for name in ("alerts", "dead_letters", "enriched")}
    assert named == {"alerts": "alerts", "dead_letters": "dead-letters", "enriched": enriched}
    if "FilesBucket" in parameters:
        assert settings.sinks["files"].options("enriched")["path"] == "s3a://lake/weblog/enriched"
    assert settings.lookups.any == ("ReferenceTableArn" in parameters)
    assert settings.core.privacy.salt_secret_arn == parameters.get("SaltArn", "")
    assert sum(map(len, properties.values())) <= 50
    connectors = parameters.get("WithConnectors") != "no"
    assert properties[RUN_OPTIONS_GROUP] == Manifest("x", "1", connectors=connectors).run_options()
