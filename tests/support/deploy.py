"""Zips, property files and a scripted service for the tests of `./build.sh deploy`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tools.cli import run_command
from tools.deploy import command
from tools.deploy.service import Service
from tools.deploy.waiting import Patience
from tools.package.layout import MANIFEST, Manifest

NAME = "weblog"
REGION: Literal["eu-west-1"] = "eu-west-1"
ACCOUNT = "123456789012"
BUCKET = "code-bucket"
CREATED = datetime(2025, 10, 28, 10, 15, 30, tzinfo=UTC)

type Groups = dict[str, dict[str, str]]


def run_deploy(arguments: list[str], patience: Patience, client: object = None) -> int:
    """Runs the command, which waits with this patience.

    Args:
        arguments: Those of the command line.
        patience: How the command waits.
        client: The stand-in for the client of the managed service.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "Patience", lambda **_: patience)
        if client is not None:
            patch.setattr(command, "_application_client", lambda _: client)
        return run_command("deploy", arguments)


def write_zip(
    path: Path, *, connectors: bool = True, more: Mapping[str, str] | None = None
) -> Path:
    """Writes a zip with the manifest of the application."""
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


def detail(
    status: str = "READY", version: int = 1, runtime: str = "FLINK-2_3", **more: Any
) -> dict[str, Any]:
    """Returns the service's answer about an application."""
    return {
        "ApplicationARN": f"arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/{NAME}",
        "ApplicationName": NAME,
        "RuntimeEnvironment": runtime,
        "ApplicationStatus": status,
        "ApplicationVersionId": version,
        "CreateTimestamp": CREATED,
        "ApplicationConfigurationDescription": {
            "FlinkApplicationConfigurationDescription": {
                "ParallelismConfigurationDescription": {
                    "ConfigurationType": "CUSTOM",
                    "Parallelism": 4,
                },
            },
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
    """A service that expects calls in one order and gives the answers it was made with.

    Botocore checks answers and parameters against AWS's model of the service.
    """

    said: list[str] = field(default_factory=list)
    answer: bool = True
    any: ClassVar[object] = ANY
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

    def _asked(self, question: str) -> bool:
        self.said.append(question)
        return self.answer

    @property
    def patience(self) -> Patience:
        return Patience(
            deadline=900,
            interval=10,
            sleep=self._sleep,
            clock=lambda: self.time,
            say=self.said.append,
            ask=self._asked,
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
