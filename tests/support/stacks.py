"""Stacks of the CloudFormation templates as moto makes them, with every function resolved.

A test makes `job(Shards="3")`, `job(FILES)` or `function(**CONSUMER)`. It looks at the resources
of that stack by logical id or by type, at its outputs, and at the rights of its roles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from moto import mock_aws
from moto.cloudformation import parsing
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.kinesis.models import kinesis_backends
from moto.s3.models import s3_backends

from flink_app.settings import JobSettings
from tests.support.aws import REGION
from tools.deploy import template
from tools.deploy.deployment import with_groups
from tools.deploy.job import StackLocation, needs, resolved
from tools.deploy.template import FOLDER, render
from udfs.config.file import load_properties
from udfs.config.root import ROOT

PROPERTIES = ROOT / "conf" / "managed_flink_properties.json"


def arn(service: str, resource: str) -> str:
    """Returns the ARN of a resource in the account and region of the stacks."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


KEY = arn("kms", "key/1234")
SALT = arn("secretsmanager", "secret:weblog-salt-AbCdEf")
ALARMS, ALERTS, LETTERS = (arn("sns", name) for name in ("alarms", "alerts", "letters"))
DELIVERY = arn("firehose", "deliverystream/lake")
TABLE = arn("dynamodb", "table/pages")
SOURCE = arn("kinesis", "stream/lines")
DOMAIN = arn("es", "domain/search")
FUNCTION = arn("lambda", "function:weblog-lambda:live")
FILE = "arn:aws:s3:::data/city"
ROLE = "arn:aws:iam::210987654321:role/reader"
READ_SALT = {"secretsmanager:GetSecretValue", "ssm:GetParameter"}

REQUIRED = {"CodeBucket": "code-bucket", "CodeKey": "weblog/code.zip"}
"""Values for parameters without a default."""

# --- changes of the property file --------------------------------------------------------------

type Groups = Mapping[str, Mapping[str, str]]

FAN_OUT = {"weblog.source": {"reader.type": "EFO", "consumer.name": "weblog"}}
OTHER_SOURCE = {"weblog.source": {"stream.arn": SOURCE}}
OTHER_ACCOUNT = {
    "weblog.source": {
        "stream.arn": f"arn:aws:kinesis:{REGION}:210987654321:stream/lines",
        "role.arn": ROLE,
    }
}
HIDDEN = {"weblog.privacy": {"profile": "strict", "salt.secret.arn": SALT}}
LOOKED_UP = {"weblog.lookups.dynamodb": {"table": "pages"}}
DELIVERED = {
    "weblog.sink.lake": {"type": "firehose", "stream.arn": DELIVERY},
    "weblog.outputs": {"enriched": "lake"},
}
FILES = {
    "weblog.sink.lake": {"type": "filesystem", "path": "s3a://lake/logs/web"},
    "weblog.outputs": {"enriched": "lake"},
}

# --- parameters --------------------------------------------------------------------------------

SECURED = {"KeyArn": KEY, "AlarmTopicArn": ALARMS}
TOPICS = {"AlertTopicArn": ALERTS, "DeadLetterTopicArn": LETTERS}
WEBHOOK = {"AlertWebhookSecretArn": arn("secretsmanager", "secret:webhook-AbCdEf")}
LAKE = {"LakeDatabase": "weblog"}
VPC = {"SubnetIds": "subnet-1a,subnet-1b", "SecurityGroupIds": "sg-1"}
INLINE = {"InputStreamArn": SOURCE}
CONSUMER = INLINE | {"Shape": "consumer"}

# The types that moto does not make in a stack, with the property whose value `Ref` returns.
NOT_IN_MOTO = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::Events::ApiDestination": "Name",
    "AWS::Events::Connection": "Name",
    "AWS::Glue::Database": "",
    "AWS::Glue::Table": "",
    "AWS::KinesisAnalyticsV2::Application": "ApplicationName",
    "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": "",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Lambda::Alias": "Name",
    "AWS::Lambda::EventSourceMapping": "",
    "AWS::Lambda::Version": "",
    "AWS::Logs::LogStream": "LogStreamName",
    "AWS::Pipes::Pipe": "Name",
    "AWS::S3::BucketPolicy": "",
    "AWS::SQS::QueuePolicy": "",
}


class NamedResource:
    """A resource of which moto knows only the name."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, resource: Any, *_: object, **__: object
    ) -> NamedResource:
        return cls(name)

    @classmethod
    def update_from_cloudformation_json(
        cls, new_resource_name: str, cloudformation_json: Any, **_: object
    ) -> NamedResource:
        return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json)

    @classmethod
    def delete_from_cloudformation_json(cls, *_: object) -> None:
        pass

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, name: str) -> str:
        return name


class AliasResource(NamedResource):
    """An alias of a function, which `Ref` returns as an ARN."""

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, resource: Any, *_: object, **__: object
    ) -> AliasResource:
        of = resource["Properties"]["FunctionName"]
        return cls(arn("lambda", f"function:{of}:{name}"))


class DestinationResource(NamedResource):
    """An API destination, whose ARN ends with an id."""

    def get_cfn_attribute(self, name: str) -> str:
        return arn("events", f"api-destination/{self.physical_resource_id}/1234")


class CatalogResource(NamedResource):
    """A database or a table of Glue, which `Ref` returns by the name in its input."""

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, resource: Any, *_: object, **__: object
    ) -> CatalogResource:
        properties = resource["Properties"]
        return cls((properties.get("TableInput") or properties["DatabaseInput"])["Name"])


# Moto looks up its models in these two maps.
models: dict[str, Any] = dict.fromkeys(NOT_IN_MOTO, NamedResource)
models["AWS::Lambda::Alias"] = AliasResource
models["AWS::Events::ApiDestination"] = DestinationResource
models["AWS::Glue::Database"] = models["AWS::Glue::Table"] = CatalogResource
parsing.get_model_map().update(models)
parsing.get_name_type_map().update(NOT_IN_MOTO)


class RefusedError(Exception):
    """CloudFormation refuses the parameters."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that was made.

    Attributes:
        template: Its template, with CloudFormation's functions in it.
        parameters: The values of all parameters.
        resources: The resources of the stack by logical id, resolved.
        outputs: The outputs by key.
    """

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, str]

    def __getitem__(self, logical_id: str) -> Any:
        return self.resources[logical_id]["Properties"]

    def of(self, kind: str) -> dict[str, Any]:
        """Returns the properties of the resources of a type, by logical id."""
        made = self.resources.items()
        return {name: one["Properties"] for name, one in made if one["Type"] == f"AWS::{kind}"}

    def only(self, kind: str) -> Any:
        """Returns the properties of the one resource of a type."""
        (properties,) = self.of(kind).values()
        return properties

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields each statement of each policy with the logical id of its resource."""
        for name in self.resources:
            for policy in (*self[name].get("Policies", ()), self[name]):
                for statement in policy.get("PolicyDocument", {}).get("Statement", ()):
                    yield name, statement

    def rights(self, role: str) -> dict[str, set[str]]:
        """Returns the actions that a role may take, by resource."""
        rights: dict[str, set[str]] = {}
        for name, statement in self.statements():
            for resource in listed(statement["Resource"]) if name == role else ():
                rights.setdefault(resource, set()).update(listed(statement["Action"]))
        return rights


def listed(value: Any) -> list[Any]:
    """Returns a template's value as a list, whether it is one item or a list."""
    return value if isinstance(value, list) else [value]


def property_file(*changes: Groups) -> dict[str, dict[str, str]]:
    """Returns the groups of the property file that `deploy` takes first, with changes."""
    groups = load_properties(PROPERTIES)
    for change in changes:
        for group, values in change.items():
            groups[group] = groups.get(group, {}) | dict(values)
    return groups


def job(*changes: Groups, name: str = "weblog", **parameters: str) -> Stack:
    """Makes the stack of a job.

    Args:
        changes: What differs from the property file that `deploy` takes first.
        name: The stack's name.
        parameters: Values of parameters; the others have their defaults.

    Raises:
        RefusedError: A parameter is unknown, or a value does not match its pattern.
    """
    return _job(json.dumps(property_file(*changes)), name, **parameters)


@cache
def _job(properties: str, name: str, **parameters: str) -> Stack:
    groups, location = json.loads(properties), StackLocation(name, REGION, ACCOUNT)
    final = resolved(groups, location, lambda _: {})
    needed = needs(JobSettings.load(final), groups, location)
    written = with_groups(render("job", needed.repeated), final)
    return _made(name, written, REQUIRED | dict(needed.parameters) | parameters)


@cache
def function(**parameters: str) -> Stack:
    """Makes the stack of a function.

    Raises:
        RefusedError: A parameter is unknown, a value does not match its pattern, or a rule does
            not hold.
    """
    written = render("function", {"Version": ["0a1b"]})
    return _made("weblog-lambda", written, REQUIRED | parameters)


@cache
def delivery(**parameters: str) -> Stack:
    """Makes the stack of a delivery into OpenSearch.

    Raises:
        RefusedError: A parameter is unknown, or a value does not match its pattern.
    """
    text = (FOLDER / "delivery" / "opensearch.yaml").read_text("utf-8")
    written = yaml.load(text, template._Loader)  # noqa: S506 - it is a SafeLoader
    required = {"DomainArn": DOMAIN, "SourceStreamArn": SOURCE}
    return _made("weblog-search", written, required | parameters)


def _made(name: str, written: dict[str, Any], values: dict[str, Any]) -> Stack:
    made = parsing.ResourceMap("id", name, values, {}, REGION, ACCOUNT, written, {})
    with mock_aws(config={"lambda": {"use_docker": False}}):
        made.load()
        _check_parameters(written, made)
        _make_surroundings()
        made.create(written)
        outputs = parsing.OutputMap(made, written, "id")
        return Stack(
            written,
            made.resolved_parameters,
            {
                logical_id: _without_none(parsing.clean_json(resource, made))
                for logical_id, resource in written["Resources"].items()
                if made[logical_id] is not None
            },
            {key: output.value for key, output in outputs.items() if output is not None},
        )


def alert_template(pipe: str, **parameters: str) -> str:
    """Returns the text that a pipe makes of an alert, with the paths of the values in it."""
    template: str = job(**TOPICS, **WEBHOOK, **parameters)[pipe]["TargetParameters"][
        "InputTemplate"
    ]
    return template


EXAMPLES: Mapping[str, Sequence[Callable[[], Stack]]] = {
    "job": (
        job,
        lambda: job(OTHER_SOURCE, FAN_OUT, HIDDEN, LOOKED_UP, DELIVERED, **SECURED, **TOPICS),
        lambda: job(
            OTHER_ACCOUNT, FILES, StreamMode="ON_DEMAND", GeoIpObjectArn=f"{FILE}.mmdb", **VPC
        ),
        lambda: job(KeepDays="90", **SECURED, **WEBHOOK, **LAKE),
    ),
    "function": (
        function,
        lambda: function(**INLINE, ProvisionedConcurrency="2", KeepDays="90"),
        lambda: function(**SECURED, FunctionSaltArn=SALT, PartitionBy="hour"),
        lambda: function(**INLINE, PartitionBy="date"),
        lambda: function(**INLINE, PartitionBy="hour", **LAKE),
        lambda: function(**CONSUMER, EventFilter='{"data": {"vhost": ["a"]}}'),
        lambda: function(**CONSUMER, **SECURED),
    ),
    "delivery": (delivery, lambda: delivery(**SECURED, FunctionArn=FUNCTION)),
}
"""Stacks by their kinds; each resource is part of one of them."""


def examples(*kinds: str) -> Iterator[Stack]:
    """Yields the example stacks of kinds."""
    for kind in kinds or EXAMPLES:
        yield from (make() for make in EXAMPLES[kind])


def _check_parameters(written: Mapping[str, Any], made: parsing.ResourceMap) -> None:
    """Checks names and patterns of parameters, and rules, which moto does not."""
    if unknown := made.input_parameters.keys() - written["Parameters"].keys():
        raise RefusedError(f"unknown: {', '.join(unknown)}")
    for name, parameter in written["Parameters"].items():
        value = str(made.resolved_parameters[name])
        if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
            raise RefusedError(f"{name}={value}")
    for rule in written.get("Rules", {}).values():
        for assertion in rule["Assertions"] if _holds(rule["RuleCondition"], made) else ():
            if not _holds(assertion["Assert"], made):
                raise RefusedError(assertion["AssertDescription"])


def _holds(condition: Any, made: parsing.ResourceMap) -> bool:
    return parsing.parse_condition(condition, made, made.lazy_condition_map)


def _make_surroundings() -> None:
    """Makes the resources behind parameters that moto looks at: the code and the source stream."""
    s3 = s3_backends[ACCOUNT]["aws"]
    s3.create_bucket(REQUIRED["CodeBucket"], REGION)
    s3.put_object(REQUIRED["CodeBucket"], REQUIRED["CodeKey"], b"")
    kinesis_backends[ACCOUNT][REGION].create_stream("lines", shard_count=1)


def _without_none(node: Any) -> Any:
    """Drops `AWS::NoValue` from lists; moto drops it from objects only."""
    if isinstance(node, dict):
        return {key: _without_none(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_none(value) for value in node if value is not None]
    return node
