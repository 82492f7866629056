"""Looks at the streams that the settings name before anything is started.

The connectors tell of a missing stream or denied access from a running job, some of it
never: a Kinesis sink retries a denied call for ever. So the commands that start or deploy
a job ask first. The job itself does not: where it runs it may lack these permissions.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from aws.arn import name_of, region_of
from aws.destinations import make_client
from aws.errors import AwsError, explained
from flink_app.connector import SOURCE_GROUP, Resource
from flink_app.settings import JobSettings
from udfs.errors import ConfigurationError

_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "403",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_MISSING = frozenset({"ResourceNotFoundException", "404", "NoSuchBucket"})


def check(settings: JobSettings, but: Collection[str] = ()) -> None:
    """Looks at every stream and bucket that the job reads or writes.

    Args:
        settings: The job's settings.
        but: Names of what isn't looked at.

    Raises:
        ConfigurationError: One is missing, not usable, out of reach or denied; names the
            setting.
    """
    read = ((SOURCE_GROUP, resource) for resource in settings.source.resources())
    written = ((group, resource) for _, group, resource in settings.written())
    for group, resource in chain(read, written):
        if resource.name not in but:
            _check(group, resource)


def remade(stream: str, snapshot: datetime) -> str | None:
    """Returns a warning about an input stream that a job doesn't read once it is restored.

    The connector knows the shards of the stream that was there before, takes them for read and
    looks for none but their children.

    Args:
        stream: ARN of the stream.
        snapshot: When the snapshot was taken.
    """
    name, client = name_of(stream), make_client("kinesis", region_of(stream), attempts=2)
    try:
        with explained(f"stream {name!r}"):
            answer = client.describe_stream_summary(StreamARN=stream)
    except AwsError as error:
        return str(error)
    made = answer["StreamDescriptionSummary"]["StreamCreationTimestamp"]
    if made <= snapshot:
        return None
    return (
        f"stream {name!r} was made again {made.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, after the "
        "snapshot that the job starts from: it will never read it. Stop it, and start it with "
        "--skip-restore (weblog.source: initial.position = TRIM_HORIZON)"
    )


def _check(group: str, resource: Resource) -> None:
    def wrong(
        expected: str, key: str = resource.key, value: str = resource.name
    ) -> ConfigurationError:
        return ConfigurationError(group, key, value, expected)

    try:
        problem = resource.look(_client(resource))
    except (NoCredentialsError, PartialCredentialsError) as error:
        expected = f"some to be found ({error})"
        raise ConfigurationError("AWS", "credentials", None, expected) from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise wrong(
                f"an existing {resource.kind} (there is none of this name there)"
            ) from error
        if code in _DENIED:
            raise wrong(f"a {resource.kind} that allows {resource.action} ({code})") from error
        reason = f"{code}: {error.response['Error']['Message']}"
        raise wrong(f"a usable {resource.kind} ({reason})") from error
    except (EndpointConnectionError, HTTPClientError) as error:
        if resource.endpoint:
            raise wrong("an endpoint that answers", "endpoint", resource.endpoint) from error
        raise wrong("a region whose endpoint answers") from error
    except BotoCoreError as error:
        raise wrong(f"a usable {resource.kind} ({error})") from error
    if problem is not None:
        raise wrong(problem)


def _client(resource: Resource) -> Any:
    return make_client(
        resource.action.partition(":")[0],
        resource.region or None,
        endpoint=resource.endpoint or None,
        connect_seconds=3,
        read_seconds=5,
        attempts=2,
    )
