"""The job's template: its rights, its streams and pipes, and the settings of the application."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from flink_app.alerts import rule_settings
from flink_app.settings import JobSettings
from flink_app.sinks.kinesis import KinesisSink
from flink_app.sources.kinesis import KinesisSource
from flink_app.sql_files import output_files
from tests.support import stacks
from tests.support.stacks import Groups, Stack, alert_template, arn, job, property_file
from tools.deploy.tables import columns
from tools.deploy.template import APPLICATION, parameters
from udfs.config.root import ROOT


def stream(name: str) -> str:
    return arn("kinesis", f"stream/{name}")


def actions(service: str, names: str) -> set[str]:
    return {f"{service}:{name}" for name in names.split()}


INPUT = stream("weblog-input")
NAMES = ("aggregates", "alerts", "dead-letters", "enriched", "late")
OUTPUTS = {stream(f"weblog-{name}") for name in NAMES}
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
LOOK_AT_NETWORK = (
    "DescribeDhcpOptions DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets "
    "DescribeVpcs"
)
REACH_NETWORK = "CreateNetworkInterface CreateNetworkInterfacePermission DeleteNetworkInterface"
NETWORK = {
    "*": actions("ec2", LOOK_AT_NETWORK),
    **{
        arn("ec2", f"{kind}/*"): actions("ec2", REACH_NETWORK)
        for kind in ("network-interface", "security-group", "subnet")
    },
}
LOG_GROUP = "log-group:/aws/kinesis-analytics/weblog"
ENRICHED = {stream("weblog-enriched"): {"kinesis:PutRecords"}}
ALWAYS = {
    "arn:aws:s3:::code-bucket/weblog/*": {"s3:GetObject", "s3:GetObjectVersion"},
    INPUT: POLL,
    **{output: {"kinesis:PutRecords"} for output in OUTPUTS},
    arn("logs", "log-group:*"): {"logs:DescribeLogGroups"},
    arn("logs", LOG_GROUP): {"logs:DescribeLogStreams"},
    arn("logs", f"{LOG_GROUP}:log-stream:kinesis-analytics-log-stream"): {"logs:PutLogEvents"},
}


@pytest.mark.parametrize(
    ("make", "less", "more"),
    [
        (job, {}, {}),
        (lambda: job(**stacks.TOPICS), {}, {}),  # only the pipes write to the topics
        (lambda: job(stacks.FAN_OUT), {}, FAN_OUT),
        (lambda: job(stacks.OTHER_SOURCE), {INPUT: POLL}, {stacks.SOURCE: POLL}),
        (lambda: job(stacks.OTHER_ACCOUNT), {INPUT: POLL}, {stacks.ROLE: {"sts:AssumeRole"}}),
        (lambda: job(stacks.HIDDEN), {}, {stacks.SALT: stacks.READ_SALT}),
        (lambda: job(stacks.LOOKED_UP), {}, {stacks.TABLE: {"dynamodb:BatchGetItem"}}),
        (lambda: job(stacks.DELIVERED), ENRICHED, {stacks.DELIVERY: {"firehose:PutRecordBatch"}}),
        (lambda: job(stacks.FILES), ENRICHED, FILES),
        (lambda: job(KeyArn=stacks.KEY), {}, {stacks.KEY: {"kms:Decrypt", "kms:GenerateDataKey"}}),
        (lambda: job(GeoIpObjectArn=stacks.FILE), {}, {stacks.FILE: {"s3:GetObject"}}),
        (lambda: job(**stacks.VPC), {}, NETWORK),
    ],
)
def test_a_right_comes_with_the_setting_that_needs_it(
    make: Callable[[], Stack], less: dict[str, set[str]], more: dict[str, set[str]]
) -> None:
    always = {name: right for name, right in ALWAYS.items() if name not in less}
    assert make().rights("ApplicationRole") == always | more


def properties_of(made: Stack) -> dict[str, dict[str, str]]:
    """Returns the property groups that the application gets."""
    environment = made[APPLICATION]["ApplicationConfiguration"]["EnvironmentProperties"]
    return {one["PropertyGroupId"]: one["PropertyMap"] for one in environment["PropertyGroups"]}


def streams_of(made: Stack) -> set[str]:
    return {one["Name"] for one in made.of("Kinesis::Stream").values()}


def test_streams_are_made_that_the_property_file_names_and_the_job_uses() -> None:
    assert streams_of(job()) == {f"weblog-{name}" for name in ("input", *NAMES)}
    assert streams_of(job(stacks.OTHER_SOURCE, stacks.FILES)) == {
        f"weblog-{name}" for name in set(NAMES) - {"enriched"}
    }
    shape: Groups = {
        "weblog.pipeline": {"stage": "aggregates"},
        "weblog.outputs": {"alerts": "off"},
    }
    others: Groups = {"weblog.outputs": {"enriched": "off", "dead_letters": "off"}}
    assert streams_of(job(shape, others)) == {"weblog-input", "weblog-aggregates", "weblog-late"}


def test_each_output_may_have_a_stream_of_its_own() -> None:
    made = job({"weblog.sink.aggregates": {"stream.arn": "${Stream.of-{output}}"}})
    names = {name for name in streams_of(made) if name.startswith("weblog-of-")}
    assert {"weblog-of-errors-per-page", "weblog-of-sessions"} < names
    assert {stream(name) for name in names} < made.rights("ApplicationRole").keys()
    assert properties_of(made)["weblog.sink.aggregates"]["stream.arn"] == stream(
        "weblog-of-{output}"
    )


def test_streams_have_their_size_and_their_names_in_the_outputs() -> None:
    made = job(Shards="3", RetentionHours="48")
    streams = made.of("Kinesis::Stream").values()
    assert {(one["ShardCount"], one["RetentionPeriodHours"]) for one in streams} == {(3, 48)}
    on_demand = job(StreamMode="ON_DEMAND").of("Kinesis::Stream").values()
    assert not any("ShardCount" in one for one in on_demand)
    assert {one["StreamModeDetails"]["StreamMode"] for one in on_demand} == {"ON_DEMAND"}
    named = {value for key, value in made.outputs.items() if key.endswith("StreamArn")}
    assert named == {stream(one["Name"]) for one in streams} == OUTPUTS | {INPUT}
    assert made.outputs["DeadLetterQueueUrl"].endswith("/weblog-dead-letters")


@pytest.mark.parametrize("name", ["weblog", "advanced"])
def test_a_job_may_read_and_write_what_its_settings_name(name: str) -> None:
    made = job(name=name)
    settings = JobSettings.load(properties_of(made))

    rights = made.rights("ApplicationRole")
    assert isinstance(settings.source, KinesisSource)
    assert rights[settings.source.stream_arn] == POLL
    for sink in settings.sinks.values():
        assert isinstance(sink, KinesisSink)
        assert rights[sink.stream_arn] == {"kinesis:PutRecords"}


WEBHOOK = arn("events", "api-destination/weblog-alert-webhook/1234")


def test_pipes_move_what_the_job_wrote() -> None:
    made, without = job(**stacks.TOPICS, **stacks.WEBHOOK), job()
    queue, failures = arn("sqs", "weblog-dead-letters"), arn("sqs", "weblog-pipe-failures")
    targets = {
        "AlertPipe": ("weblog-alerts", stacks.ALERTS, "sns:Publish"),
        "AlertWebhookPipe": ("weblog-alerts", WEBHOOK, "events:InvokeApiDestination"),
        "DeadLetterPipe": ("weblog-dead-letters", queue, "sqs:SendMessage"),
        "DeadLetterTopicPipe": ("weblog-dead-letters", stacks.LETTERS, "sns:Publish"),
    }
    assert made.of("Pipes::Pipe").keys() == targets.keys()
    for name, (source, target, action) in targets.items():
        pipe, read = made[name], POLL | {"kinesis:DescribeStream"}
        assert (pipe["Source"], pipe["Target"]) == (stream(source), target)
        reading = pipe["SourceParameters"]["KinesisStreamParameters"]
        # SendMessageBatch and PublishBatch take at most 10 messages.
        assert reading["BatchSize"] <= 10
        # An undeliverable record does not block the pipe, and goes to the queue of failures.
        assert reading["MaximumRetryAttempts"] == 100
        assert reading["DeadLetterConfig"] == {"Arn": failures}
        rights = {stream(source): read, target: {action}, failures: {"sqs:SendMessage"}}
        assert made.rights(f"{name}Role") == rights
    for name in ("DeadLetterPipe", "DeadLetterTopicPipe"):
        # Elsewhere than in a value, AWS removes the quotation marks of an object.
        assert made[name]["TargetParameters"] == {"InputTemplate": '{"data": <$.data>}'}
    pipes = ("AlertPipe", "AlertWebhookPipe", "DeadLetterTopicPipe")
    assert made.resources.keys() - without.resources.keys() == {
        *pipes, *(f"{pipe}Role" for pipe in pipes), "AlertPipeAlarm", "AlertWebhookPipeAlarm",
        "AlertWebhook", "AlertWebhookConnection",
    }  # fmt: skip


def test_the_address_of_a_webhook_is_nowhere_but_in_its_secret() -> None:
    made = job(**stacks.WEBHOOK)
    webhook = made["AlertWebhook"]
    (secret,) = stacks.WEBHOOK.values()
    assert webhook["InvocationEndpoint"] == f"{{{{resolve:secretsmanager:{secret}}}}}"
    # Slack takes a post a second, of one alert.
    assert (webhook["HttpMethod"], webhook["InvocationRateLimitPerSecond"]) == ("POST", 1)
    reading = made["AlertWebhookPipe"]["SourceParameters"]["KinesisStreamParameters"]
    assert reading["BatchSize"] == 1


def test_a_pipe_is_for_a_stream_of_one_output() -> None:
    shared: Groups = {"weblog.outputs": {"alerts": "aggregates", "dead_letters": "aggregates"}}
    made = job(shared, **stacks.TOPICS)
    assert made.of("Pipes::Pipe") == made.of("SQS::Queue") == {}
    assert "DeadLetterQueueUrl" not in made.outputs


@pytest.mark.parametrize("pipe", ["AlertPipe", "AlertWebhookPipe"])
def test_an_alert_is_a_text_that_says_what_and_where_to_look(pipe: str) -> None:
    template = alert_template(pipe, RunbookUrl="https://example.com/runbook")
    document = json.loads(template)
    text = document if pipe == "AlertPipe" else document["text"]
    (alerts,) = (one for one in output_files() if one.name == "alerts")
    named = set(re.findall(r"<\$\.data\.(\w+)>", template))
    # A hostile client may choose the `subject`.
    assert named < columns(alerts).keys() - {"subject"}
    assert {"alert", "state", "subject_text", "metric", "metric_value", "threshold"} < named
    assert text.startswith("weblog: <$.data.alert> ")
    assert text.endswith(" What to do: https://example.com/runbook#<$.data.alert>")
    assert "\n" not in text


@pytest.mark.parametrize("rule", [one.key for one in rule_settings()])
def test_the_runbook_has_a_heading_for_each_alert(rule: str) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    assert f"\n### {rule}\n" in runbook


def test_the_key_says_whom_its_policy_must_admit_for_the_application() -> None:
    configuration = job(KeyArn=stacks.KEY)[APPLICATION]["ApplicationConfiguration"]
    encryption = configuration["ApplicationEncryptionConfiguration"]
    assert encryption == {"KeyType": "CUSTOMER_MANAGED_KEY", "KeyId": stacks.KEY}
    # Managed Flink refuses an application whose key one of the two may not use.
    described = parameters("job")["KeyArn"]["Description"]
    assert " kinesisanalytics.amazonaws.com " in described
    assert " infrastructure.kinesisanalytics.amazonaws.com " in described


def test_the_application_is_what_the_parameters_say() -> None:
    made = job(Parallelism="4", ParallelismPerKpu="2", MaintenanceWindow="03:00", **stacks.VPC)
    configuration = made[APPLICATION]["ApplicationConfiguration"]
    flink = configuration["FlinkApplicationConfiguration"]
    assert {**flink["ParallelismConfiguration"], "AutoScalingEnabled": None} == {
        "ConfigurationType": "CUSTOM",
        "Parallelism": 4,
        "ParallelismPerKPU": 2,
        "AutoScalingEnabled": None,
    }
    assert configuration["VpcConfigurations"] == [
        {"SubnetIds": ["subnet-1a", "subnet-1b"], "SecurityGroupIds": ["sg-1"]}
    ]
    window = made[APPLICATION]["ApplicationMaintenanceConfiguration"]
    assert window == {"ApplicationMaintenanceWindowStartTime": "03:00"}
    assert "VpcConfigurations" not in job()[APPLICATION]["ApplicationConfiguration"]


def test_an_update_goes_on_from_the_latest_snapshot() -> None:
    application = job()[APPLICATION]
    restore = application["RunConfiguration"]["ApplicationRestoreConfiguration"]
    assert restore == {"ApplicationRestoreType": "RESTORE_FROM_LATEST_SNAPSHOT"}
    configuration = application["ApplicationConfiguration"]
    assert configuration["ApplicationSnapshotConfiguration"] == {"SnapshotsEnabled": True}
    assert configuration["ApplicationSystemRollbackConfiguration"] == {"RollbackEnabled": True}


@pytest.mark.parametrize(
    ("changes", "enriched"),
    [([], "enriched"), ([stacks.DELIVERED], "lake"), ([stacks.FILES, stacks.HIDDEN], "lake")],
)
def test_the_job_accepts_the_properties(changes: list[Groups], enriched: str) -> None:
    properties = properties_of(job(*changes))

    settings = JobSettings.load(properties)

    named = {name: settings.outputs[name] for name in ("alerts", "dead_letters", "enriched")}
    assert named == {"alerts": "alerts", "dead_letters": "dead-letters", "enriched": enriched}
    assert properties.keys() == property_file(*changes).keys()
