"""Client options that the connectors of AWS services share.

The connectors ignore misspelt options.
"""

from __future__ import annotations

from aws.arn import region_of


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
    """The same for a sink, whose client speaks HTTP/2 by default."""
    options = client_options(arn, url)
    if url.startswith("http://"):
        # HTTP/2 without TLS: AWS has no such endpoint, and emulators do not speak it.
        options["sink.http-client.protocol.version"] = "HTTP1_1"
    return options
