"""The parameters of a job's stack from its property file."""

from __future__ import annotations

import pytest

from flink_app.settings import JobSettings
from tests.support.deploy import ACCOUNT, NAME, REGION, Groups
from tools.deploy.job import Needs, StackLocation, needs, resolved
from tools.deploy.template import derived
from udfs.errors import ConfigurationError

LOCATION = StackLocation(NAME, REGION, ACCOUNT)
OWN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{NAME}"


def groups(**changes: dict[str, str]) -> Groups:
    given = {
        "weblog.source": {"type": "kinesis", "stream.arn": "${Stream.input}"},
        "weblog.sink.all": {"type": "kinesis", "stream.arn": "${Stream.all}"},
        "weblog.outputs": {"default": "all"},
    }
    for name, values in changes.items():
        group = "weblog." + name.replace("_", ".")
        given[group] = given.get(group, {}) | values
    return given


def needed(**changes: dict[str, str]) -> Needs:
    given = groups(**changes)
    return needs(JobSettings.load(resolved(given, LOCATION, lambda _: {})), given, LOCATION)


def test_references_become_arns() -> None:
    given = groups(sink_other={"type": "kinesis", "stream.arn": "${Stream.of-{output}}"})
    other = {"EnrichedStreamArn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/basic-enriched"}
    given["weblog.source"]["stream.arn"] = "${Output.basic.EnrichedStreamArn}"

    final = resolved(given, LOCATION, {"basic": other}.__getitem__)

    assert final["weblog.source"]["stream.arn"] == other["EnrichedStreamArn"]
    assert final["weblog.sink.all"]["stream.arn"] == f"{OWN}-all"
    assert final["weblog.sink.other"]["stream.arn"] == f"{OWN}-of-{{output}}"
    # The setting itself checks a text that only looks like a placeholder.
    given["weblog.source"]["stream.arn"] = "${Straem.input}"
    with pytest.raises(ConfigurationError, match="an ARN such as"):
        JobSettings.load(resolved(given, LOCATION, lambda _: {}))


def test_an_output_that_another_stack_lacks_is_named() -> None:
    given = groups(source={"stream.arn": "${Output.basic.Enriched}"})
    with pytest.raises(ConfigurationError, match=r"an output of stack basic: A, B$"):
        resolved(given, LOCATION, lambda _: {"B": "", "A": ""})


def test_the_stack_makes_the_streams_that_are_used() -> None:
    found = needed(
        sink_unused={"type": "kinesis", "stream.arn": "${Stream.unused}"},
        sink_there={"type": "kinesis", "stream.arn": f"{OWN}-there"},
        outputs={"enriched": "there"},
    )
    assert found.made == {f"{OWN}-input", f"{OWN}-all"}
    assert found.repeated == {
        "Made": ["all", "input"], "Stream": ["all"], "Consumer": [], "Stored": ["enriched"],
    }  # fmt: skip
    assert found.parameters["WrittenStreamArns"] == f"{OWN}-all,{OWN}-there"
    assert found.parameters["EnrichedStreamName"] == "weblog-there"
    # Alerts share their stream with other outputs, so their parameter is empty.
    assert found.parameters["AlertsStreamName"] == ""


def test_every_parameter_that_is_no_option_has_a_value() -> None:
    repeated = {"{Stored}StreamArn"}
    assert needed().parameters.keys() | {"CodeBucket", "CodeKey"} == derived("job") - repeated


def test_the_lake_takes_records_that_have_its_columns() -> None:
    other = {"type": "kinesis", "stream.arn": "${Stream.other}"}
    found = needed(sink_other=other, outputs={"filtered": "other"})
    # A filtered line may have no time.
    assert found.repeated["Stored"] == []
    basic = needed(sink_other=other, outputs={"enriched": "other"}, pipeline={"stage": "basic"})
    assert basic.repeated["Stored"] == []


def test_a_stream_that_is_read_by_a_role_is_out_of_sight() -> None:
    arn = f"arn:aws:kinesis:{REGION}:210987654321:stream/lines"
    role = "arn:aws:iam::210987654321:role/reader"
    found = needed(source={"stream.arn": arn, "role.arn": role})
    assert found.out_of_sight == {arn}
    assert found.parameters["SourceRoleArn"] == role
    assert needed().out_of_sight == set()


def test_files_and_tables_are_named_by_arns() -> None:
    found = needed(
        sink_files={"type": "filesystem", "path": "s3a://lake/logs/"},
        outputs={"enriched": "files"},
        lookups_dynamodb={"table": "pages"},
    )
    assert found.parameters["FileArns"] == "arn:aws:s3:::lake/logs/*"
    assert found.parameters["BucketArns"] == "arn:aws:s3:::lake"
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/pages"
    assert found.parameters["ReferenceTableArn"] == table
    assert found.parameters["EnrichedStreamName"] == ""


def test_a_job_on_the_service_reads_a_stream() -> None:
    given = groups()
    given["weblog.source"] = {"type": "filesystem", "path": "s3://bucket/logs"}
    settings = JobSettings.load(resolved(given, LOCATION, lambda _: {}))
    with pytest.raises(ConfigurationError, match="kinesis, on the service"):
        needs(settings, given, LOCATION)
