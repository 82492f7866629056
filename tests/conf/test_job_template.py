"""The CloudFormation template: valid, least privilege, alarms, and the job's own settings."""

from __future__ import annotations

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

from flink_app.settings import OFF, JobSettings
from flink_app.sinks import KinesisSink
from flink_app.sources import KinesisSource
from tests.support.deploy import ACCOUNT, REGION
from tools.package.layout import RUN_OPTIONS_GROUP, Manifest
from udfs.config.root import ROOT

CONF = ROOT / "conf"
TEMPLATE = CONF / "cloudformation" / "weblog.yaml"
LARGEST_TEMPLATE_BYTES = 51_200  # what CloudFormation takes without a bucket
PARAMETERS = {"CodeBucket": "code-bucket"}
REGIONS = ManualArgs(regions=[REGION, "us-east-1"])
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:weblog-salt-AbCdEf"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
LETTER_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:letters"
DELIVERY = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/weblog"
SOURCE = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/lines"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/pages"
EVERYTHING = {
    "KeyArn": KEY,
    "EnhancedFanOut": "yes",
    "PrivacyProfile": "strict",
    "SaltArn": SECRET,
    "AlertTopicArn": TOPIC,
    "DeadLetterTopicArn": LETTER_TOPIC,
    "DeliveryStreamArn": DELIVERY,
    "FilesBucket": "lake",
    "ReferenceTableArn": TABLE,
    "SourceStreamArn": SOURCE,
}

# behaviour: what an operator has to hear of, and the metric that tells it.
ALARMED_METRICS = {
    "millisBehindLatest": 60_000,
    "GetRecords.IteratorAgeMilliseconds": 60_000,
    "lastCheckpointDuration": None,
    "numberOfFailedCheckpoints": 0,
    "numRestarts": 0,
    "restartingTime": 60_000,
    "failingTime": 60_000,
    "heapMemoryUtilization": 90,
    "containerCPUUtilization": 80,
    "containerMemoryUtilization": 85,
    "backPressuredTimeMsPerSecond": 500,
    "threadsCount": None,
    "oldGenerationGCTime": 60,
    "ReadProvisionedThroughputExceeded": 0,
    "WriteProvisionedThroughputExceeded": 0,
    "ApproximateAgeOfOldestMessage": 86_400,
    "ExecutionFailed": 0,
    "IncomingRecords": 1,
}
GONE_METRICS = {"fullRestarts", "downtime", "uptime"}


class Resolver:
    """The few functions that the templates use, for given parameters."""

    def __init__(self, template: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self.parameters = {
            name: str(given.get(name, one.get("Default", "")))
            for name, one in template["Parameters"].items()
        }
        self.conditions = template["Conditions"]
        self.resources = template["Resources"]

    def __call__(self, node: Any) -> Any:
        match node:
            case {"Fn::If": [condition, yes, no]}:
                return self(yes if self._holds(self.conditions[condition]) else no)
            case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Sub": _} | {"Fn::Select": _}:
                return self._looked_up(node)
            case dict():
                resolved = {key: self(value) for key, value in node.items()}
                return {key: value for key, value in resolved.items() if value is not None}
            case list():
                return [value for value in map(self, node) if value is not None]
        return node

    def is_made(self, name: str) -> bool:
        """Whether a resource is part of the stack."""
        condition = self.resources[name].get("Condition")
        return condition is None or self._holds(self.conditions[condition])

    def _looked_up(self, node: Any) -> str | None:
        match node:
            case {"Ref": "AWS::NoValue"}:
                return None
            case {"Ref": name}:
                return self._reference(name)
            case {"Fn::GetAtt": [name, "Arn" | "QueueName"]}:
                return self._arn(name)
            case {"Fn::Sub": str(text)}:
                return self._substituted(text)
            case {"Fn::Sub": [str(text), dict(values)]}:
                for name, value in self(values).items():
                    text = text.replace(f"${{{name}}}", value)
                return self._substituted(text)
            case {"Fn::Select": [int(index), {"Fn::Split": [str(delimiter), text]}]}:
                return str(self(text)).split(delimiter)[index]
        raise AssertionError(node)

    def _reference(self, name: str) -> str:
        pseudo = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
        return pseudo.get(name) or self.parameters.get(name, name)

    def _arn(self, name: str) -> str:
        properties = self.resources[name]["Properties"]
        if self.resources[name]["Type"] == "AWS::Kinesis::Stream":
            return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self(properties['Name'])}"
        return f"arn:aws:{name}"

    def _substituted(self, text: str) -> str:
        for name in (*self.parameters, "AWS::AccountId", "AWS::Region", "AWS::Partition"):
            text = text.replace(f"${{{name}}}", self._reference(name))
        for name in self.resources:
            text = text.replace(f"${{{name}.Arn}}", self._arn(name) if name in text else name)
        return text

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Fn::Equals": [one, other]}:
                return str(self(one)) == str(self(other))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": parts}:
                return all(map(self._holds, parts))
            case {"Condition": name}:
                return self._holds(self.conditions[name])
        raise AssertionError(condition)


@pytest.fixture(scope="module")
def template() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = cfn_yaml.load(str(TEMPLATE))
    return loaded


def resources(template: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    for name, one in template["Resources"].items():
        if one["Type"] == kind:
            yield name, one["Properties"]


def statements(
    template: Mapping[str, Any], given: dict[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy, with the resource it belongs to."""
    resolve = Resolver(template, PARAMETERS | given)
    for name, role in resources(template, "AWS::IAM::Role"):
        if not resolve.is_made(name):
            continue
        for policy in role["Policies"]:
            for one in resolve(policy["PolicyDocument"]["Statement"]):
                yield name, one
    for name, policy in resources(template, "AWS::SQS::QueuePolicy"):
        for one in resolve(policy["PolicyDocument"]["Statement"]):
            yield name, one


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint_file(TEMPLATE, REGIONS)] == []
    assert TEMPLATE.stat().st_size <= LARGEST_TEMPLATE_BYTES


def test_cfn_lint_would_find_something(tmp_path: Path) -> None:
    broken = tmp_path / "x.yaml"
    text = TEMPLATE.read_text(encoding="utf-8")
    broken.write_text(text.replace("FLINK-2_2", "FLINK-9_9"), encoding="utf-8")

    assert any("FLINK-9_9" in str(match) for match in lint_file(broken, REGIONS))


@pytest.mark.parametrize("given", [{}, EVERYTHING])
def test_each_action_is_named(template: Mapping[str, Any], given: dict[str, str]) -> None:
    found = list(statements(template, given))
    assert len(found) >= 8
    for _, one in found:
        assert one["Sid"]
        if one["Effect"] == "Allow":
            assert not [action for action in listed(one["Action"]) if "*" in action], one
            assert "NotAction" not in one
        else:
            # Refusing everything is the point of the one that refuses.
            assert one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("given", [{}, EVERYTHING])
def test_each_resource_is_named_or_has_a_reason(
    template: Mapping[str, Any], given: dict[str, str]
) -> None:
    reasons = template["Metadata"]["UnscopedResources"]
    for _, one in statements(template, given):
        for resource in listed(one["Resource"]):
            assert resource.startswith("arn:aws:"), one
            if "*" in resource:
                assert len(reasons[one["Sid"]]) > 40, f"no reason for {resource}"


def test_reasons_are_not_left_over(template: Mapping[str, Any]) -> None:
    open_ones = {
        one["Sid"]
        for _, one in statements(template, EVERYTHING)
        if any("*" in resource for resource in listed(one["Resource"]))
    }
    assert open_ones == template["Metadata"]["UnscopedResources"].keys()


def test_roles_are_for_one_service_and_one_resource(template: Mapping[str, Any]) -> None:
    resolve = Resolver(template, PARAMETERS)
    for name, role in resources(template, "AWS::IAM::Role"):
        (one,) = resolve(role["AssumeRolePolicyDocument"]["Statement"])
        assert one["Principal"]["Service"].endswith(".amazonaws.com"), name
        assert one["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert one["Condition"]["ArnEquals"]["aws:SourceArn"].count(":") == 5


def application_rights(
    template: Mapping[str, Any], given: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """The statements of the application's role by their names."""
    return {
        one["Sid"]: one for name, one in statements(template, given) if name == "ApplicationRole"
    }


def test_the_application_may_do_what_the_connectors_do(template: Mapping[str, Any]) -> None:
    def allowed(given: dict[str, str]) -> set[str]:
        return {
            action
            for one in application_rights(template, given).values()
            for action in listed(one["Action"])
            if action.startswith(("kinesis:", "kms:"))
        }

    polling = {
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
        "kinesis:PutRecords",
    }
    fan_out = {
        "kinesis:DeregisterStreamConsumer",
        "kinesis:DescribeStreamConsumer",
        "kinesis:RegisterStreamConsumer",
        "kinesis:SubscribeToShard",
    }
    assert allowed({}) == polling
    assert allowed({"EnhancedFanOut": "yes"}) == polling | fan_out
    assert allowed({"KeyArn": KEY}) == polling | {"kms:Decrypt", "kms:GenerateDataKey"}


def stream(name: str) -> str:
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


@pytest.mark.parametrize(
    ("given", "source"), [({}, stream("weblog-input")), ({"SourceStreamArn": SOURCE}, SOURCE)]
)
def test_one_stream_is_read_throughout(
    template: Mapping[str, Any], given: dict[str, str], source: str
) -> None:
    resolve = Resolver(template, PARAMETERS | given)
    rights = application_rights(template, given | {"EnhancedFanOut": "yes"})
    watched = {
        json.dumps(resolve(one["Dimensions"]))
        for name, one in metric_stats(template)
        if name in {"InputThrottledAlarm", "UnreadInputAlarm", "ErrorRateAlarm"}
    }
    ((_, application),) = resources(template, "AWS::KinesisAnalyticsV2::Application")
    groups = resolve(application["ApplicationConfiguration"])["EnvironmentProperties"]
    (arn,) = [
        one["PropertyMap"]["stream.arn"]
        for one in groups["PropertyGroups"]
        if one["PropertyGroupId"] == "weblog.source"
    ]

    assert resolve.is_made("InputStream") is not bool(given)
    assert rights["ReadInput"]["Resource"] == rights["RegisterConsumer"]["Resource"] == source
    assert rights["ReadInputAsConsumer"]["Resource"] == [
        f"{source}/consumer/weblog",
        f"{source}/consumer/weblog:*",
    ]
    dead_letters = json.dumps([{"Name": "StreamName", "Value": "DeadLettersStream"}])
    name = source.rpartition("/")[2]
    assert watched - {dead_letters} == {json.dumps([{"Name": "StreamName", "Value": name}])}
    assert arn == source
    assert resolve(template["Outputs"]["InputStreamArn"]["Value"]) == source


# Jobs by the names of their stacks, in the shapes of the README: what each reads, what it does
# and what it writes to streams.
SHAPES = {
    "one job": {"weblog": ("", "all", {"enriched", "alerts", "late", "dead_letters"})},
    "branches": {
        "weblog": ("", "records", {"enriched", "dead_letters"}),
        "aggregates": ("weblog-input", "aggregates", {"late"}),
        "alerts": ("weblog-input", "alerts", {"alerts"}),
    },
    "two stages": {
        "weblog": ("", "basic", {"enriched", "dead_letters"}),
        "advanced": (
            "weblog-enriched",
            "advanced",
            {"enriched", "alerts", "late", "dead_letters"},
        ),
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_job_of_a_shape_may_read_and_write_what_it_is_set_to(
    template: Mapping[str, Any], shape: str
) -> None:
    text = (CONF / "managed_flink_properties.json").read_text("utf-8")
    made: set[str] = set()
    for name, (source, stage, named) in SHAPES[shape].items():
        # What the README says: the stage, the stack's streams, and the outputs of the stage.
        listing = json.loads(text.replace("stream/weblog-", f"stream/{name}-"))
        groups = {one["PropertyGroupId"]: one["PropertyMap"] for one in listing}
        groups["weblog.pipeline"] = {"stage": stage}
        outputs = groups["weblog.outputs"]
        groups["weblog.outputs"] = {
            key: sink
            for key, sink in outputs.items()
            if key in named or key == "default" or sink == OFF
        }
        given = {"Name": name, "ApplicationByStack": "no"}
        if source:
            given["SourceStreamArn"] = groups["weblog.source"]["stream.arn"] = stream(source)
            assert source in made, "a stream of a stack before"

        settings = JobSettings.load(groups)

        rights = application_rights(template, given)
        assert isinstance(settings.source, KinesisSource)
        assert settings.source.stream_arn == rights["ReadInput"]["Resource"]
        written = {settings.sinks[sink] for sink in settings.outputs.values() if sink != OFF}
        for sink in written:
            assert isinstance(sink, KinesisSink)
            assert sink.stream_arn in rights["WriteOutputs"]["Resource"]
        assert named == {
            output
            for output, sink in settings.outputs.items()
            if sink not in {OFF, outputs["default"]}
        }
        resolve = Resolver(template, PARAMETERS | given)
        made |= {
            resolve(one["Name"])
            for logical, one in resources(template, "AWS::Kinesis::Stream")
            if resolve.is_made(logical)
        }


@pytest.mark.parametrize(
    ("given", "actions", "resource"),
    [
        ({"SaltArn": SECRET}, {"secretsmanager:GetSecretValue", "ssm:GetParameter"}, SECRET),
        ({"ReferenceTableArn": TABLE}, {"dynamodb:BatchGetItem"}, TABLE),
        ({"DeliveryStreamArn": DELIVERY}, {"firehose:PutRecordBatch"}, DELIVERY),
        ({"AlertTopicArn": TOPIC}, {"sns:Publish"}, TOPIC),
        ({"DeadLetterTopicArn": LETTER_TOPIC}, {"sns:Publish"}, LETTER_TOPIC),
        (
            {"FilesBucket": "lake", "FilesPrefix": "logs/web"},
            {
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            },
            "arn:aws:s3:::lake/logs/web/*",
        ),
    ],
)
def test_a_right_comes_with_the_setting_that_needs_it(
    template: Mapping[str, Any], given: dict[str, str], actions: set[str], resource: str
) -> None:
    def rights(given: dict[str, str]) -> dict[str, set[str]]:
        return {
            place: set(listed(one["Action"]))
            for _, one in statements(template, given)
            for place in listed(one["Resource"])
        }

    assert rights(given)[resource] == actions
    assert resource not in rights({})


def test_pipes_move_what_the_job_wrote(template: Mapping[str, Any]) -> None:
    topics = {"AlertTopicArn": TOPIC, "DeadLetterTopicArn": LETTER_TOPIC}
    resolve = Resolver(template, PARAMETERS | topics)
    pipes = {
        resolve(one["Name"]): resolve(one) for _, one in resources(template, "AWS::Pipes::Pipe")
    }
    assert pipes.keys() == {"weblog-dead-letters", "weblog-dead-letters-topic", "weblog-alerts"}
    for name, pipe in pipes.items():
        assert pipe["Source"].endswith(f":stream/{name.removesuffix('-topic')}")
        # As a value: AWS says that it takes the quotation marks out of an object anywhere else.
        assert pipe["TargetParameters"] == {"InputTemplate": '{"data": <$.data>}'}
        batch = pipe["SourceParameters"]["KinesisStreamParameters"]["BatchSize"]
        # What SendMessageBatch and PublishBatch take.
        assert batch <= 10
    assert pipes["weblog-alerts"]["Target"] == TOPIC
    assert pipes["weblog-dead-letters-topic"]["Target"] == LETTER_TOPIC
    without = Resolver(template, PARAMETERS)
    for pipe in ("AlertPipe", "DeadLetterTopicPipe"):
        assert not without.is_made(pipe)
        assert not without.is_made(f"{pipe}Role")


def test_a_pipe_that_is_the_only_way_is_watched(template: Mapping[str, Any]) -> None:
    resolve = Resolver(template, PARAMETERS | {"AlertTopicArn": TOPIC})
    watched = {
        resolve(one["Dimensions"])[0]["Value"]: resolve.is_made(name)
        for name, one in metric_stats(template)
        if one["MetricName"] == "ExecutionFailed"
    }
    # What goes to the topic of dead letters is in the queue too.
    assert watched == {"DeadLetterPipe": True, "AlertPipe": True}
    assert not Resolver(template, PARAMETERS).is_made("AlertPipeAlarm")


def test_the_key_says_whom_its_policy_must_admit_for_the_application(
    template: Mapping[str, Any],
) -> None:
    resolve = Resolver(template, PARAMETERS | {"KeyArn": KEY})
    ((name, application),) = resources(template, "AWS::KinesisAnalyticsV2::Application")
    configuration = resolve(application["ApplicationConfiguration"])
    encryption = configuration["ApplicationEncryptionConfiguration"]
    assert encryption == {"KeyType": "CUSTOMER_MANAGED_KEY", "KeyId": KEY}
    # Managed Flink refuses an application whose key does not let both use it.
    described = template["Parameters"]["KeyArn"]["Description"].replace(",", " ").split()
    assert {
        "kinesisanalytics.amazonaws.com",
        "infrastructure.kinesisanalytics.amazonaws.com",
    } <= set(described)
    assert not Resolver(template, {"ApplicationByStack": "no"}).is_made(name)


@pytest.mark.parametrize("given", [{}, {"KeyArn": KEY}])
def test_everything_is_encrypted(template: Mapping[str, Any], given: dict[str, str]) -> None:
    resolve = Resolver(template, PARAMETERS | given)
    for _, stream in resources(template, "AWS::Kinesis::Stream"):
        expected = given.get("KeyArn", "alias/aws/kinesis")
        assert resolve(stream["StreamEncryption"]) == {"EncryptionType": "KMS", "KeyId": expected}
    for _, queue in resources(template, "AWS::SQS::Queue"):
        resolved = resolve(queue)
        if given:
            assert resolved["KmsMasterKeyId"] == KEY
        else:
            assert resolved["SqsManagedSseEnabled"] is True
    (group,) = [one for _, one in resources(template, "AWS::Logs::LogGroup")]
    assert resolve(group).get("KmsKeyId") == given.get("KeyArn")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"WithConnectors": "no"},
        {"EnhancedFanOut": "yes"},
        {"GeoIpDatabasePath": "data/city.mmdb"},
        {"FilesBucket": "lake"},
        EVERYTHING,
    ],
)
def test_the_job_accepts_the_properties(template: Mapping[str, Any], given: dict[str, str]) -> None:
    resolve = Resolver(template, PARAMETERS | given)
    ((_, application),) = resources(template, "AWS::KinesisAnalyticsV2::Application")
    listing = resolve(application["ApplicationConfiguration"])["EnvironmentProperties"]
    groups = {one["PropertyGroupId"]: dict(one["PropertyMap"]) for one in listing["PropertyGroups"]}

    settings = JobSettings.load(groups)

    assert settings.outputs["dead_letters"] == "dead-letters"
    assert settings.outputs["alerts"] == "alerts"
    enriched = "enriched"
    if "FilesBucket" in given:
        enriched = "files"
        assert settings.sinks["files"].options("enriched")["path"] == "s3a://lake/weblog/enriched"
    if "DeliveryStreamArn" in given:
        enriched = "delivery"
    assert settings.outputs["enriched"] == enriched
    assert settings.lookups.any == ("ReferenceTableArn" in given)
    assert settings.core.privacy.salt_secret_arn == given.get("SaltArn", "")
    assert all(value for values in groups.values() for value in values.values())
    assert sum(map(len, groups.values())) <= 50
    connectors = given.get("WithConnectors") != "no"
    assert groups[RUN_OPTIONS_GROUP] == Manifest("x", "1", connectors=connectors).run_options()


def metric_stats(template: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every plain metric of every alarm."""
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm"):
        if "MetricName" in alarm:
            yield name, alarm
        for one in alarm.get("Metrics", []):
            if "MetricStat" in one:
                yield name, one["MetricStat"]["Metric"]


def metrics_of(alarm: Mapping[str, Any]) -> Iterator[str]:
    """The metrics of a resolved alarm."""
    if "MetricName" in alarm:
        yield alarm["MetricName"]
    for one in alarm.get("Metrics", []):
        if "MetricStat" in one:
            yield one["MetricStat"]["Metric"]["MetricName"]
        elif one["Expression"].startswith("SELECT "):
            yield one["Expression"].partition("MAX(")[2].partition(")")[0]


def test_a_consumer_of_its_own_is_watched_by_its_own_metric(template: Mapping[str, Any]) -> None:
    alarm = template["Resources"]["UnreadInputAlarm"]["Properties"]
    polling, fan_out = (
        Resolver(template, PARAMETERS | {"EnhancedFanOut": one})(alarm) for one in ("no", "yes")
    )

    stream_name = {"Name": "StreamName", "Value": "weblog-input"}
    assert polling["MetricName"] == "GetRecords.IteratorAgeMilliseconds"
    assert polling["Dimensions"] == [stream_name]
    assert fan_out["MetricName"] == "SubscribeToShardEvent.MillisBehindLatest"
    # The name that the job registers, and that the rights are for.
    assert fan_out["Dimensions"] == [stream_name, {"Name": "ConsumerName", "Value": "weblog"}]
    assert polling["Threshold"] == fan_out["Threshold"] == 60_000


def test_metrics_with_further_dimensions_are_asked_for_by_the_application(
    template: Mapping[str, Any],
) -> None:
    # AWS reports these by stream, task or flow too: an alarm on the application alone finds none.
    further = {
        "millisBehindLatest",
        "backPressuredTimeMsPerSecond",
        "restartingTime",
        "failingTime",
    }
    plain = {str(one["MetricName"]) for _, one in metric_stats(template)}
    assert further <= ALARMED_METRICS.keys()
    assert not plain & further


def test_alarms(template: Mapping[str, Any]) -> None:
    resolve = Resolver(template, PARAMETERS)
    found: dict[str, set[float]] = {}
    for name, unresolved in resources(template, "AWS::CloudWatch::Alarm"):
        alarm = resolve(unresolved)
        for metric in metrics_of(alarm):
            found.setdefault(metric, set()).add(float(alarm["Threshold"]))
        assert len(alarm["AlarmDescription"]) > 30, name
        assert unresolved["AlarmActions"] == unresolved["OKActions"]

    assert found.keys() == ALARMED_METRICS.keys()
    assert not found.keys() & GONE_METRICS
    for metric, threshold in ALARMED_METRICS.items():
        assert threshold is None or threshold in found[metric], metric


def computed(alarm: Mapping[str, Any], **metrics: float) -> float:
    """What the alarm's expression makes of the metrics, all of which it has to use."""
    (expression,) = [one["Expression"] for one in alarm["Metrics"] if "Expression" in one]
    assert {one["Id"] for one in alarm["Metrics"]} == {"result", *metrics}
    functions = {"IF": lambda holds, yes, no: yes if holds else no, "FILL": lambda value, _: value}
    return float(eval(expression.replace(" AND ", " and "), functions, metrics))  # noqa: S307


@pytest.mark.parametrize(
    ("lines_per_record", "dead", "rings"),
    [("1", 10, False), ("1", 11, True), ("50", 500, False), ("50", 501, True), ("2.5", 26, True)],
)
def test_the_error_rate_is_one_of_lines(
    template: Mapping[str, Any], lines_per_record: str, dead: int, rings: bool
) -> None:
    resolve = Resolver(template, PARAMETERS | {"LinesPerRecord": lines_per_record})
    alarm = resolve(template["Resources"]["ErrorRateAlarm"]["Properties"])

    assert (computed(alarm, dead=dead, records=1_000) > alarm["Threshold"]) is rings


def test_every_output_stream_is_watched_for_throttling(template: Mapping[str, Any]) -> None:
    resolve = Resolver(template, PARAMETERS)
    watched = {
        resolve(one["Dimensions"])[0]["Value"]
        for _, one in metric_stats(template)
        if "ThroughputExceeded" in str(one["MetricName"])
    }
    # The input's name is taken from its ARN, the others' from their resources.
    assert watched == {"weblog-input"} | {
        name for name, _ in resources(template, "AWS::Kinesis::Stream") if name != "InputStream"
    }


# moto knows no alarms, pipes, queue policies, log streams and applications in a stack.
@pytest.mark.filterwarnings("ignore:Tried to parse .* not supported by moto:UserWarning")
@pytest.mark.parametrize("given", [{}, {"SourceStreamArn": SOURCE}])
@pytest.mark.usefixtures("credentials")
def test_a_stack_of_it(given: dict[str, str]) -> None:
    with mock_aws():
        client = boto3.client("cloudformation")
        client.create_stack(
            StackName="weblog",
            TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": "CodeBucket", "ParameterValue": "code-bucket"},
                {"ParameterKey": "StreamMode", "ParameterValue": "PROVISIONED"},
                {"ParameterKey": "Shards", "ParameterValue": "3"},
                *({"ParameterKey": key, "ParameterValue": value} for key, value in given.items()),
            ],
        )
        (stack,) = client.describe_stacks(StackName="weblog")["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

        assert stack["StackStatus"] == "CREATE_COMPLETE"
        kinesis = boto3.client("kinesis")
        names = kinesis.list_streams()["StreamNames"]
        assert sorted(names) == [
            f"weblog-{name}"
            for name in ("aggregates", "alerts", "dead-letters", "enriched", "input", "late")
            if name != "input" or not given
        ]
        source = given.get("SourceStreamArn", stream("weblog-input"))
        assert outputs["InputStreamArn"] == source
        for name in names:
            summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            assert summary["OpenShardCount"] == 3
        iam = boto3.client("iam")
        role = iam.get_role(RoleName="weblog-application")["Role"]
        assert role["Arn"] == outputs["ApplicationRoleArn"]
        stored: Any = iam.get_role_policy(
            RoleName="weblog-application", PolicyName="run-the-application"
        )["PolicyDocument"]
        # moto keeps a stack's policy as a text that is not quite JSON.
        assert outputs["EnrichedStreamArn"] in str(stored)
        assert source in str(stored)
        attributes = boto3.client("sqs").get_queue_attributes(
            QueueUrl=outputs["DeadLetterQueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        assert attributes["MessageRetentionPeriod"] == "1209600"
        groups = boto3.client("logs").describe_log_groups()["logGroups"]
        assert [one["logGroupName"] for one in groups] == ["/aws/kinesis-analytics/weblog"]
