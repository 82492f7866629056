"""Making and changing a stack, with moto's CloudFormation and a scripted application."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.support.deploy import (
    BUCKET,
    NAME,
    REGION,
    Script,
    detail,
    kinesis_groups,
    run_deploy,
    snapshot,
    write_properties,
    write_zip,
)
from tests.support.stacks import property_file
from tools.cli import run_command
from tools.deploy import command, rollout
from tools.package.contents import name_and_version
from tools.shell import EXIT_BAD_INPUT, EXIT_FAILED

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

pytestmark = pytest.mark.usefixtures("cloud")

STREAMS = {"input", "aggregates", "alerts", "dead-letters", "enriched", "late"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "weblog-0.1.0.zip")


@pytest.fixture(autouse=True)
def _named_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "snapshot_name", lambda purpose: f"{purpose}-1")
    monkeypatch.setattr(command, "snapshot_name", lambda purpose: f"{purpose}-1")


def deploy(script: Script, *arguments: str) -> int:
    first, *rest = arguments or ("--yes",)
    named = [first, "--stack", NAME] if not first.startswith("-") else ["--stack", NAME, first]
    return run_deploy([*named, *rest], script.patience, script.client)


def make(script: Script, archive: Path, *arguments: str) -> None:
    """Makes the stack and starts its job."""
    script.describes(detail("READY"))
    script.expect("list_application_snapshots", {"SnapshotSummaries": []})
    script.expect("start_application", RunConfiguration=script.any)
    script.describes(detail("RUNNING"))
    given = ("--bucket", BUCKET, "--zip", str(archive), "--yes")
    assert deploy(script, "apply", *given, *arguments) == 0
    script.done()


def stack() -> StackTypeDef:
    return boto3.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]


def parameters() -> dict[str, str]:
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack()["Parameters"]}


def template() -> dict[str, Any]:
    client: Any = boto3.client("cloudformation")
    body = client.get_template(StackName=NAME)["TemplateBody"]
    made: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return made


def properties() -> dict[str, dict[str, str]]:
    application = template()["Resources"]["Application"]["Properties"]
    groups = application["ApplicationConfiguration"]["EnvironmentProperties"]["PropertyGroups"]
    return {one["PropertyGroupId"]: one["PropertyMap"] for one in groups}


def objects() -> set[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET)
    return {one["Key"] for one in listed.get("Contents", [])}


def test_a_bucket_and_a_name_are_enough(
    script: Script, archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    current = Path("dist", "{}-{}.zip".format(*name_and_version()))
    current.parent.mkdir()
    archive.rename(current)
    script.describes(detail("READY"))
    script.expect("list_application_snapshots", {"SnapshotSummaries": []})
    script.expect("start_application", RunConfiguration=script.any)
    script.describes(detail("RUNNING"))

    assert deploy(script, "--bucket", BUCKET) == 0

    assert stack()["StackStatus"] == "CREATE_COMPLETE"
    streams = boto3.client("kinesis").list_streams()["StreamNames"]
    assert set(streams) == {f"weblog-{name}" for name in STREAMS}
    made = properties()
    assert made["weblog.source"]["stream.arn"].endswith(":stream/weblog-input")
    assert made["kinesis.analytics.flink.run.options"] == {
        "python": "app/flink_app/main.py",
        "pyFiles": "app/",
        "jarfile": "lib/pyflink-dependencies.jar",
    }
    code = parameters()["CodeKey"]
    assert code.startswith(f"weblog/{current.stem}-")
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=code)["Body"].read()
    assert body == current.read_bytes()
    said = "\n".join(script.said)
    assert "make 'weblog' in eu-west-1:" in said
    assert "  make Kinesis::Stream: AggregatesStream, AlertsStream, DeadLettersStream, " in said
    assert "Go on?" in said
    assert "  CREATE_COMPLETE  weblog" in said
    assert "starting the job\nrunning" in said
    assert "InputStreamArn" in said
    assert "DashboardUrl" in said


def test_what_no_option_names_stays_as_it_is(script: Script, archive: Path) -> None:
    make(script, archive, "--parallelism", "2", "--shards", "3", "--tag", "team=logs")
    script.said.clear()
    before = parameters()
    script.describes(detail("READY", 1))
    script.describes(detail("READY", 2))

    assert deploy(script, "--parallelism", "4", "--yes") == 0

    assert parameters() == before | {"Parallelism": "4"}
    assert "  Parallelism: '2' -> '4'" in script.said
    assert script.said.count("  make Kinesis::Stream") == 0
    assert "stopped, as before; start it with ./build.sh deploy start --stack weblog" in script.said


def test_again_it_does_nothing(script: Script, archive: Path) -> None:
    make(script, archive)
    there = objects()
    script.said.clear()
    script.describes(detail("RUNNING", 1))

    assert deploy(script, "--zip", str(archive), "--yes") == 0

    assert script.said[0] == "stack 'weblog' is up to date"
    assert objects() == there


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Writes another property file: moto does not list the resources that a parameter changes."""
    groups = property_file({"weblog.windows": {"top.n": "20"}})
    return str(write_properties(tmp_path / "other.json", groups))


def running_update(script: Script, ended: dict[str, Any], *arguments: str) -> int:
    script.describes(detail("RUNNING", 1), detail("RUNNING", 1))
    script.expect("create_application_snapshot", SnapshotName="before-update-1")
    taken = {"SnapshotDetails": snapshot("before-update-1")}
    script.expect("describe_application_snapshot", taken, SnapshotName="before-update-1")
    script.describes(ended)
    return deploy(script, "apply", "--yes", *arguments)


def test_a_running_job_is_given_a_snapshot_and_goes_on(
    script: Script, archive: Path, other: str
) -> None:
    make(script, archive)
    script.said.clear()

    assert running_update(script, detail("RUNNING", 2), "--config", other) == 0

    assert properties()["weblog.windows"]["top.n"] == "20"
    assert "  weblog.windows: top.n: '20'" in script.said
    assert "  change KinesisAnalyticsV2::Application: Application" in script.said
    assert "  the job RESTARTS, from a snapshot that is taken first" in script.said
    assert "running" in script.said


@pytest.mark.parametrize(
    ("ended", "message"),
    [
        (
            detail(
                "RUNNING", 3, ApplicationVersionRolledBackFrom=2, ApplicationVersionRolledBackTo=1
            ),
            "the service rolled it back to version 1; its log tells why",
        ),
        (detail("READY", 2), "application 'weblog' is READY after the update: its log tells why"),
    ],
)
def test_an_update_after_which_the_job_does_not_run_is_a_failure(
    script: Script,
    archive: Path,
    other: str,
    capsys: pytest.CaptureFixture[str],
    *,
    ended: dict[str, Any],
    message: str,
) -> None:
    make(script, archive)
    assert running_update(script, ended, "--config", other) == EXIT_FAILED
    assert message in capsys.readouterr().err


def test_without_a_snapshot_nothing_is_changed(
    script: Script, archive: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(script, archive)
    script.describes(detail("RUNNING", 1), detail("RUNNING", 1))
    script.refuses("create_application_snapshot", "InvalidApplicationConfigurationException", "no")

    assert deploy(script, "--config", other, "--yes") == EXIT_FAILED

    assert "`deploy stop --force`" in capsys.readouterr().err
    assert "top.n" not in properties()["weblog.windows"]
    sets = boto3.client("cloudformation").list_change_sets(StackName=NAME)["Summaries"]
    assert [one for one in sets if one["ExecutionStatus"] == "AVAILABLE"] == []


@pytest.mark.parametrize("arguments", [("--dry-run",), ()])
def test_what_is_not_confirmed_is_not_done(
    script: Script, archive: Path, arguments: tuple[str, ...]
) -> None:
    script.answer = False

    assert deploy(script, "--bucket", BUCKET, "--zip", str(archive), *arguments) == 0

    assert [key for key in objects() if key.endswith(".zip")] == []
    listed = boto3.client("cloudformation").list_stacks()["StackSummaries"]
    assert {one["StackStatus"] for one in listed} <= {"DELETE_COMPLETE"}
    assert script.said[-1].endswith("nothing was changed")
    assert "  make KinesisAnalyticsV2::Application: Application" in script.said


def test_a_rollback_is_a_change_to_what_was_before(
    script: Script, archive: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(script, archive, "--parallelism", "2")
    first = (parameters(), properties())
    assert deploy(script, "rollback", "--yes") == EXIT_FAILED
    assert "stack 'weblog' was never changed: nothing to go back to" in capsys.readouterr().err
    newer = write_zip(archive.with_name("weblog-0.2.0.zip"), more={"app/new.py": ""})
    given = ("--zip", str(newer), "--config", other, "--parallelism", "4")
    assert running_update(script, detail("RUNNING", 2), *given) == 0
    assert (parameters(), properties()) != first
    script.said.clear()

    script.describes(detail("RUNNING", 2), detail("RUNNING", 2))
    script.expect("create_application_snapshot", SnapshotName="before-update-1")
    taken = {"SnapshotDetails": snapshot("before-update-1")}
    script.expect("describe_application_snapshot", taken, SnapshotName="before-update-1")
    script.describes(detail("RUNNING", 3))
    assert deploy(script, "rollback", "--yes") == 0

    assert (parameters(), properties()) == first
    assert "  Parallelism: '4' -> '2'" in script.said
    assert "  weblog.windows: top.n: '20' -> ''" in script.said


def test_a_lower_runtime_is_refused(
    script: Script, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(script, archive)
    script.describes(detail("RUNNING", 1, "FLINK-2_4"))

    assert deploy(script, "--parallelism", "2", "--yes") == EXIT_FAILED

    expected = "the application runs on FLINK-2_4 and this version is for FLINK-2_3"
    assert expected in capsys.readouterr().err


def test_a_lake_that_nothing_would_fill_is_refused(
    script: Script, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_properties(tmp_path / "shared.json", kinesis_groups())
    given = ("--bucket", BUCKET, "--zip", str(archive), "--config", str(config), "--yes")
    lake = ("--lake-database", "weblog", "--no-stream-check")
    assert deploy(script, "apply", *given, *lake) == EXIT_FAILED
    assert "no output has a Kinesis stream of the stack to itself" in capsys.readouterr().err


def test_status_and_outputs(script: Script, archive: Path) -> None:
    make(script, archive)
    script.said.clear()
    script.describes(detail("RUNNING", 7))
    script.expect(
        "list_application_snapshots",
        {"SnapshotSummaries": [snapshot("new", minute=9), snapshot("old")]},
    )

    assert deploy(script, "status", "--json") == 0

    facts = json.loads(script.said[0])
    assert facts | {"code": ""} == {
        "stack": "weblog",
        "stack_status": "CREATE_COMPLETE",
        "code": "",
        "application_status": "RUNNING",
        "version": 7,
        "runtime": "FLINK-2_3",
        "parallelism": 4,
        "latest_snapshot": "new",
    }
    assert deploy(script, "outputs") == 0
    assert "ApplicationName       weblog" in script.said


def test_delete_keeps_the_data_and_says_so(script: Script, archive: Path) -> None:
    make(script, archive)
    script.said.clear()

    script.answer = False
    assert deploy(script, "delete") == 0
    assert "  AWS::Kinesis::Stream weblog-enriched" in script.said
    assert script.said[-1] == "nothing was changed"

    assert deploy(script, "delete", "--yes") == 0
    assert script.said[-1] == "deleted; the next `deploy` of this name takes over what was kept"
    assert deploy(script, "outputs") == EXIT_FAILED


def test_a_stream_of_another_stack_by_its_output(
    script: Script, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(script, archive)
    arn = "${Output.weblog.EnrichedStreamArn}"
    groups = property_file({"weblog.source": {"stream.arn": arn}})
    config = write_properties(tmp_path / "second.json", groups)
    given = [
        "--stack",
        "second",
        "--bucket",
        BUCKET,
        "--zip",
        str(archive),
        "--config",
        str(config),
    ]
    script.answer = False

    assert run_deploy(given, script.patience, script.client) == 0

    assert not any("InputStream" in line for line in script.said if "second" in line)
    missing = property_file({"weblog.source": {"stream.arn": arn.replace("weblog", "nowhere")}})
    write_properties(config, missing)
    assert run_deploy(given, script.patience, script.client) == EXIT_FAILED
    assert "there is no stack 'nowhere'" in capsys.readouterr().err


def test_the_stack_of_a_function(script: Script, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "function.zip")
    given = ["--stack", "enrich", "--function", "--bucket", BUCKET, "--zip", str(archive), "--yes"]

    assert run_deploy([*given, "--memory-megabytes", "1024"], script.patience, script.client) == 0

    versions = "Lambda::Version: Version"
    first = [line for line in script.said if versions in line]
    assert any("FunctionArn" in line for line in script.said)
    assert run_deploy(["--stack", "enrich", "--yes"], script.patience, script.client) == 0
    assert "stack 'enrich' is up to date" in script.said
    # Another setting makes another version, without a question about the kind of stack.
    again = ["--stack", "enrich", "--batch-seconds", "30", "--yes"]
    assert run_deploy(again, script.patience, script.client) == 0
    made = [line for line in script.said if versions in line]
    assert len(set(made)) > len(first)
    assert "  BatchSeconds: '60' -> '30'" in script.said


def test_a_delivery_stream_keeps_its_partitions_and_format(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_zip(tmp_path / "function.zip")
    given = ["--stack", "enrich", "--function", "--bucket", BUCKET, "--zip", str(archive), "--yes"]
    assert run_deploy([*given, "--partition-by", "hour"], script.patience, script.client) == 0
    again = ["--stack", "enrich", "--yes", "--batch-seconds", "30"]

    for other in ("none", "date"):
        changed = [*again, "--partition-by", other]
        assert run_deploy(changed, script.patience, script.client) == EXIT_FAILED
        message = f"--partition-by {other}: the delivery stream was made with hour"
        assert message in capsys.readouterr().err
    # Earlier files would be JSON in a table of Parquet.
    lake = [*again, "--lake-database", "weblog"]
    assert run_deploy(lake, script.patience, script.client) == EXIT_FAILED
    assert "--lake-database weblog: the delivery stream was made" in capsys.readouterr().err
    for same in ([], ["--partition-by", "hour"]):
        assert run_deploy([*again, *same], script.patience, script.client) == 0


def test_the_zip_of_a_function_is_for_its_processor(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dist").mkdir()
    name, version = name_and_version()
    for machine in ("x86_64", "aarch64"):
        write_zip(Path("dist", f"{name}-lambda-{version}-{machine}.zip"), more={machine: ""})
    given = ["--stack", "enrich", "--function", "--bucket", BUCKET, "--architecture", "arm64"]
    assert run_deploy([*given, "--yes"], script.patience, script.client) == 0
    first = [line for line in script.said if "CodeKey" in line]
    # The stack keeps its processor.
    assert run_deploy(["--stack", "enrich", "--zip", "--yes"], script.patience, script.client) == 0
    assert [line for line in script.said if "CodeKey" in line] == first
    assert "aarch64" in first[0]


def error_of(script: Script, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = deploy(script, "apply", "--yes", *arguments)
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert status in (EXIT_BAD_INPUT, EXIT_FAILED)
    assert boto3.client("cloudformation").describe_stacks()["Stacks"] == []
    return line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--zip", "absent.zip"), "error: cannot read absent.zip: No such file or directory"),
        (("--config", "absent.json"), "file = 'absent.json': expected a readable file"),
        (
            ("--key-arn", "x", "--memory-megabytes", "9"),
            "of a job has no parameter MemoryMegabytes",
        ),
        (("--tag", "nonsense"), "error: --tag 'nonsense': expected KEY=VALUE"),
        (("--parameters", "file.json"), 'file.json: expected an object such as {"Parallelism": 4}'),
        (("--parameters", "own.json"), "own.json: CodeKey is by deploy itself"),
    ],
)
def test_what_is_wrong_is_one_line(
    script: Script,
    archive: Path,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
    message: str,
) -> None:
    for name, text in (("file.json", "[1]"), ("own.json", '{"CodeKey": "x.zip"}')):
        (archive.parent / name).write_text(text)
        given = tuple(str(archive.parent / one) if one == name else one for one in given)
    options = ("--bucket", BUCKET, "--zip", str(archive))
    assert message in error_of(script, capsys, *options, *given)


def test_a_parameter_file_is_as_good_as_options(
    script: Script, archive: Path, tmp_path: Path
) -> None:
    file = tmp_path / "parameters.json"
    file.write_text('{"Parallelism": 4, "Shards": 2}')
    make(script, archive, "--parameters", str(file), "--shards", "3")
    assert {**parameters(), "Parallelism": "4", "Shards": "3"} == parameters()


def test_missing_streams_are_found_first(
    script: Script, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = f"arn:aws:kinesis:{REGION}:123456789012:stream/nowhere"
    groups = property_file({"weblog.source": {"stream.arn": arn}})
    config = write_properties(tmp_path / "other.json", groups)
    given = ("--bucket", BUCKET, "--zip", str(archive), "--config", str(config))

    line = error_of(script, capsys, *given)
    assert "weblog.source: stream.arn" in line
    assert "nowhere" in line

    # The user may lack the right to look at streams.
    assert deploy(script, "--dry-run", "--no-stream-check", *given) == 0


def test_a_missing_bucket_is_made_when_that_is_wanted(
    script: Script, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--bucket", "other-bucket", "--zip", str(archive))
    script.answer = False
    assert deploy(script, *given) == EXIT_FAILED
    assert script.said == ["There is no bucket 'other-bucket'. Make it?"]
    assert "there is no bucket 'other-bucket'" in capsys.readouterr().err

    assert deploy(script, *given, "--dry-run") == EXIT_FAILED
    make(script, archive, "--bucket", "other-bucket")
    assert parameters()["CodeBucket"] == "other-bucket"


def test_the_template_may_be_written_to_a_file(
    script: Script, archive: Path, tmp_path: Path
) -> None:
    file = tmp_path / "template.json"
    given = ("--bucket", BUCKET, "--zip", str(archive), "--template", str(file))
    assert deploy(script, *given) == 0
    assert "Application" in json.loads(file.read_text())["Resources"]
    assert objects() == set()


def test_nobody_can_be_asked(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["apply", "--stack", NAME, "--bucket", BUCKET, "--zip", str(archive)]
    # The tests' standard input is no terminal.
    assert run_command("deploy", arguments) == EXIT_FAILED
    assert "Go on? Say --yes where nobody can be asked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["statuss", "--stack", NAME], "'statuss'"),
        (["status"], "--stack"),
        (["status", "--stack", "1x"], "'1x' is not up to 40 letters, digits and hyphens"),
    ],
)
def test_a_wrong_command_line_is_named(
    script: Script, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        run_deploy(arguments, script.patience)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "given", "message"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), {}, "no AWS credentials found"),
        (("AWS_DEFAULT_REGION",), {}, "error: no AWS region: give --region or set AWS_REGION"),
        ((), {"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be found"),
        ((), {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "Could not connect to the endpoint"),
    ],
)
def test_without_a_way_to_aws(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: tuple[str, ...],
    given: dict[str, str],
    message: str,
) -> None:
    for name in missing:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert run_command("deploy", ["status", "--stack", NAME]) == EXIT_FAILED

    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize("named", [(), ("--snapshot", "one")])
def test_a_start_from_before_the_stream_was_made_again(
    script: Script, archive: Path, named: tuple[str, ...]
) -> None:
    make(script, archive)
    (arn,) = (one for one in parameters().values() if one.endswith(":stream/weblog-input"))
    made = boto3.client("kinesis").describe_stream_summary(StreamARN=arn)
    created = made["StreamDescriptionSummary"]["StreamCreationTimestamp"]
    for minutes, warned in ((1, False), (-1, True)):
        taken = snapshot("one") | {
            "SnapshotCreationTimestamp": created + timedelta(minutes=minutes)
        }
        script.said.clear()
        if named:
            answer = {"SnapshotDetails": taken}
            script.expect("describe_application_snapshot", answer, SnapshotName="one")
        else:
            script.expect("list_application_snapshots", {"SnapshotSummaries": [taken]})
        script.describes(detail("READY"))
        if not named:
            script.expect("list_application_snapshots", {"SnapshotSummaries": [taken]})
        script.expect("start_application", RunConfiguration=script.any)
        script.describes(detail("RUNNING"))
        assert deploy(script, "start", *named) == 0
        *warnings, running = script.said
        assert running == "running"
        assert bool(warnings) == warned
        if warned:
            assert warnings[0].startswith("warning: stream 'weblog-input' was made again ")


def test_a_stream_that_cannot_be_looked_at_keeps_no_job_from_its_start(
    script: Script, archive: Path
) -> None:
    make(script, archive)
    boto3.client("kinesis").delete_stream(StreamName="weblog-input")
    script.expect("list_application_snapshots", {"SnapshotSummaries": [snapshot("one")]})
    script.describes(detail("READY"))
    script.expect("list_application_snapshots", {"SnapshotSummaries": [snapshot("one")]})
    script.expect("start_application", RunConfiguration=script.any)
    script.describes(detail("RUNNING"))
    assert deploy(script, "start") == 0
    assert "warning: stream 'weblog-input': there is none" in script.said[-2]
