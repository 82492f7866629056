"""ARNs of what the functions write to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from udfs.config.properties import Parser

_FORMS = {
    # A FIFO queue or topic would need a group for each message, and orders what has no order.
    "sqs": r"[A-Za-z0-9_-]{1,80}",
    "sns": r"[A-Za-z0-9_-]{1,256}",
    "kinesis": r"stream/[A-Za-z0-9_.-]{1,128}",
    "firehose": r"deliverystream/[A-Za-z0-9_.-]{1,64}",
}
_WORDS = {
    "sqs": "standard SQS queue",
    "sns": "standard SNS topic",
    "kinesis": "Kinesis stream",
    "firehose": "Firehose delivery stream",
}
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z]+):(?P<region>[a-z]{2}[a-z0-9-]+):(?P<account>\d{12}):"
    r"(?P<resource>\S+)",
    re.ASCII,
)


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


def read_arn(text: str) -> Arn:
    """Splits an ARN of one of the services above.

    Raises:
        ValueError: It is none.
    """
    match = _ARN.fullmatch(text)
    if match is None or match["service"] not in _FORMS:
        raise ValueError(text)
    if re.fullmatch(_FORMS[match["service"]], match["resource"]) is None:
        raise ValueError(text)
    name = match["resource"].rpartition("/")[2]
    return Arn(text, match["service"], match["region"], match["account"], name)


def arn(*services: str) -> Parser[Arn | None]:
    """A setting that is the ARN of a resource of one of these services, or empty."""

    def read(given: str) -> Arn | None:
        if not given:
            return None
        found = read_arn(given)
        if found.service not in services:
            raise ValueError(given)
        return found

    return Parser(read, "the ARN of a " + " or a ".join(_WORDS[service] for service in services))
