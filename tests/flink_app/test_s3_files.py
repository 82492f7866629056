"""Files that a real job writes to an emulated S3, with Flink's S3 plugin."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyflink
import pytest
from pyflink.version import __version__ as flink_version

from tests.support.cluster import own_cluster
from tests.support.jobs import between_files
from tests.support.lines import log_line
from tests.support.rows import Row
from tests.support.waiting import PATIENCE_SECONDS
from tools.run.kinesis.emulator import CREDENTIALS, emulator

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

PLUGIN = f"org.apache.flink:flink-s3-fs-hadoop:{flink_version}"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
REGION = "eu-west-1"
BUCKET = "lake"
# Folders go by event time in UTC.
TIMES = {
    "28/Oct/2025:22:59:59 +0000": "event_date=2025-10-28/event_hour=22",
    "29/Oct/2025:01:00:30 +0100": "event_date=2025-10-29/event_hour=00",
    "29/Oct/2025:11:00:00 +0000": "event_date=2025-10-29/event_hour=11",
}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a plugin folder with Flink's S3 file system, as Managed Flink has one."""
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip(f"needs Maven (mvn) to fetch {PLUGIN}")
    plugins = tmp_path_factory.mktemp("plugins")
    folder = plugins / "s3-fs-hadoop"
    fetched = subprocess.run(
        [maven, "-q", "-B", COPY, f"-Dartifact={PLUGIN}", f"-DoutputDirectory={folder}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if fetched.returncode != 0:
        pytest.skip(f"Maven does not find {PLUGIN}")
    return plugins


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with emulator() as url:
        yield url


def configuration(folder: Path, endpoint: str) -> Path:
    """Makes Flink's folder of settings, with those of an emulated S3.

    File systems are set up only from that file, before the command line is looked at.
    """
    shutil.copytree(Path(pyflink.__file__).parent / "conf", folder)
    settings = {
        "s3.endpoint": endpoint,
        "s3.endpoint.region": REGION,
        "s3.path.style.access": "true",
    }
    with (folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.writelines(f"{key}: {value}\n" for key, value in settings.items())
    return folder


def test_rows_lie_in_the_folders_of_their_hours(
    plugins: Path, endpoint: str, tmp_path: Path
) -> None:
    make: Any = boto3.client
    s3 = make(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    log = tmp_path / "access.log"
    log.write_text("".join(log_line(time) * 2 for time in TIMES), "utf-8")
    properties = between_files(log, Path("unused"), "enriched", "traffic_overview")
    properties["weblog.sink.files"] |= {
        "path": f"s3a://{BUCKET}/weblog",
        "partition.by": "hour",
    }
    environment = {
        "FLINK_PLUGINS_DIR": str(plugins),
        "FLINK_CONF_DIR": str(configuration(tmp_path / "conf", endpoint)),
        **CREDENTIALS,
    }
    with own_cluster(tmp_path / "work", properties, environment=environment) as job:
        job.finish()

    found: dict[str, list[Row]] = {}
    for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        folder, _, _ = one["Key"].rpartition("/")
        body = s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
        found.setdefault(folder, []).extend(map(json.loads, body.splitlines()))
    assert {folder: len(rows) for folder, rows in found.items()} == {
        f"weblog/{output}/{place}": count
        for output, count in (("enriched", 2), ("traffic_overview", 1))
        for place in TIMES.values()
    }
    for time, place in TIMES.items():
        assert {row["datetime"] for row in found[f"weblog/enriched/{place}"]} == {time}
        assert [row["requests"] for row in found[f"weblog/traffic_overview/{place}"]] == [2]
