"""What the application needs around it: its zip in S3, its role, its log stream."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws.errors import AwsError, NotFoundError, explained
from tools.deploy.application import Code
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

# The name that the service's console gives.
LOG_STREAM = "kinesis-analytics-log-stream"
_HASH_LENGTH = 12
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ZipLocation:
    """Where a zip belongs in S3.

    The key carries a hash of the content: the same zip is uploaded once, and another one
    never takes the place of a zip that an application, or a rollback, still points to.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
    """

    bucket: str
    key: str
    partition: str = "aws"

    @property
    def code(self) -> Code:
        """The location as the service wants it."""
        return Code(f"arn:{self.partition}:s3:::{self.bucket}", self.key)


def zip_location(path: Path, bucket: str, prefix: str, partition: str) -> ZipLocation:
    """Where a zip belongs.

    Raises:
        CommandError: The file cannot be read.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:_HASH_LENGTH]
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return ZipLocation(bucket, f"{folder}{path.stem}-{digest}.zip", partition)


def is_uploaded(client: S3Client, location: ZipLocation) -> bool:
    """Whether the zip is in S3 already.

    Raises:
        WebLogError: The bucket does not exist, is in another region or may not be read.
    """
    try:
        with explained(f"bucket {location.bucket!r}"):
            client.head_bucket(Bucket=location.bucket)
    except NotFoundError as error:
        raise CommandError(f"there is no bucket {location.bucket!r}") from error
    try:
        with explained(f"s3://{location.bucket}/{location.key}"):
            client.head_object(Bucket=location.bucket, Key=location.key)
    except NotFoundError:
        return False
    return True


def upload(client: S3Client, path: Path, location: ZipLocation) -> None:
    """Uploads a zip.

    Raises:
        AwsError: It cannot be written.
    """
    with explained(f"uploading s3://{location.bucket}/{location.key}"), path.open("rb") as body:
        client.put_object(
            Bucket=location.bucket,
            Key=location.key,
            Body=body,
            ContentType="application/zip",
            # S3 itself checks that what arrived is what was sent.
            ChecksumAlgorithm="SHA256",
        )


def role_arn(client: Any, role: str) -> str:
    """The ARN of a role given by name or ARN; that it exists is checked if that is allowed.

    Args:
        client: boto3's client of `iam`.
        role: Name or ARN.

    Raises:
        WebLogError: There is no such role, or a name cannot be looked up.
    """
    name = role.rpartition("/")[2]
    try:
        with explained(f"role {name!r}"):
            return str(client.get_role(RoleName=name)["Role"]["Arn"])
    except NotFoundError as error:
        raise CommandError(f"there is no role {name!r}") from error
    except AwsError:
        # Whoever deploys need not be allowed to read roles, if the ARN is known.
        if role.startswith("arn:"):
            return role
        raise


def log_stream_arn(role: str, region: str, group: str) -> str:
    """The ARN of the application's log stream in a log group of the role's account."""
    _, partition, _, _, account, *_ = role.split(":")
    return f"arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:{LOG_STREAM}"


def ensure_log_stream(client: CloudWatchLogsClient, group: str) -> None:
    """Creates the log group and stream if they are missing.

    Raises:
        AwsError: They cannot be created.
    """
    with explained(f"log group {group!r}"):
        exists = client.exceptions.ResourceAlreadyExistsException
        with suppress(exists):
            client.create_log_group(logGroupName=group)
        with suppress(exists):
            client.create_log_stream(logGroupName=group, logStreamName=LOG_STREAM)
