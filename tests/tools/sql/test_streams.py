"""SQL over deployed streams: their names, and the tables declared over them."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import pytest

from flink_app.settings import JobSettings
from flink_app.sql_files import output_files
from tests.support import stacks  # adds the types that moto lacks
from tests.support.aws import Aws
from tests.support.deploy import kinesis_groups
from tests.support.jars import write_jar
from tests.support.streams import REGION, arn
from tools.cli import run_command
from tools.deploy.deployment import with_groups
from tools.deploy.stack import METADATA
from tools.deploy.template import Template
from tools.shell import EXIT_BAD_INPUT, CommandError
from tools.sql import command as sql
from tools.sql.session import INPUT, over_streams
from tools.sql.streams import groups_of_stack, named_streams, reading_of, streams_of_job
from udfs.config.file import DEFAULT_FILE, FILE_VARIABLE, PropertyGroups, load_properties
from udfs.errors import ConfigurationError

assert stacks.NOT_IN_MOTO

OUTPUTS = {output.name for output in output_files()}
ROLE = "arn:aws:iam::123456789012:role/reader"
CONSUMER = {"reader.type": "EFO", "consumer.name": "weblog", "role.arn": ROLE}
TIME = "a time such as 2025-10-28T10:15:30Z"


def session(
    arns: Mapping[str, str], groups: PropertyGroups | None = None, start: str | None = None
) -> list[str]:
    settings = JobSettings.load(groups or load_properties(DEFAULT_FILE))
    return over_streams(settings, arns, reading_of(Namespace(start=start, endpoint=None)))


def of(kind: str, prepared: list[str]) -> dict[str, str]:
    """Returns the statements that make tables, views or functions, by name."""
    start = f"CREATE TEMPORARY {kind} "
    made = [one for one in prepared if one.startswith(start)]
    return {one.removeprefix(start).split()[0]: one for one in made}


class TestNamedStreams:
    def test_a_name_shows_the_output_of_a_stream(self) -> None:
        given = ("web-input", "web-dead-letters", "x_errors_per_page_sliding", "late")
        assert named_streams([arn(name) for name in given]) == {
            INPUT: arn("web-input"),
            "dead_letters": arn("web-dead-letters"),
            "errors_per_page_sliding": arn("x_errors_per_page_sliding"),
            "late": arn("late"),
        }

    def test_a_stream_of_all_aggregates_gives_way_to_one_of_its_own(self) -> None:
        found = named_streams([f"bots={arn('x')}", arn("web-aggregates")])
        assert found.pop("bots") == arn("x")
        assert set(found) == {one.name for one in output_files() if one.kind == "aggregates"} - {
            "bots"
        }
        assert set(found.values()) == {arn("web-aggregates")}

    @pytest.mark.parametrize(
        "text", ["", "bots=", "x=" + arn("bots"), arn("stream"), "arn:aws:sqs:x", "bots"]
    )
    def test_a_name_without_an_output_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match="OUTPUT is one of input, ") as refused:
            named_streams([text])
        assert refused.value.group == "--kinesis"


def test_the_settings_of_a_job_name_its_streams() -> None:
    all_in_one = JobSettings.load(kinesis_groups())
    # Late records can't be distinguished from the others, so there is no table of them.
    expected = dict.fromkeys(all_in_one.outputs, arn("weblog-output"))
    del expected["late"]
    assert streams_of_job(all_in_one) == expected | {INPUT: arn("weblog-input")}
    groups = kinesis_groups()
    groups["weblog.sink.all"]["stream.arn"] = arn("weblog-{output}")
    groups["weblog.sink.lake"] = {"type": "filesystem", "path": "s3a://lake/logs"}
    groups["weblog.outputs"] |= {"enriched": "lake", "filtered": "off"}
    found = streams_of_job(JobSettings.load(groups))
    assert (found["late"], found["top_pages"]) == (arn("weblog-late"), arn("weblog-top-pages"))
    assert found.keys().isdisjoint({"enriched", "filtered"})


class TestSession:
    def test_each_output_is_a_view_over_a_table_that_is_only_read(self) -> None:
        prepared = session(dict.fromkeys((INPUT, *OUTPUTS), arn("all")))
        tables, views = of("TABLE", prepared), of("VIEW", prepared)
        assert set(tables) == {"raw_log", *OUTPUTS}
        assert set(views) == {"outcomes", "access_log", *OUTPUTS}
        for name, table in tables.items():
            assert "'connector' = 'kinesis'" in table, name
            assert "'sink.partitioner' = 'this table is only read'" in table, name
            assert "PARTITIONED BY" not in table, name
        assert not [one for one in prepared if one.startswith("INSERT")]
        assert "SET 'execution.runtime-mode' = 'streaming'" in prepared
        # The tables are in another database, so that SHOW TABLES doesn't offer them for inserts.
        assert prepared.index("USE streams") < prepared.index(tables["bots"])
        assert prepared.index("USE default_database") < prepared.index(views["bots"])

    def test_rows_of_several_outputs_in_a_stream_are_separated(self) -> None:
        prepared = session(dict.fromkeys(OUTPUTS, arn("all")))
        tables, views = of("TABLE", prepared), of("VIEW", prepared)
        assert "output_name STRING" in tables["bots"]
        assert "COALESCE(output_name, 'bots') = 'bots' AND window_start IS NOT" in views["bots"]
        assert "body BYTES" in tables["enriched"]
        assert "JSON_EXISTS(CAST(body AS STRING), '$.request')" in views["enriched"]

    def test_only_what_there_is_is_declared(self) -> None:
        prepared = session({"alerts": arn("alerts")})
        assert set(of("TABLE", prepared)) == set(of("VIEW", prepared)) == {"alerts"}

    def test_new_records_are_read_or_those_since_a_time(self) -> None:
        latest = of("TABLE", session({"bots": arn("bots")}))["bots"]
        assert "'source.init.position' = 'LATEST'" in latest
        since = session({"bots": arn("bots")}, start="2025-10-28 10:15")
        assert "'source.init.position' = 'AT_TIMESTAMP'" in of("TABLE", since)["bots"]
        timestamp = "'source.init.timestamp' = '2025-10-28T10:15:00.000+00:00'"
        assert timestamp in of("TABLE", since)["bots"]

    def test_the_consumer_of_the_job_is_left_to_it(self) -> None:
        groups = kinesis_groups()
        groups["weblog.source"] |= CONSUMER
        table = of("TABLE", session({INPUT: arn("in")}, groups))["raw_log"]
        assert "'source.reader.type' = 'POLLING'" in table
        assert "consumer" not in table
        assert f"'aws.credentials.role.arn' = '{ROLE}'" in table


# A client that prints the first statements of its session, and the settings of its functions.
CLIENT = f"""
import os, sys
print(open(sys.argv[1]).read(), open(os.environ["{FILE_VARIABLE}"]).read())
"""


class TestStack:
    GROUPS = kinesis_groups() | {"weblog.geoip": {"database.path": "data/of-the-zip.mmdb"}}

    @pytest.fixture
    def aws(self, aws: Aws) -> Aws:
        for kind in ("job", "function"):
            application = {
                "Type": "AWS::KinesisAnalyticsV2::Application",
                "Properties": {
                    "ApplicationName": kind,
                    "ApplicationConfiguration": {"EnvironmentProperties": {}},
                },
            }
            template: Template = {
                "Metadata": {METADATA: {"Kind": kind}},
                "Resources": {"Application": application},
            }
            body = json.dumps(with_groups(template, self.GROUPS))
            aws.client("cloudformation").create_stack(StackName=kind, TemplateBody=body)
        return aws

    def test_it_gives_the_settings_that_its_job_has(self, aws: Aws) -> None:
        assert groups_of_stack("job", REGION) == self.GROUPS
        with pytest.raises(CommandError, match="is of a function"):
            groups_of_stack("function", REGION)
        with pytest.raises(CommandError, match="there is no stack 'other'"):
            groups_of_stack("other", REGION)

    def test_a_session_has_its_streams_and_the_database_that_is_here(
        self,
        aws: Aws,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        client = [sys.executable, "-c", CLIENT]
        monkeypatch.setattr(sql, "_command", lambda _, prepared: [*client, str(prepared)])
        jar = write_jar(tmp_path / "connectors.jar")
        arguments = ["--stack", "job", "--region", REGION, "--jar", str(jar)]
        arguments += ["--set", "weblog.site:internal.hosts=example.com"]
        assert run_command("sql", arguments) == 0
        printed = capfd.readouterr().out
        assert f"'stream.arn' = '{arn('weblog-input')}'" in printed
        assert f"'stream.arn' = '{arn('weblog-output')}'" in printed
        assert "CREATE TEMPORARY VIEW sessions" in printed
        assert "examples/demo-city.mmdb" in printed
        assert "of-the-zip" not in printed
        assert "example.com" in printed


class TestCommand:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--from", "2025-10-28"), "--from = '2025-10-28': expected --stack or --kinesis besi"),
            (("--kinesis", arn("bots"), "--from", "soon"), f"--from = 'soon': expected {TIME}"),
            (("--kinesis", arn("bots"), "--jar", "no.jar"), "cannot read no.jar: No such file"),
            (("--kinesis", arn("x")), f"--kinesis = '{arn('x')}': expected an ARN such as "),
        ],
    )
    def test_mistakes_are_reported_before_anything_starts(
        self, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run_command("sql", list(arguments)) == EXIT_BAD_INPUT
        assert capsys.readouterr().err.startswith(f"error: {message}")

    def test_a_jar_without_connectors_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        jar = write_jar(tmp_path / "other.jar", factories=())
        assert run_command("sql", ["--kinesis", arn("bots"), "--jar", str(jar)]) == EXIT_BAD_INPUT
        assert "is not the connector jar" in capsys.readouterr().err
