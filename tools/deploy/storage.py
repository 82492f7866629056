"""The bucket of a stack: its zips and templates, each under a key that tells its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aws.errors import NotFoundError, explained
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType

_HASH_LENGTH = 12
# The region that is no place to name.
_FIRST_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Storage:
    """The folder of a stack in its bucket.

    A key carries a hash of the content: the same file is uploaded once, and another one never takes
    the place of one that an application, or a rollback, still points to.

    Attributes:
        client: boto3's client of `s3`.
        bucket: Name of the bucket.
        folder: The stack's folder in it.
    """

    client: S3Client
    bucket: str
    folder: str

    def exists(self) -> bool:
        """Returns whether the bucket is there.

        Raises:
            AwsError: It may not be looked at.
        """
        try:
            with explained(f"bucket {self.bucket!r}"):
                self.client.head_bucket(Bucket=self.bucket)
        except NotFoundError:
            return False
        return True

    def create(self, region: str) -> None:
        """Creates the bucket; S3 encrypts it and keeps the public out by itself.

        Raises:
            AwsError: It can't be made.
        """
        location: BucketLocationConstraintType = region  # type: ignore[assignment]
        with explained(f"making bucket {self.bucket!r}"):
            if region == _FIRST_REGION:
                self.client.create_bucket(Bucket=self.bucket)
            else:
                self.client.create_bucket(
                    Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": location}
                )

    def key(self, stem: str, suffix: str, content: bytes) -> str:
        """Returns the key of a file.

        Args:
            stem: What its name begins with.
            suffix: What its name ends with.
            content: What is in it.
        """
        digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
        return f"{self.folder}/{stem}-{digest}{suffix}"

    def put(self, key: str, content: bytes) -> None:
        """Uploads a file unless it is there.

        Raises:
            AwsError: The bucket may not be read or written.
        """
        with explained(f"uploading s3://{self.bucket}/{key}"):
            try:
                with explained(key):
                    self.client.head_object(Bucket=self.bucket, Key=key)
            except NotFoundError:
                # S3 itself checks that what arrived is what was sent.
                self.client.put_object(
                    Bucket=self.bucket, Key=key, Body=content, ChecksumAlgorithm="SHA256"
                )

    def url(self, key: str, region: str) -> str:
        """Returns the address by which CloudFormation reads a template."""
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return f"https://s3.{region}.{domain}/{self.bucket}/{key}"

    def read(self, key: str) -> bytes:
        """Returns what is in a file.

        Raises:
            AwsError: It is gone or may not be read.
        """
        with explained(f"reading s3://{self.bucket}/{key}"):
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()


def read(path: Path) -> bytes:
    """Returns what is in a file.

    Raises:
        CommandError: It can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
