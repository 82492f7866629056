"""What settings of AWS services share: ARNs, endpoints, and the connectors' client options.

The connectors check little of this themselves: they ignore misspelt options and report a
wrong ARN or region only from a running job.
"""

from __future__ import annotations

import re

from udfs.config.properties import Parser, endpoint
from udfs.errors import ConfigurationError

OUTPUT_PLACEHOLDER = "{output}"
"""Stands in a stream's name for the name of the output, with `-` for `_`."""

# arn:partition:service:region:account:resource
_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>kinesis|firehose):(?P<region>[a-z]{2}[a-z0-9-]+):"
    r"(?P<account>\d{12}):(?P<kind>stream|deliverystream)/(?P<name>[A-Za-z0-9_.-]{1,128})"
)
_KINDS = {"kinesis": "stream", "firehose": "deliverystream"}


def stream_arn(service: str, *, per_output: bool = False) -> Parser[str]:
    """A setting that is the ARN of a stream of a service, or empty.

    Args:
        service: `kinesis` or `firehose`.
        per_output: The name may hold `{output}`.
    """

    def read(given: str) -> str:
        plain = given.replace(OUTPUT_PLACEHOLDER, "output") if per_output else given
        match = _ARN.fullmatch(plain)
        if given and (
            match is None or match["service"] != service or match["kind"] != _KINDS[service]
        ):
            raise ValueError
        return given

    name = f"<name, with {OUTPUT_PLACEHOLDER} for the output's>" if per_output else "<name>"
    return Parser(
        read,
        f"an ARN such as arn:aws:{service}:<region>:<12-digit account>:{_KINDS[service]}/{name}",
    )


def endpoint_option(given: str | None) -> str | None:
    """The same for the option `--endpoint` of a command; None: it was not given.

    Raises:
        ConfigurationError: It is no such URL.
    """
    if given is None:
        return None
    parser = endpoint()
    try:
        if found := parser.read(given):
            return found
    except ValueError:
        pass
    raise ConfigurationError("--endpoint", None, given, parser.expectation)


def region_of(arn: str) -> str:
    """The region in an ARN."""
    return arn.split(":")[3]


def name_of(arn: str) -> str:
    """The stream's name in an ARN."""
    return arn.rpartition("/")[2]


def arn_for(arn: str, output: str) -> str:
    """The ARN of the stream that an output goes to."""
    return arn.replace(OUTPUT_PLACEHOLDER, output.replace("_", "-"))


def client_options(arn: str, url: str) -> dict[str, str]:
    """Connector options that say where a service is.

    Args:
        arn: ARN of the stream; its region is used.
        url: Another endpoint than the region's, or empty.
    """
    options = {"aws.region": region_of(arn)}
    if url:
        options["aws.endpoint"] = url
    return options


def sink_client_options(arn: str, url: str) -> dict[str, str]:
    """The same for a sink, whose client speaks HTTP/2 unless told otherwise."""
    options = client_options(arn, url)
    if url.startswith("http://"):
        # HTTP/2 without TLS: AWS has no such endpoint, and emulators do not speak it.
        options["sink.http-client.protocol.version"] = "HTTP1_1"
    return options
