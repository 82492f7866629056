"""The complete zip, connectors included, run as on the service between Kinesis streams."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.support import service
from tests.support.moto_server import moto_server
from tests.support.waiting import PATIENCE_SECONDS
from tools.package.command import PackageOptions, build
from tools.package.layout import JAR, read_manifest
from udfs.config.file import dump_properties
from udfs.config.root import ROOT

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

REGION = "eu-west-1"
ARN = f"arn:aws:kinesis:{REGION}:123456789012:stream/"
LINES = 2_000
# Large enough for one call, as long as lines are not much longer than in the sample.
PUT_RECORDS = 500
CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    # The emulator speaks JSON alone.
    "CBOR_ENABLED": "false",
}

pytestmark = [pytest.mark.kinesis, pytest.mark.minicluster, pytest.mark.slow]


@pytest.fixture
def url() -> Iterator[str]:
    with moto_server() as address:
        yield address


def client_of(url: str) -> KinesisClient:
    return boto3.client(
        "kinesis",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def records(client: KinesisClient, stream: str) -> list[bytes]:
    found = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while batch := (answer := client.get_records(ShardIterator=iterator))["Records"]:
            found += [one["Data"] for one in batch]
            iterator = answer["NextShardIterator"]
    return found


def wait_for(
    process: subprocess.Popen[bytes], client: KinesisClient, stream: str, count: int
) -> list[bytes]:
    """The records of a stream once there are so many."""
    found: list[bytes] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = records(client, stream)
        if len(found) >= count:
            return found
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"the job ended with status {process.returncode}")
    pytest.fail(f"{len(found)} of {count} records in time")


def test_streams_in_and_out(tmp_path: Path, interpreter: Path, url: str) -> None:
    jar = ROOT / JAR
    if not jar.exists():
        pytest.skip(f"no {JAR}: its connectors do not resolve here")
    archive = build(PackageOptions(out=tmp_path / "dist", jar=jar, geoip=service.DEMO_DATABASE))
    manifest = read_manifest(archive)
    code = tmp_path / "code"
    service.unpack(archive, code)
    client = client_of(url)
    for name in ("in", "enriched"):
        client.create_stream(StreamName=name, ShardCount=2)
    lines = service.sample_lines()[:LINES]
    for start in range(0, LINES, PUT_RECORDS):
        client.put_records(
            StreamName="in",
            Records=[
                {"Data": line, "PartitionKey": line.split()[0].decode()}
                for line in lines[start : start + PUT_RECORDS]
            ],
        )
    properties = tmp_path / "properties.json"
    dump_properties(
        {
            "weblog.geoip": {"database.path": str(manifest.geoip)},
            "weblog.source": {
                "type": "kinesis",
                "stream.arn": f"{ARN}in",
                "endpoint": url,
                "initial.position": "TRIM_HORIZON",
            },
            "weblog.sink.out": {
                "type": "kinesis",
                "stream.arn": f"{ARN}enriched",
                "endpoint": url,
            },
            "weblog.outputs": {"enriched": "out"},
        },
        properties,
    )

    process = service.start(
        interpreter,
        code,
        run_options=manifest.run_options(),
        properties=properties,
        work=tmp_path / "work",
        environment=CREDENTIALS,
    )
    try:
        found = wait_for(process, client, "enriched", LINES)
    finally:
        service.stop(process)

    rows = [json.loads(record) for record in found]
    assert len(rows) == LINES
    # A few lines of the sample stand there twice, and an identifier is made of the line.
    assert len({row["event_id"] for row in rows}) == len(set(lines)) < LINES
    assert {(row["host"], row["request"]) for row in rows} == {
        (line.split()[0].decode(), line.split(b'"')[1].decode()) for line in lines
    }
    assert all(row["country"] for row in rows)
