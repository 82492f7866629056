"""Files as a sink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from flink_app.connector import OBJECT_STORES, Layout, Resource, Sink
from flink_app.sql_files import OutputFile, milliseconds
from udfs.config.properties import choice, duration, integer, setting, text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# How often a file's age is looked at; no use in more often than a checkpoint.
_LONGEST_ROLLOVER_CHECK = timedelta(minutes=1)
# Folder columns, with the format that gives them from the row's time.
_FOLDERS = {
    "none": {},
    "date": {"event_date": "yyyy-MM-dd"},
    "hour": {"event_date": "yyyy-MM-dd", "event_hour": "HH"},
}


@dataclass(frozen=True, slots=True)
class FilesystemSink(Sink):
    """Files of JSON lines: a folder or, with Flink's S3 plugin, a bucket. Exactly once."""

    type: Literal["filesystem"] = choice("filesystem", "Kind of sink.")
    path: str = setting(
        text(), "", "Folder, or s3a://bucket/prefix; each output gets a folder in it."
    )
    partition_by: Literal["none", "date", "hour"] = choice(
        "none",
        "Folders event_date=2025-10-28/event_hour=10 (or only the date) by event time in UTC.",
    )
    rollover_size_mb: int = setting(
        integer(1, 4096), "128", "Size in MB at which a file is closed."
    )
    rollover_interval: timedelta = setting(
        duration("1 s", "1 d"), "15 min", "Age at which a file is closed."
    )

    def check(self) -> None:
        """Raises ConfigurationError when the path is missing."""
        if not self.path:
            raise self.error("path", self.path, "a folder")

    def options(self, output: str) -> dict[str, str]:
        """Returns the connector's options; a closed file shows with a checkpoint."""
        check = min(self.rollover_interval, _LONGEST_ROLLOVER_CHECK)
        return {
            "connector": "filesystem",
            "path": f"{self.path.rstrip('/')}/{output}",
            "sink.rolling-policy.file-size": f"{self.rollover_size_mb}MB",
            "sink.rolling-policy.rollover-interval": f"{milliseconds(self.rollover_interval)} ms",
            "sink.rolling-policy.check-interval": f"{milliseconds(check)} ms",
        }

    def layout(self, output: OutputFile) -> Layout:
        """Returns the columns that become folders."""
        time = "event_time" if output.is_record else "window_start"
        columns = {
            name: f"DATE_FORMAT({time}, '{form}')"
            for name, form in _FOLDERS[self.partition_by].items()
        }
        return Layout(columns=columns, partitions=tuple(columns))

    def resources(self, output: str) -> Iterator[Resource]:  # noqa: ARG002 - one for all outputs
        """Returns the bucket, where the path is in one."""
        if not self.path.startswith(OBJECT_STORES):
            return
        bucket = urlsplit(self.path).netloc

        def look(client: S3Client) -> None:
            client.head_bucket(Bucket=bucket)

        yield Resource("path", self.path, "bucket", "s3:ListBucket", look)
