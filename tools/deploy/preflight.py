"""Looks at the streams that the settings name before anything is started.

The connectors tell of a missing stream or denied access from a running job, some of it
never: a Kinesis sink retries a denied call for ever. So the commands that start or deploy
a job ask first. The job itself does not: where it runs it may lack these permissions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from aws.streams import arn_for, name_of, region_of
from flink_app.settings import OFF, JobSettings
from flink_app.sinks import SINK_GROUP_PREFIX, FilesystemSink, FirehoseSink, KinesisSink
from flink_app.sources import SOURCE_GROUP, KinesisSource
from udfs.errors import ConfigurationError

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_firehose.type_defs import DestinationDescriptionTypeDef
    from mypy_boto3_kinesis import KinesisClient

_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
_S3_SCHEMES = ("s3", "s3a")
_USABLE = frozenset({"ACTIVE", "UPDATING"})
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
_DELIMITER = "AppendDelimiterToRecord"
_OF_FILES = {"DestinationId", "S3DestinationDescription", "ExtendedS3DestinationDescription"}
_MISSING = frozenset({"ResourceNotFoundException", "404", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Something that has to be there.

    Attributes:
        group: Property group that names it.
        key: Setting that names it.
        name: What it says.
        what: What that is, such as "stream".
        endpoint: Setting of the group with the endpoint, or empty.
        look: Asks AWS for it; returns a problem, or None.
        action: Permission that takes.
    """

    group: str
    key: str
    name: str
    what: str
    endpoint: str
    look: Callable[[], str | None]
    action: str


def check(settings: JobSettings) -> None:
    """Asks for every stream and bucket that the job reads or writes.

    Raises:
        ConfigurationError: One is missing, not usable, out of reach or denied; names the
            setting.
    """
    for place in _places(settings):
        _check(place)


def _check(place: _Place) -> None:
    def wrong(expected: str, key: str = place.key, value: str = place.name) -> ConfigurationError:
        return ConfigurationError(place.group, key, value, expected)

    try:
        problem = place.look()
    except (NoCredentialsError, PartialCredentialsError) as error:
        expected = f"some to be found ({error})"
        raise ConfigurationError("AWS", "credentials", None, expected) from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise wrong(f"an existing {place.what} (there is none of this name there)") from error
        if code in _DENIED:
            raise wrong(f"a {place.what} that allows {place.action} ({code})") from error
        said = f"{code}: {error.response['Error']['Message']}"
        raise wrong(f"a usable {place.what} ({said})") from error
    except (EndpointConnectionError, HTTPClientError) as error:
        if place.endpoint:
            raise wrong("an endpoint that answers", "endpoint", place.endpoint) from error
        raise wrong("a region whose endpoint answers") from error
    except BotoCoreError as error:
        raise wrong(f"a usable {place.what} ({error})") from error
    if problem is not None:
        raise wrong(problem)


def _places(settings: JobSettings) -> Iterator[_Place]:
    source = settings.source
    if isinstance(source, KinesisSource):
        yield _stream(SOURCE_GROUP, source.stream_arn, source.endpoint)
        if source.reader_type == "EFO" and source.consumer_lifecycle == "SELF_MANAGED":
            yield _consumer(source)
    for output, sink_name in settings.outputs.items():
        if sink_name == OFF:
            continue
        group = SINK_GROUP_PREFIX + sink_name
        match settings.sinks[sink_name]:
            case KinesisSink(stream_arn=arn, endpoint=endpoint):
                yield _stream(group, arn_for(arn, output), endpoint)
            case FirehoseSink(stream_arn=arn, endpoint=endpoint):
                yield _delivery_stream(group, arn_for(arn, output), endpoint)
            case FilesystemSink(path=path) if urlsplit(path).scheme in _S3_SCHEMES:
                yield _bucket(group, path)
            case _:
                pass


def _kinesis(arn: str, endpoint: str) -> KinesisClient:
    return boto3.client(
        "kinesis", region_name=region_of(arn), endpoint_url=endpoint or None, config=_CONFIG
    )


def _stream(group: str, arn: str, endpoint: str) -> _Place:
    def look() -> str | None:
        summary = _kinesis(arn, endpoint).describe_stream_summary(StreamARN=arn)
        status = summary["StreamDescriptionSummary"]["StreamStatus"]
        return None if status in _USABLE else f"a stream that is ACTIVE, not {status}"

    return _Place(
        group, "stream.arn", arn, "stream", endpoint, look, "kinesis:DescribeStreamSummary"
    )


def _consumer(source: KinesisSource) -> _Place:
    def look() -> str | None:
        answer = _kinesis(source.stream_arn, source.endpoint).describe_stream_consumer(
            StreamARN=source.stream_arn, ConsumerName=source.consumer_name
        )
        status = answer["ConsumerDescription"]["ConsumerStatus"]
        return None if status in _USABLE else f"a consumer that is ACTIVE, not {status}"

    return _Place(
        SOURCE_GROUP,
        "consumer.name",
        source.consumer_name,
        "registered consumer",
        source.endpoint,
        look,
        "kinesis:DescribeStreamConsumer",
    )


def _delivery_stream(group: str, arn: str, endpoint: str) -> _Place:
    def look() -> str | None:
        client: FirehoseClient = boto3.client(
            "firehose", region_name=region_of(arn), endpoint_url=endpoint or None, config=_CONFIG
        )
        answer = client.describe_delivery_stream(DeliveryStreamName=name_of(arn))
        description = answer["DeliveryStreamDescription"]
        status = description["DeliveryStreamStatus"]
        if status not in _USABLE:
            return f"a delivery stream that is ACTIVE, not {status}"
        if not all(map(_separates_records, description["Destinations"])):
            return (
                "a delivery stream that puts a line break between records in S3 "
                f"(its processor {_DELIMITER} is missing)"
            )
        return None

    return _Place(
        group,
        "stream.arn",
        arn,
        "delivery stream",
        endpoint,
        look,
        "firehose:DescribeDeliveryStream",
    )


def _separates_records(destination: DestinationDescriptionTypeDef) -> bool:
    """Whether records do not run together in the files of a destination in S3."""
    if not destination.keys() <= _OF_FILES:
        # The other destinations take each record for itself.
        return True
    processing = destination.get("ExtendedS3DestinationDescription", {}).get(
        "ProcessingConfiguration", {}
    )
    kinds = {one["Type"] for one in processing.get("Processors", [])}
    # A function may write the line breaks itself.
    return bool(processing.get("Enabled")) and bool(kinds & {_DELIMITER, "Lambda"})


def _bucket(group: str, path: str) -> _Place:
    bucket = urlsplit(path).netloc

    def look() -> str | None:
        boto3.client("s3", config=_CONFIG).head_bucket(Bucket=bucket)
        return None

    return _Place(group, "path", path, "bucket", "", look, "s3:ListBucket")
