"""Where a file lies that a setting names: in the file system, or in S3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from udfs.config.properties import Parser, path

type Location = Path | S3Object

_SCHEME = "s3://"
_BUCKET_AND_KEY = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\0]*[^\0/])")


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object in S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """Returns it as settings write it."""
        return f"{_SCHEME}{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """Returns what stands behind the last slash of the key."""
        return self.key.rpartition("/")[2]

    def beside(self, name: str) -> Self:
        """Returns the object of another name in the same folder."""
        return type(self)(self.bucket, self.key.removesuffix(self.name) + name)


def location() -> Parser[Location | None]:
    """Reads a path or an `s3://` address; empty text is None."""
    files = path()

    def read(value: str) -> Location | None:
        if not value.startswith(_SCHEME):
            return files.read(value)
        match = _BUCKET_AND_KEY.fullmatch(value)
        if match is None:
            raise ValueError(value)
        return S3Object(match[1], match[2])

    return Parser(read, f"{files.expectation} or s3://bucket/key")
