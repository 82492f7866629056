"""Settings of sources and sinks: the error of a mistake is one line with group and key."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from flink_app.connector import Connector
from flink_app.outputs import table_parameters
from flink_app.settings import JobSettings
from flink_app.sinks import SINK_TYPES
from flink_app.sinks.discard import DiscardSink
from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sinks.firehose import FirehoseSink
from flink_app.sinks.kinesis import KinesisSink
from flink_app.sources import SOURCE_TYPES
from flink_app.sources.kinesis import KinesisSource
from flink_app.sql_files import OutputFile, output_files, statements
from udfs.config.properties import Properties
from udfs.config.root import ROOT
from udfs.errors import ConfigurationError

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/weblog"
DELIVERY = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/weblog"


def properties(
    source: dict[str, str] | None = None, sink: dict[str, str] | None = None
) -> dict[str, dict[str, str]]:
    return {
        "weblog.source": source or {"path": "in"},
        "weblog.sink.some": sink or {"type": "discard"},
        "weblog.outputs": {"default": "some"},
    }


def kinesis(**settings: str) -> dict[str, str]:
    changed = {key.replace("_", "."): value for key, value in settings.items()}
    return {"type": "kinesis", "stream.arn": STREAM} | changed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "kafka"}, "weblog.source: type = 'kafka': expected one of filesystem, kinesis"),
        ({"type": "filesystem"}, "weblog.source: path = '': expected a file or folder"),
        ({"type": "kinesis"}, "weblog.source: stream.arn = '': expected a stream's ARN"),
        (kinesis(stream_arn=DELIVERY), "weblog.source: stream.arn = .*: expected an ARN such as"),
        (kinesis(stream_arn="weblog"), "weblog.source: stream.arn = 'weblog': expected an ARN"),
        # Only an output has a name for the placeholder.
        (kinesis(stream_arn=STREAM + "-{output}"), "stream.arn = .*: expected an ARN such as"),
        (kinesis(stream_arn=STREAM.replace("1234", "x")), "stream.arn = .*: expected an ARN"),
        # The connector would ignore a misspelt setting, and one of another type.
        (
            kinesis(initial_postion="LATEST"),
            r"weblog.source: initial.postion: .* mean 'initial.position'\?\) \(type kinesis\)",
        ),
        (kinesis(path="x"), "weblog.source: path: expected a known key.*type kinesis"),
        (
            {"path": "x", "stream.arn": STREAM},
            "weblog.source: stream.arn: expected a known key.*type filesystem",
        ),
        (kinesis(initial_position="EARLIEST"), "initial.position = 'EARLIEST': expected one of"),
        (
            kinesis(initial_position="AT_TIMESTAMP"),
            "initial.timestamp = '': expected a time exactly when",
        ),
        (
            kinesis(initial_timestamp="2025-10-28T10:15:30.000Z"),
            "initial.timestamp = .*: expected a time exactly when",
        ),
        *(
            (
                kinesis(initial_position="AT_TIMESTAMP", initial_timestamp=time),
                "initial.timestamp = .*: expected a time such as 2025-10-28T10:15:30.000Z",
            )
            for time in (
                "yesterday",
                "2025-10-28",
                "2025-10-28T10:15:30Z",
                "2025-10-28 10:15:30.000Z",
                "2025-02-30T10:15:30.000Z",
                "2025-10-28T10:15:30.000",
                "1e9",
                "-5",
            )
        ),
        (kinesis(reader_type="EFO"), "consumer.name = '': expected a name exactly when"),
        (kinesis(consumer_name="me"), "consumer.name = 'me': expected a name exactly when"),
        (
            kinesis(reader_type="EFO", consumer_name="a b"),
            "consumer.name = 'a b': expected up to 128 letters",
        ),
        (kinesis(role_arn="reader"), "role.arn = 'reader': expected the ARN of a role"),
        (kinesis(role_external_id="x"), "role.external.id = 'x': expected nothing without"),
        (kinesis(records_per_fetch="10001"), "records.per.fetch = '10001': expected a whole"),
        (kinesis(shard_discovery_interval="1 s"), "discovery.interval = '1 s': expected a dura"),
        *(
            (kinesis(endpoint=url), "weblog.source: endpoint = .*: expected a URL such as")
            for url in ("localhost:4566", "ftp://x", "http://", "http://x:0", "http://x:y",
                        "http://x/path", "http://[::1")
        ),
    ],
)  # fmt: skip
def test_the_error_of_a_wrong_source_is_one_line(given: dict[str, str], message: str) -> None:
    check(properties(source=given), message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "weblog.sink.some: type = '': expected one of filesystem, kinesis, firehose, disc"),
        ({"type": "s3"}, "weblog.sink.some: type = 's3': expected one of"),
        ({"type": "filesystem"}, "weblog.sink.some: path = '': expected a folder"),
        ({"type": "kinesis"}, "weblog.sink.some: stream.arn = '': expected a stream's ARN"),
        ({"type": "firehose"}, "weblog.sink.some: stream.arn = '': expected a delivery stream's"),
        (kinesis(stream_arn=DELIVERY), "weblog.sink.some: stream.arn = .*: expected an ARN"),
        ({"type": "firehose", "pack.kib": "1001"}, "pack.kib = '1001': expected a whole number fr"),
        ({"type": "firehose", "stream.arn": STREAM}, "weblog.sink.some: stream.arn = .*: expec"),
        (
            {"type": "filesystem", "path": "x", "partition.by": "day"},
            "weblog.sink.some: partition.by = 'day': expected one of none, date, hour",
        ),
        (kinesis(batch_size="501"), "weblog.sink.some: batch.size = '501': expected a whole"),
        (kinesis(flush_interval="100"), "flush.interval = '100': expected a duration"),
        (kinesis(fail_on_error="yes"), "fail.on.error = 'yes': expected true or false"),
        (kinesis(partition_key="host"), "partition.key = 'host': expected one of key, random"),
        (kinesis(**{"sink.batch.max-size": "5"}), "sink.batch.max-size: expected a known key"),
        ({"type": "discard", "path": "x"}, "weblog.sink.some: path: expected a known key"),
    ],
)
def test_the_error_of_a_wrong_sink_is_one_line(given: dict[str, str], message: str) -> None:
    wrong = properties()
    wrong["weblog.sink.some"] = given
    check(wrong, message)


@pytest.mark.parametrize("types", [SOURCE_TYPES, SINK_TYPES])
def test_a_kind_is_listed_under_its_type(types: dict[str, type[Connector]]) -> None:
    assert {name: kind.settings()[0].expectation for name, kind in types.items()} == {
        name: f"one of {name}" for name in types
    }


def test_settings_and_plan_need_no_client_of_aws() -> None:
    code = "import sys, flink_app.topology; sys.exit('botocore' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_input_is_no_output() -> None:
    loop = "weblog.sink.some: stream.arn = .*: expected another stream for enriched than"
    check(properties(kinesis(), kinesis()), loop.replace("enriched", "[a-z_]+"))
    one_of_them = kinesis(stream_arn=STREAM + "-enriched"), kinesis(stream_arn=STREAM + "-{output}")
    given = properties(*one_of_them)
    check(given, loop.replace(".*", r"'.*-\{output\}'"))
    JobSettings.load(given | {"weblog.outputs": {"default": "some", "enriched": "off"}})


def check(given: Properties, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        JobSettings.load(given)
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_initial_timestamp_may_be_a_time_or_seconds() -> None:
    for time in ("2025-10-28T10:15:30.000Z", "2025-10-28T10:15:30.000+02:00", "1761646530.5"):
        given = kinesis(initial_position="AT_TIMESTAMP", initial_timestamp=time)
        source = JobSettings.load(properties(source=given)).source
        assert source.options()["source.init.timestamp"] == time


def test_efo_names_its_consumer() -> None:
    options = KinesisSource(stream_arn=STREAM, reader_type="EFO", consumer_name="me").options()
    assert options["source.reader.type"] == "EFO"
    assert options["source.efo.consumer.name"] == "me"
    assert options["source.efo.lifecycle"] == "JOB_MANAGED"


def test_a_stream_of_another_account_is_read_by_a_role() -> None:
    role = "arn:aws:iam::210987654321:role/reader"
    source = KinesisSource(stream_arn=STREAM, role_arn=role, role_external_id="logs")
    options = source.options().items()
    assert {key: value for key, value in options if ".credentials." in key} == {
        "aws.credentials.provider": "ASSUME_ROLE",
        "aws.credentials.role.arn": role,
        "aws.credentials.role.sessionName": "weblog",
        "aws.credentials.role.externalId": "logs",
    }
    assert not any("credentials" in key for key in KinesisSource(stream_arn=STREAM).options())


def test_only_plain_endpoints_have_http_1() -> None:
    key = "sink.http-client.protocol.version"
    for kind, arn in ((KinesisSink, STREAM), (FirehoseSink, DELIVERY)):
        assert kind(stream_arn=arn, endpoint="http://e:1").options("x")[key] == "HTTP1_1"
        assert key not in kind(stream_arn=arn, endpoint="https://e").options("x")
        assert key not in kind(stream_arn=arn).options("x")


def test_each_output_may_have_a_stream_of_its_own() -> None:
    options = KinesisSink(stream_arn=STREAM + "-{output}").options("errors_per_page")
    assert options["stream.arn"] == STREAM + "-errors-per-page"
    assert options["aws.region"] == "eu-west-1"
    delivery = FirehoseSink(stream_arn=DELIVERY + "-{output}").options("late")
    assert delivery["delivery-stream"] == "weblog-late"


@pytest.mark.parametrize("file", output_files(), ids=lambda file: file.name)
def test_every_output_leaves_open_what_a_sink_may_need(file: OutputFile) -> None:
    """A missing placeholder in an output would silently turn partitions off."""
    markers = {"sink_columns": ", `c` INT", "sink_values": ", 42", "partitioned_by": "P "}
    body = {"body_columns": "body BYTES", "body_values": "body"}
    found = re.findall(r"\$\{([a-z_]+)\}", file.path.read_text("utf-8"))
    others = {name: "1" for name in found if name not in markers}
    declaration, *_, insert = statements(file.path, others | body | markers)
    assert ", `c` INT\n) P WITH (" in declaration
    assert ", 42\nFROM" in insert


@pytest.mark.parametrize("file", output_files(), ids=lambda file: file.name)
def test_the_key_of_an_output_is_one_of_its_columns(file: OutputFile) -> None:
    declaration, *_ = file.path.read_text("utf-8").partition("INSERT")
    if file.kind == "records":
        assert file.key in {(), ("host",)}
    else:
        for column in file.key:
            assert re.search(rf"^  {column} +\w", declaration, re.MULTILINE)


def output(name: str) -> OutputFile:
    return next(file for file in output_files() if file.name == name)


def test_files_are_partitioned_by_the_time_of_the_row() -> None:
    sink = FilesystemSink(path="s3a://bucket/weblog", partition_by="hour")
    record = table_parameters(output("enriched"), sink)
    assert record["sink_columns"] == ", event_date STRING, event_hour STRING"
    assert record["partitioned_by"] == "PARTITIONED BY (event_date, event_hour) "
    assert "event_time" in record["sink_values"]
    window = table_parameters(output("sessions"), FilesystemSink(path="x", partition_by="date"))
    assert window["sink_columns"] == ", event_date STRING"
    assert "window_start" in window["sink_values"]


def test_a_quotation_mark_in_a_path_ends_no_text() -> None:
    sink = table_parameters(output("enriched"), FilesystemSink(path="/the site's"))["sink"]
    assert "'path' = '/the site''s/enriched'" in sink


def test_nothing_is_added_without_partitions_or_keys() -> None:
    plain = FilesystemSink(path="x")
    random = KinesisSink(stream_arn=STREAM + "-{output}", partition_key="random")
    for sink in (plain, random, DiscardSink()):
        for name in ("enriched", "errors_per_page"):
            parameters = table_parameters(output(name), sink)
            assert parameters["sink_columns"] == parameters["sink_values"] == ""
            assert parameters["partitioned_by"] == ""
            assert parameters["body_columns"] == "body BYTES"


def test_lines_of_records_are_packed_and_nothing_else() -> None:
    """The job drops rows with nulls in NOT NULL columns: no other column may be one."""
    firehose = FirehoseSink(stream_arn=DELIVERY)
    sinks = (FilesystemSink(path="x"), KinesisSink(stream_arn=STREAM), firehose)
    packing = FirehoseSink(stream_arn=DELIVERY, pack_kib=5)
    assert packing.packs
    assert not any(sink.packs for sink in sinks)
    for file in output_files():
        bodies = [table_parameters(file, sink)["body_columns"] for sink in sinks]
        declared = " ".join([file.path.read_text("utf-8"), *bodies])
        assert not re.search("(?<!IS )NOT NULL", declared)
        packed = table_parameters(file, packing)
        columns = "body BYTES NOT NULL", "pack_lines(body, 5120)"
        expected = columns if file.is_record else ("body BYTES", "body")
        assert (packed["body_columns"], packed["body_values"]) == expected


def test_rows_in_a_shared_stream_name_their_output() -> None:
    shared = table_parameters(output("sessions"), KinesisSink(stream_arn=STREAM))
    assert shared["sink_columns"] == ", output_name STRING"
    assert shared["sink_values"] == ", 'sessions'"
    assert shared["partitioned_by"] == "PARTITIONED BY (host) "
