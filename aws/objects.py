"""Reads objects in S3 for the core: its GeoIP databases. Nothing here needs Flink."""

# ruff: noqa: PLC0415 - the SDK is slow to import, and of no use to a job without an object

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aws.destinations import make_client
from udfs.config.location import S3Object
from udfs.errors import DatabaseError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_OBJECT_BYTES = 1 << 30
"""A larger object is refused: the disk of a machine is no place for it."""

_CHUNK_BYTES = 1 << 20
_NOT_FOUND = "404"


class S3Objects:
    """The store that `udfs.enrich.geo_source.ObjectStore` describes.

    It travels with the job's function to the workers; the client is made there, when it is first
    needed. The right `s3:GetObject` is enough. Without `s3:ListBucket` S3 denies access where
    there is no such object.
    """

    def __init__(self) -> None:
        self._made: S3Client | None = None

    def version(self, item: S3Object) -> str | None:
        """Returns the ETag of an object; None when there is none.

        Raises:
            DatabaseError: S3 does not say.
        """
        from botocore.exceptions import ClientError

        from aws.errors import error_code

        with _translated(item):
            try:
                return self._client().head_object(Bucket=item.bucket, Key=item.key)["ETag"]
            except ClientError as error:
                if error_code(error) == _NOT_FOUND:
                    return None
                raise

    def download(self, item: S3Object, version: str, target: Path) -> None:
        """Puts the version of an object with this ETag into a file.

        Raises:
            DatabaseError: It is too large, cannot be read, or is another version by now.
            OSError: The file cannot be written.
        """
        with _translated(item), target.open("wb") as file:
            answer = self._client().get_object(Bucket=item.bucket, Key=item.key, IfMatch=version)
            if answer["ContentLength"] > MAX_OBJECT_BYTES:
                raise DatabaseError(str(item), f"larger than {MAX_OBJECT_BYTES} bytes")
            # A body that ends too early is an error of the client's.
            for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                file.write(chunk)

    def _client(self) -> S3Client:
        if self._made is None:
            self._made = make_client("s3", None, connect_seconds=5, read_seconds=20, attempts=3)
        return self._made


@contextmanager
def _translated(item: S3Object) -> Iterator[None]:
    from aws.errors import AwsError, explained

    try:
        with explained("reading it"):
            yield
    except AwsError as error:
        raise DatabaseError(str(item), str(error)) from error
