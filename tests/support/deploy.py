"""Zips, property files and a scripted service for the tests of `./build.sh deploy`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest
from botocore.stub import Stubber

from tools.cli import run_command
from tools.deploy import command
from tools.deploy.application import Application, Code
from tools.deploy.service import Patience, Service
from tools.package.layout import MANIFEST, Manifest

NAME = "weblog"
REGION: Literal["eu-west-1"] = "eu-west-1"
ACCOUNT = "123456789012"
ROLE_NAME = "weblog-application"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
BUCKET = "code-bucket"
LOG_GROUP = f"/aws/kinesis-analytics/{NAME}"
LOG_STREAM = (
    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOG_GROUP}:log-stream:kinesis-analytics-log-stream"
)
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CREATED = datetime(2025, 10, 28, 10, 15, 30, tzinfo=UTC)

type Groups = dict[str, dict[str, str]]


def run_deploy(arguments: list[str], patience: Patience) -> int:
    """Runs the command, which waits as it is told here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "Patience", lambda **_: patience)
        return run_command("deploy", arguments)


def write_zip(
    path: Path, *, connectors: bool = True, more: Mapping[str, str] | None = None
) -> Path:
    """A zip that says of itself that it is the application."""
    manifest = Manifest("weblog-stream-processor", "0.1.0", connectors=connectors)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, manifest.to_json())
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path


def kinesis_groups(**windows: str) -> Groups:
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/weblog"
    groups = {
        "weblog.source": {"type": "kinesis", "stream.arn": f"{arn}-input"},
        "weblog.sink.all": {"type": "kinesis", "stream.arn": f"{arn}-output"},
        "weblog.outputs": {"default": "all"},
    }
    if windows:
        groups["weblog.windows"] = {key.replace("_", "."): value for key, value in windows.items()}
    return groups


def write_properties(path: Path, groups: Mapping[str, Mapping[str, str]]) -> Path:
    document = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in groups.items()]
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def application(**changed: Any) -> Application:
    facts: dict[str, Any] = {
        "runtime": "FLINK-2_2",
        "role": ROLE,
        "code": Code(f"arn:aws:s3:::{BUCKET}", "weblog-1.zip"),
        "properties": {"weblog.windows": {"size": "1 min"}},
        "parallelism": 1,
        "parallelism_per_kpu": 1,
        "auto_scaling": False,
        "log_level": "INFO",
        "metrics_level": "TASK",
        "log_stream": LOG_STREAM,
    }
    return Application(**facts | changed)


def detail(
    status: str = "READY",
    version: int = 1,
    one: Application | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What the service answers about an application."""
    one = one or application()
    logging = (
        []
        if one.log_stream is None
        else [{"CloudWatchLoggingOptionId": "1.1", "LogStreamARN": one.log_stream}]
    )
    return {
        "ApplicationARN": f"arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/{NAME}",
        "ApplicationName": NAME,
        "RuntimeEnvironment": one.runtime,
        "ServiceExecutionRole": one.role,
        "ApplicationStatus": status,
        "ApplicationVersionId": version,
        "CreateTimestamp": CREATED,
        "CloudWatchLoggingOptionDescriptions": logging,
        "ApplicationConfigurationDescription": {
            "ApplicationCodeConfigurationDescription": {
                "CodeContentType": "ZIPFILE",
                "CodeContentDescription": {
                    "S3ApplicationCodeLocationDescription": {
                        "BucketARN": one.code.bucket_arn,
                        "FileKey": one.code.key,
                    }
                },
            },
            "FlinkApplicationConfigurationDescription": {
                "MonitoringConfigurationDescription": {
                    "ConfigurationType": "CUSTOM",
                    "MetricsLevel": one.metrics_level,
                    "LogLevel": one.log_level,
                },
                "ParallelismConfigurationDescription": {
                    "ConfigurationType": "CUSTOM",
                    "Parallelism": one.parallelism,
                    "ParallelismPerKPU": one.parallelism_per_kpu,
                    "AutoScalingEnabled": one.auto_scaling,
                },
            },
            "EnvironmentPropertyDescriptions": {
                "PropertyGroupDescriptions": [
                    {"PropertyGroupId": group, "PropertyMap": dict(values)}
                    for group, values in one.properties.items()
                ]
            },
            "ApplicationEncryptionConfigurationDescription": {"KeyType": "AWS_OWNED_KEY"}
            if one.key is None
            else {"KeyType": "CUSTOMER_MANAGED_KEY", "KeyId": one.key},
            "ApplicationSnapshotConfigurationDescription": {"SnapshotsEnabled": one.snapshots},
            "ApplicationSystemRollbackConfigurationDescription": {"RollbackEnabled": one.rollback},
        },
        **more,
    }


def snapshot(name: str, status: str = "READY", minute: int = 0) -> dict[str, Any]:
    return {
        "SnapshotName": name,
        "SnapshotStatus": status,
        "ApplicationVersionId": 1,
        "SnapshotCreationTimestamp": CREATED.replace(minute=minute),
    }


@dataclass
class Script:
    """A service that expects calls in one order and answers as told.

    Answers and parameters are checked against AWS's own model of the service.
    """

    said: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = boto3.client(
            "kinesisanalyticsv2",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.stub = Stubber(self.client)
        self.stub.activate()
        self.time = 0.0

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    @property
    def patience(self) -> Patience:
        return Patience(
            deadline=900,
            interval=10,
            sleep=self._sleep,
            clock=lambda: self.time,
            say=self.said.append,
        )

    @property
    def service(self) -> Service:
        return Service(self.client, NAME, self.patience)

    def expect(
        self,
        method: str,
        answer: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> None:
        self.stub.add_response(method, dict(answer or {}), {"ApplicationName": NAME, **parameters})

    def describes(self, *details: Mapping[str, Any]) -> None:
        for one in details:
            self.expect("describe_application", {"ApplicationDetail": one})

    def refuses(self, method: str, code: str, message: str = "") -> None:
        self.stub.add_client_error(method, code, message)

    def done(self) -> None:
        self.stub.assert_no_pending_responses()


type Act = Callable[[Service], None]
