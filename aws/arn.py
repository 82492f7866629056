"""ARNs: their parts, and the settings that hold them.

Flink's connectors check little of this themselves: they report a wrong ARN or region only from a
running job.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from udfs.config.properties import Parser

OUTPUT_PLACEHOLDER = "{output}"
"""Stands in a stream's name for the name of the output, with `-` for `_`."""

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z]+):(?P<region>[a-z]{2}[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"(?P<kind>stream/|deliverystream/)?(?P<name>[A-Za-z0-9_.-]{1,256})"
)


@dataclass(frozen=True, slots=True)
class _Resource:
    title: str
    kind: str
    name: re.Pattern[str]


_RESOURCES = {
    # A FIFO queue or topic would need a group for each message, and orders what has no order.
    "sqs": _Resource("standard SQS queue", "", re.compile("[A-Za-z0-9_-]{1,80}")),
    "sns": _Resource("standard SNS topic", "", re.compile("[A-Za-z0-9_-]{1,256}")),
    "kinesis": _Resource("Kinesis stream", "stream/", re.compile("[A-Za-z0-9_.-]{1,128}")),
    "firehose": _Resource(
        "Firehose delivery stream", "deliverystream/", re.compile("[A-Za-z0-9_.-]{1,64}")
    ),
}


@dataclass(frozen=True, slots=True)
class Arn:
    """One resource of AWS, by the parts of its ARN.

    Attributes:
        text: The whole ARN.
        name: Name of the resource without its kind.
    """

    text: str
    service: str
    region: str
    account: str
    name: str


def read_arn(text: str, *services: str) -> Arn:
    """Splits the ARN of a queue, topic, stream or delivery stream.

    Args:
        text: The ARN.
        services: Services it may be of; without any, each of the four.

    Raises:
        ValueError: It is none.
    """
    match = _ARN.fullmatch(text)
    if match is None or match["service"] not in (services or _RESOURCES):
        raise ValueError(text)
    resource = _RESOURCES[match["service"]]
    if (match["kind"] or "") != resource.kind or not resource.name.fullmatch(match["name"]):
        raise ValueError(text)
    return Arn(text, match["service"], match["region"], match["account"], match["name"])


def arn(*services: str) -> Parser[Arn | None]:
    """Reads a setting that is the ARN of a resource of one of these services, or empty."""
    titles = [_RESOURCES[service].title for service in services]
    return Parser(
        lambda value: read_arn(value, *services) if value else None,
        "the ARN of a " + " or a ".join(titles),
    )


def stream_arn(service: str, *, per_output: bool = False) -> Parser[str]:
    """Reads a setting that is the ARN of a stream of a service, or empty.

    Args:
        service: `kinesis` or `firehose`.
        per_output: The name may hold `{output}`.
    """

    def read(value: str) -> str:
        if value:
            read_arn(value.replace(OUTPUT_PLACEHOLDER, "output") if per_output else value, service)
        return value

    name = f"<name, with {OUTPUT_PLACEHOLDER} for the output's>" if per_output else "<name>"
    kind = _RESOURCES[service].kind
    return Parser(
        read, f"an ARN such as arn:aws:{service}:<region>:<12-digit account>:{kind}{name}"
    )


def region_of(arn: str) -> str:
    """Returns the region in any ARN."""
    return arn.split(":")[3]


def name_of(arn: str) -> str:
    """Returns the stream's name in an ARN."""
    return arn.rpartition("/")[2]


def arn_for(arn: str, output: str) -> str:
    """Returns the ARN of the stream that an output goes to."""
    return arn.replace(OUTPUT_PLACEHOLDER, output.replace("_", "-"))
