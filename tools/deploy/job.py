"""What the stack of a job takes from its property file: streams, rights, what alarms look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aws.arn import name_of
from flink_app.connector import OBJECT_STORES, SOURCE_GROUP, TYPE_KEY, Resource
from flink_app.settings import JobSettings
from flink_app.sources.kinesis import KinesisSource
from tools.deploy.template import logical_name
from udfs.config.file import PropertyGroups
from udfs.errors import ConfigurationError

type StackOutputs = Callable[[str], Mapping[str, str]]
"""Returns the outputs of another stack."""

type Written = Sequence[tuple[str, Resource]]
"""Outputs and resources that they are written to."""

_OWN = re.compile(r"\$\{Stream\.((?:[a-zA-Z0-9_.-]|\{output\})+)\}")
_OTHER = re.compile(r"\$\{Output\.([a-zA-Z0-9-]+)\.([a-zA-Z0-9]+)\}")
_STREAM_KEY = "stream.arn"


@dataclass(frozen=True, slots=True)
class StackLocation:
    """Where a stack is.

    Attributes:
        stack: Its name.
        region: Its region.
        account: Its account.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
    """

    stack: str
    region: str
    account: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """Returns the ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def streams(self) -> str:
        """Returns what the ARNs of the stack's streams begin with."""
        return self.arn("kinesis", f"stream/{self.stack}-")


def resolved(
    groups: PropertyGroups, location: StackLocation, outputs: StackOutputs
) -> PropertyGroups:
    """Returns property groups with ARNs in place of references.

    Args:
        groups: They may hold `${Stream.NAME}`, a stream that the stack makes, and
            `${Output.STACK.KEY}`, an output of another stack.
        location: Where the stack is.
        outputs: Returns the outputs of other stacks.

    Raises:
        ConfigurationError: Another stack has no such output.
    """

    def resolve(group: str, key: str, value: str) -> str:
        def output(match: re.Match[str]) -> str:
            known = outputs(match[1])
            if match[2] not in known:
                expected = f"an output of stack {match[1]}: {', '.join(sorted(known)) or 'none'}"
                raise ConfigurationError(group, key, value, expected)
            return known[match[2]]

        return _OTHER.sub(output, _OWN.sub(lambda match: location.streams + match[1], value))

    return {
        group: {key: resolve(group, key, value) for key, value in values.items()}
        for group, values in groups.items()
    }


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job needs of its stack.

    Attributes:
        made: ARNs of the streams that the stack makes.
        out_of_sight: ARNs of streams that only the job can look at.
        repeated: What is repeated in the template.
        parameters: Values of the template's parameters.
    """

    made: frozenset[str]
    out_of_sight: frozenset[str]
    repeated: Mapping[str, list[str]]
    parameters: Mapping[str, str]


def needs(settings: JobSettings, groups: PropertyGroups, location: StackLocation) -> Needs:
    """Returns what a job needs of its stack.

    Args:
        settings: The job's settings, references resolved.
        groups: The property groups that they are of, with references.
        location: Where the stack is.

    Raises:
        ConfigurationError: The job reads no Kinesis stream.
    """
    source = settings.source
    if not isinstance(source, KinesisSource):
        kind = groups.get(SOURCE_GROUP, {}).get(TYPE_KEY)
        raise ConfigurationError(SOURCE_GROUP, TYPE_KEY, kind, "kinesis, on the service")
    written = [(output, resource) for output, _, resource in settings.written()]
    made = {resource.name for _, group, resource in settings.written() if _refers(groups, group)}
    if _refers(groups, SOURCE_GROUP):
        made.add(source.stream_arn)
    unshared = _unshared(written)
    # A basic record has another schema, and a filtered line may have no time.
    fit = settings.core.pipeline.stage != "basic"
    stored = {
        output: unshared[output]
        for output in _names(unshared, "kinesis", location)
        if fit and output != "filtered"
    }
    own = len(location.streams)
    return Needs(
        frozenset(made),
        frozenset({source.stream_arn} if source.role_arn else ()),
        {
            "Made": sorted(arn[own:] for arn in made),
            "Stream": [arn[own:] for arn in _arns(written, "stream", location) if arn in made],
            "Consumer": [source.consumer_name] if source.consumer_name else [],
            "Stored": sorted(stored),
        },
        {
            "SourceStreamArn": source.stream_arn,
            "SourceStreamName": name_of(source.stream_arn),
            "SourceRoleArn": source.role_arn,
            "ConsumerName": source.consumer_name,
            **_output_parameters(written, unshared, location),
            "SaltArn": settings.core.privacy.salt_secret_arn,
            "ReferenceTableArn": _table(settings.lookups.dynamodb.table, location),
            **{f"{logical_name(output)}StreamArn": arn for output, arn in stored.items()},
        },
    )


def _output_parameters(
    written: Written, unshared: Mapping[str, str], location: StackLocation
) -> dict[str, str]:
    streams = _names(unshared, "kinesis", location)
    files = _arns(written, "bucket", location)
    return {
        "WrittenStreamArns": ",".join(_arns(written, "stream", location)),
        "DeliveryStreamArns": ",".join(_arns(written, "delivery stream", location)),
        "FileArns": ",".join(f"{arn}/*" for arn in files),
        "BucketArns": ",".join(sorted({arn.partition("/")[0] for arn in files})),
        "AlertsStreamName": streams.get("alerts", ""),
        "DeadLettersStreamName": streams.get("dead_letters", ""),
        "LateStreamName": streams.get("late", ""),
        "EnrichedStreamName": streams.get("enriched", ""),
        "EnrichedDeliveryName": _names(unshared, "firehose", location).get("enriched", ""),
    }


def _arns(written: Written, kind: str, location: StackLocation) -> list[str]:
    """Returns the ARNs of the resources of a kind, each once and in order."""
    return sorted({_arn(resource, location) for _, resource in written if resource.kind == kind})


def _unshared(written: Written) -> dict[str, str]:
    # An alarm or a pipe is about one output, so about a resource that holds only that one.
    outputs: dict[str, list[str]] = {}
    for output, resource in written:
        outputs.setdefault(resource.name, []).append(output)
    return {names[0]: name for name, names in outputs.items() if len(names) == 1}


def _names(unshared: Mapping[str, str], service: str, location: StackLocation) -> dict[str, str]:
    """Returns the names of a service's resources where the stack is, by their outputs."""
    here = location.arn(service, "")
    return {output: name_of(arn) for output, arn in unshared.items() if arn.startswith(here)}


def _refers(groups: PropertyGroups, group: str) -> bool:
    return bool(_OWN.search(groups.get(group, {}).get(_STREAM_KEY, "")))


def _arn(resource: Resource, location: StackLocation) -> str:
    if not resource.name.startswith(OBJECT_STORES):
        return resource.name
    address = urlsplit(resource.name)
    return f"arn:{location.partition}:s3:::{address.netloc}{address.path.rstrip('/')}"


def _table(table: str, location: StackLocation) -> str:
    return (
        table
        if not table or table.startswith("arn:")
        else location.arn("dynamodb", f"table/{table}")
    )
