"""Stacks of the CloudFormation templates as moto makes them, with every function resolved.

A test asks for `stack("weblog", EnhancedFanOut="yes")` and looks at the resources of that stack by
logical id or by type, at its outputs, and at the rights of its roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto import mock_aws
from moto.cloudformation import parsing
from moto.cloudformation.models import Stack as MotoStack
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.kinesis.models import kinesis_backends
from moto.s3.models import s3_backends

from tests.support.aws import REGION
from udfs.config.root import ROOT

FOLDER = ROOT / "conf" / "cloudformation"


def arn(service: str, resource: str) -> str:
    """Returns the ARN of a resource in the account and region of the stacks."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


KEY = arn("kms", "key/1234")
SALT = arn("secretsmanager", "secret:weblog-salt-AbCdEf")
ALARMS, ALERTS, LETTERS = (arn("sns", name) for name in ("alarms", "alerts", "letters"))
DELIVERY = arn("firehose", "deliverystream/weblog")
TABLE = arn("dynamodb", "table/pages")
SOURCE = arn("kinesis", "stream/lines")
READ_SALT = {"secretsmanager:GetSecretValue", "ssm:GetParameter"}

REQUIRED = {"CodeBucket": "code-bucket", "CodeKey": "code.zip"}
"""Values for parameters without a default."""

SECURED = {"KeyArn": KEY, "SaltArn": SALT, "AlarmTopicArn": ALARMS}
TOPICS = {"AlertTopicArn": ALERTS, "DeadLetterTopicArn": LETTERS}
TARGETS = {"DeliveryStreamArn": DELIVERY, "FilesBucket": "lake", "ReferenceTableArn": TABLE}
INLINE = {"SourceStreamArn": SOURCE}
CONSUMER = INLINE | {"Shape": "consumer"}
ELSEWHERE = {"SourceStreamName": "lines", "DeliveryStreamName": "lake"}

EXAMPLES: dict[str, list[dict[str, str]]] = {
    "weblog": [
        {},
        SECURED | TOPICS | TARGETS | INLINE | {"EnhancedFanOut": "yes", "PrivacyProfile": "strict"},
    ],
    "lambda": [{}, INLINE, SECURED, CONSUMER, CONSUMER | SECURED],
    "operations": [{}, ELSEWHERE | {"FunctionName": "weblog-lambda", "AlarmTopicArn": ALARMS}],
}
"""Parameters of stacks by their templates; each resource is part of one of them."""

# The types that moto does not make in a stack, with the property whose value `Ref` returns.
NOT_IN_MOTO = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::KinesisAnalyticsV2::Application": "ApplicationName",
    "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption": "",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Logs::LogStream": "LogStreamName",
    "AWS::Pipes::Pipe": "Name",
    "AWS::S3::BucketPolicy": "",
    "AWS::SQS::QueuePolicy": "",
}


class NamedResource:
    """A resource of which moto knows the name and no more."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @classmethod
    def create_from_cloudformation_json(cls, name: str, *_: object, **__: object) -> NamedResource:
        return cls(name)

    def is_created(self) -> bool:
        return True


# Moto looks its models up in these two.
models: dict[str, Any] = dict.fromkeys(NOT_IN_MOTO, NamedResource)
parsing.get_model_map().update(models)
parsing.get_name_type_map().update(NOT_IN_MOTO)


class RefusedError(Exception):
    """CloudFormation would not take the parameters."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that was made.

    Attributes:
        template: The name of the template.
        parameters: The values of all parameters.
        resources: The resources of the stack by logical id, resolved.
        outputs: The outputs by key.
    """

    template: str
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
        """Gives each statement of each policy with the logical id of its resource."""
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
    """Returns the items of what a template writes as one item or as a list."""
    return value if isinstance(value, list) else [value]


@cache
def template(name: str) -> dict[str, Any]:
    """Returns a template as it is written, with its functions in their long form."""
    return MotoStack.parse_template((FOLDER / f"{name}.yaml").read_text("utf-8"))


@cache
def stack(name: str, **parameters: str) -> Stack:
    """Makes a stack of a template, with defaults for the parameters that are not named.

    Raises:
        RefusedError: A parameter is unknown, a value does not match its pattern, or a rule does
            not hold.
    """
    written = template(name)
    declared = written["Parameters"]
    required = {key: REQUIRED[key] for key in declared if "Default" not in declared[key]}
    values = required | parameters
    made = parsing.ResourceMap("id", name, values, {}, REGION, ACCOUNT, written, {})
    with mock_aws(config={"lambda": {"use_docker": False}}):
        made.load()
        _check_parameters(written, made)
        _make_surroundings()
        made.create(written)
        outputs = parsing.OutputMap(made, written, "id")
        return Stack(
            name,
            made.resolved_parameters,
            {
                logical_id: _without_none(parsing.clean_json(resource, made))
                for logical_id, resource in written["Resources"].items()
                if made[logical_id] is not None
            },
            {key: output.value for key, output in outputs.items() if output is not None},
        )


def examples(*names: str) -> Iterator[Stack]:
    """Gives the example stacks of templates."""
    for name in names or EXAMPLES:
        yield from (stack(name, **parameters) for parameters in EXAMPLES[name])


def _check_parameters(written: Mapping[str, Any], made: parsing.ResourceMap) -> None:
    """Does what moto leaves out: names and patterns of parameters, and rules."""
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
    """Makes what parameters name and moto looks at: the code and the source stream."""
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
