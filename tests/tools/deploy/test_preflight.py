"""The check of streams before anything starts; it needs the emulator, not the connectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from flink_app.settings import JobSettings
from tests.support.streams import ACCOUNT, REGION, Streams, arn, delivery_arn
from tools.deploy import preflight
from tools.run.kinesis.emulator import CREDENTIALS
from udfs.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", autouse=True)
def _streams(streams: Streams) -> None:
    streams.create({"looked-at": 1, "looked-at-enriched": 1})


def settings(
    streams: Streams,
    source: dict[str, str] | None = None,
    sink: dict[str, str] | None = None,
) -> JobSettings:
    return JobSettings.load(
        {
            "weblog.source": streams.source("looked-at") | (source or {}),
            "weblog.sink.k": streams.sink("looked-at-{output}") | (sink or {}),
            "weblog.outputs": {"enriched": "k"},
        }
    )


def problem(found: JobSettings) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        preflight.check(found)
    assert "\n" not in str(caught.value)
    return caught.value


def test_streams_that_are_there_pass(streams: Streams) -> None:
    preflight.check(settings(streams))


def test_a_missing_source_stream(streams: Streams) -> None:
    error = problem(settings(streams, source={"stream.arn": arn("nowhere")}))
    assert (error.group, error.key) == ("weblog.source", "stream.arn")
    assert "an existing stream" in str(error)


def test_what_the_stack_makes_is_not_looked_at(streams: Streams) -> None:
    preflight.check(settings(streams, source={"stream.arn": arn("nowhere")}), {arn("nowhere")})


def test_a_missing_stream_of_one_output(streams: Streams) -> None:
    error = problem(settings(streams, sink={"stream.arn": arn("missing-{output}")}))
    assert (error.group, error.key) == ("weblog.sink.k", "stream.arn")
    assert error.value == arn("missing-enriched")


def test_another_region_does_not_have_the_stream(streams: Streams) -> None:
    elsewhere = arn("looked-at").replace(REGION, "us-west-2")
    error = problem(settings(streams, source={"stream.arn": elsewhere}))
    assert (error.group, error.key, error.value) == ("weblog.source", "stream.arn", elsewhere)


def test_an_endpoint_that_does_not_answer(streams: Streams, nobody: str) -> None:
    error = problem(settings(streams, source={"endpoint": nobody}))
    assert (error.group, error.key, error.value) == ("weblog.source", "endpoint", nobody)


def test_a_consumer_that_is_not_registered(streams: Streams) -> None:
    efo = {
        "reader.type": "EFO",
        "consumer.name": "nobody",
        "consumer.lifecycle": "SELF_MANAGED",
    }
    error = problem(settings(streams, source=efo))
    assert (error.group, error.key, error.value) == ("weblog.source", "consumer.name", "nobody")


def delivering(streams: Streams, name: str, **settings: str) -> JobSettings:
    return JobSettings.load(
        {
            "weblog.source": streams.source("looked-at"),
            "weblog.sink.f": {
                "type": "firehose",
                "stream.arn": delivery_arn(name),
                "endpoint": streams.url,
                **settings,
            },
            "weblog.outputs": {"default": "f"},
        }
    )


def test_a_missing_delivery_stream(streams: Streams) -> None:
    error = problem(delivering(streams, "nowhere"))
    assert (error.group, error.key) == ("weblog.sink.f", "stream.arn")
    assert "an existing delivery stream" in str(error)


def test_files_of_a_delivery_stream_have_line_breaks(streams: Streams) -> None:
    streams.create_bucket("looked-at")
    streams.create_delivery_stream("glued", "looked-at")
    streams.create_delivery_stream("separated", "looked-at", "AppendDelimiterToRecord")
    error = problem(delivering(streams, "glued"))
    assert (error.group, error.key) == ("weblog.sink.f", "stream.arn")
    assert "processor AppendDelimiterToRecord is missing" in str(error)
    preflight.check(delivering(streams, "separated"))
    preflight.check(delivering(streams, "separated", **{"pack.kib": "1000"}))


def test_parquet_needs_no_line_breaks(streams: Streams) -> None:
    streams.aws("firehose").create_delivery_stream(
        DeliveryStreamName="converting",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/delivery",
            "BucketARN": "arn:aws:s3:::looked-at",
            "DataFormatConversionConfiguration": {"Enabled": True},
        },
    )
    preflight.check(delivering(streams, "converting"))


def test_a_destination_without_files_needs_no_line_breaks(streams: Streams) -> None:
    streams.aws("firehose").create_delivery_stream(
        DeliveryStreamName="posting",
        HttpEndpointDestinationConfiguration={
            "EndpointConfiguration": {"Url": "https://example.com"},
            "S3Configuration": {
                "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/delivery",
                "BucketARN": "arn:aws:s3:::backup",
            },
        },
    )
    preflight.check(delivering(streams, "posting"))
    # The delivery stream takes each record as one document.
    error = problem(delivering(streams, "posting", **{"pack.kib": "5"}))
    assert (error.group, error.key) == ("weblog.sink.f", "stream.arn")
    assert "into files in S3 without dynamic partitioning, as pack.kib joins lines" in str(error)


def in_bucket(streams: Streams, name: str) -> JobSettings:
    return JobSettings.load(
        {
            "weblog.source": streams.source("looked-at"),
            "weblog.sink.files": {"type": "filesystem", "path": f"s3a://{name}/weblog"},
            "weblog.outputs": {"default": "files"},
        }
    )


def test_a_missing_bucket(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", streams.url)
    streams.create_bucket("there")
    preflight.check(in_bucket(streams, "there"))
    error = problem(in_bucket(streams, "nowhere"))
    assert (error.group, error.key) == ("weblog.sink.files", "path")
    assert "an existing bucket" in str(error)


@pytest.fixture
def stubbed(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Yields the answers of every client that the check makes."""
    with Stubber(streams.client) as stubber:
        monkeypatch.setattr(boto3, "client", lambda *_, **__: streams.client)
        yield stubber


def test_denied_access_names_the_permission(streams: Streams, stubbed: Stubber) -> None:
    stubbed.add_client_error("describe_stream_summary", "AccessDeniedException", "no", 400)
    error = problem(settings(streams))
    assert (error.group, error.key) == ("weblog.source", "stream.arn")
    assert "allows kinesis:DescribeStreamSummary (AccessDeniedException)" in str(error)


def test_a_stream_that_is_being_deleted(streams: Streams, stubbed: Stubber) -> None:
    stubbed.add_response(
        "describe_stream_summary",
        {
            "StreamDescriptionSummary": {
                "StreamName": "looked-at",
                "StreamARN": arn("looked-at"),
                "StreamStatus": "DELETING",
                "RetentionPeriodHours": 24,
                "StreamCreationTimestamp": 0,
                "EnhancedMonitoring": [],
                "OpenShardCount": 1,
            }
        },
    )
    assert "a stream that is ACTIVE, not DELETING" in str(problem(settings(streams)))


def test_no_credentials(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clientless:
        def describe_stream_summary(self, **_: str) -> None:
            raise NoCredentialsError

    monkeypatch.setattr(boto3, "client", lambda *_, **__: Clientless())
    error = problem(settings(streams))
    assert (error.group, error.key) == ("AWS", "credentials")


def test_local_folders_are_nobodys_bucket(tmp_path: Path) -> None:
    preflight.check(
        JobSettings.load(
            {
                "weblog.source": {"path": str(tmp_path)},
                "weblog.sink.files": {"type": "filesystem", "path": str(tmp_path / "out")},
                "weblog.outputs": {"default": "files"},
            }
        )
    )
