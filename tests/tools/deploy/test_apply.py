"""Creating the application, against moto's server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.kinesisanalyticsv2.models import KinesisAnalyticsV2Backend

from tests.support.deploy import (
    BUCKET,
    KEY,
    LOG_GROUP,
    LOG_STREAM,
    NAME,
    ROLE,
    ROLE_NAME,
    kinesis_groups,
    run_deploy,
    write_properties,
    write_zip,
)
from tools.deploy.service import Patience
from tools.package.contents import name_and_version
from tools.shell import EXIT_FAILED

pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "weblog-0.1.0.zip")


@pytest.fixture
def arguments(tmp_path: Path, archive: Path) -> list[str]:
    config = write_properties(tmp_path / "properties.json", kinesis_groups(top_n="5"))
    return [
        "--name", NAME, "--bucket", BUCKET, "--prefix", "releases",
        "--service-role", ROLE_NAME, "--config", str(config), "--zip", str(archive),
        "--parallelism", "4", "--parallelism-per-kpu", "2",
    ]  # fmt: skip


def objects() -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET)
    return [one["Key"] for one in listed.get("Contents", [])]


def applications() -> list[str]:
    listed = boto3.client("kinesisanalyticsv2").list_applications()
    return [one["ApplicationName"] for one in listed["ApplicationSummaries"]]


def test_it_creates_the_application(
    arguments: list[str], archive: Path, patience: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_deploy(arguments, patience) == 0

    (key,) = objects()
    assert key.startswith("releases/weblog-0.1.0-")
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert body == archive.read_bytes()
    detail = boto3.client("kinesisanalyticsv2").describe_application(ApplicationName=NAME)[
        "ApplicationDetail"
    ]
    assert detail["RuntimeEnvironment"] == "FLINK-2_2"
    assert detail["ServiceExecutionRole"] == ROLE
    assert detail["CloudWatchLoggingOptionDescriptions"][0]["LogStreamARN"] == LOG_STREAM
    configuration = detail["ApplicationConfigurationDescription"]
    parallelism = configuration["FlinkApplicationConfigurationDescription"][
        "ParallelismConfigurationDescription"
    ]
    assert (parallelism["Parallelism"], parallelism["ParallelismPerKPU"]) == (4, 2)
    assert not parallelism["AutoScalingEnabled"]
    assert configuration["ApplicationSnapshotConfigurationDescription"]["SnapshotsEnabled"]
    groups = {
        one["PropertyGroupId"]: one["PropertyMap"]
        for one in configuration["EnvironmentPropertyDescriptions"]["PropertyGroupDescriptions"]
    }
    assert groups == kinesis_groups(top_n="5") | {
        "kinesis.analytics.flink.run.options": {
            "python": "app/flink_app/main.py",
            "pyFiles": "app/",
            "jarfile": "lib/pyflink-dependencies.jar",
        }
    }
    streams = boto3.client("logs").describe_log_streams(logGroupName=LOG_GROUP)["logStreams"]
    assert [one["logStreamName"] for one in streams] == ["kinesis-analytics-log-stream"]
    printed = capsys.readouterr().out
    assert "KPUs: 2" in printed
    assert f"created; start it with: ./build.sh deploy start --name {NAME}" in printed


def test_it_creates_the_application_with_a_key(
    arguments: list[str],
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # moto does not keep the key, so what it is asked for has to do.
    asked: list[dict[str, object]] = []
    create = KinesisAnalyticsV2Backend.create_application

    def listen(self: KinesisAnalyticsV2Backend, **given: Any) -> dict[str, object]:
        asked.append(given["application_configuration"])
        return create(self, **given)

    monkeypatch.setattr(KinesisAnalyticsV2Backend, "create_application", listen)
    assert run_deploy([*arguments, "--key", KEY], patience) == 0

    (configuration,) = asked
    assert configuration["ApplicationEncryptionConfiguration"] == {
        "KeyType": "CUSTOMER_MANAGED_KEY",
        "KeyId": KEY,
    }
    assert f"  key: {KEY}\n" in capsys.readouterr().out

    with pytest.raises(SystemExit):
        run_deploy([*arguments, "--key", "alias/weblog"], patience)
    assert "'alias/weblog' is not the ARN of a KMS key" in capsys.readouterr().err


def test_a_misspelt_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_deploy(["statuss", "--name", NAME], Patience())
    assert "'statuss'" in capsys.readouterr().err


def test_again_it_does_nothing(
    arguments: list[str], patience: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    run_deploy(arguments, patience)
    capsys.readouterr()

    # moto knows no update: a call of it would be an error.
    assert run_deploy(["apply", *arguments], patience) == 0

    assert capsys.readouterr().out == f"application '{NAME}' is up to date (version 1)\n"
    assert len(objects()) == 1


def test_a_dry_run_changes_nothing(
    arguments: list[str], patience: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_deploy([*arguments, "--dry-run"], patience) == 0

    assert objects() == []
    assert applications() == []
    assert boto3.client("logs").describe_log_groups()["logGroups"] == []
    printed = capsys.readouterr().out
    assert f"create application '{NAME}':" in printed
    assert "weblog.windows: top.n = '5'" in printed
    assert printed.endswith("dry run: nothing was changed\n")


def test_a_dry_run_of_an_update_names_each_difference(
    arguments: list[str], tmp_path: Path, patience: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    run_deploy(arguments, patience)
    capsys.readouterr()
    write_zip(tmp_path / "weblog-0.1.0.zip", more={"app/new.py": ""})
    write_properties(tmp_path / "properties.json", kinesis_groups(top_n="20"))

    again = [*arguments, "--parallelism", "8", "--auto-scaling", "--dry-run"]
    assert run_deploy(again, patience) == 0

    printed = capsys.readouterr().out
    assert f"update application '{NAME}' (version 1):" in printed
    assert "  parallelism: 4 -> 8" in printed
    assert "  auto scaling: False -> True" in printed
    assert "  weblog.windows: top.n: '5' -> '20'" in printed
    assert "  code: s3://code-bucket/releases/weblog-0.1.0-" in printed
    assert len(objects()) == 1


def test_settings_may_come_from_the_environment(
    arguments: list[str],
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEBLOG_DEPLOY_NAME", "other")
    monkeypatch.setenv("WEBLOG_DEPLOY_LOG_LEVEL", "WARN")

    assert run_deploy(["--dry-run", *arguments[2:]], patience) == 0

    printed = capsys.readouterr().out
    assert "create application 'other':" in printed
    assert "level WARN" in printed

    monkeypatch.setenv("WEBLOG_DEPLOY_LOG_LEVEL", "LOUD")
    with pytest.raises(SystemExit) as exit_:
        run_deploy(["--dry-run", *arguments[2:]], patience)
    assert exit_.value.code == 2
    assert "'LOUD' is not one of DEBUG, INFO, WARN, ERROR" in capsys.readouterr().err


def error_of(arguments: list[str], patience: Patience, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_deploy(arguments, patience) == EXIT_FAILED
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    assert applications() == []
    assert objects() == []
    return line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--service-role", "nobody"), "error: there is no role 'nobody'"),
        (("--service-role", "arn:aws:iam::123456789012:role/nobody"), "there is no role 'nobody'"),
        (("--bucket", "no-such-bucket"), "error: there is no bucket 'no-such-bucket'"),
        (("--zip", "absent.zip"), "error: cannot read absent.zip: No such file or directory"),
        (("--config", "absent.json"), "file = 'absent.json': expected a readable file"),
    ],
)
def test_what_does_not_exist_is_one_line(
    arguments: list[str],
    patience: Patience,
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, str],
    message: str,
) -> None:
    assert message in error_of([*arguments, *given], patience, capsys)


def test_missing_streams_are_found_first(
    arguments: list[str], patience: Patience, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("kinesis").delete_stream(StreamName="weblog-output")

    line = error_of(arguments, patience, capsys)
    assert "weblog.sink.all: stream.arn" in line
    assert "weblog-output" in line

    # Whoever deploys may lack the right to look at streams.
    assert run_deploy([*arguments, "--dry-run", "--no-stream-check"], patience) == 0


def test_without_credentials(
    arguments: list[str],
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert run_deploy(["status", "--name", NAME], patience) == 1
    assert "no AWS credentials found" in capsys.readouterr().err


def test_without_region(
    patience: Patience, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert run_deploy(["status", "--name", NAME], patience) == 1
    assert capsys.readouterr().err == ("error: no AWS region: give --region or set AWS_REGION\n")


def test_without_the_profile(
    patience: Patience, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert run_deploy(["status", "--name", NAME], patience) == 1
    assert capsys.readouterr().err == (
        "error: reading the settings of AWS: The config profile (nobody) could not be found\n"
    )


def test_endpoint_that_does_not_answer(
    patience: Patience, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    assert run_deploy(["status", "--name", NAME], patience) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: application '{NAME}': Could not connect to the endpoint")


def test_a_zip_has_to_be_named_when_it_is_not_clear(
    arguments: list[str],
    tmp_path: Path,
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    at = arguments.index("--zip")
    without = arguments[:at] + arguments[at + 2 :]
    assert "dist holds no zip" in error_of(without, patience, capsys)

    (tmp_path / "dist").mkdir()
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / "dist" / name)
    assert "dist holds several zips: name one with --zip" in error_of(without, patience, capsys)

    (tmp_path / "dist" / "b.zip").unlink()
    assert run_deploy([*without, "--dry-run"], patience) == 0
    assert "upload dist/a.zip" in capsys.readouterr().out

    current = "{}-{}.zip".format(*name_and_version())
    write_zip(tmp_path / "dist" / current)
    assert run_deploy([*without, "--dry-run"], patience) == 0
    assert f"upload dist/{current}" in capsys.readouterr().out


def test_delete_wants_to_be_meant(patience: Patience, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_deploy(["delete", "--name", NAME], patience) == 1
    assert "say --yes if that is meant" in capsys.readouterr().err
