from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto.core.exceptions import JsonRESTError
from moto.kinesisanalyticsv2.models import KinesisAnalyticsV2Backend, kinesisanalyticsv2_backends

from flink_app.ops.service import Patience
from tests.deploy.support import ACCOUNT, BUCKET, REGION, ROLE_NAME, Script
from tests.moto_server import moto_server, reset


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, files or settings of the machine take part."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.done()


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def cloud(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's server in place of AWS, with a bucket, two streams and the application's role."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address)
    reset(moto_address)
    # moto answers a missing application with an internal error, unlike the service.
    describe = KinesisAnalyticsV2Backend.describe_application

    def describe_or_not_found(
        self: KinesisAnalyticsV2Backend, application_name: str
    ) -> dict[str, object]:
        if application_name not in self.applications:
            raise JsonRESTError("ResourceNotFoundException", "no such application")
        return describe(self, application_name)

    monkeypatch.setattr(KinesisAnalyticsV2Backend, "describe_application", describe_or_not_found)
    boto3.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    for name in ("weblog-input", "weblog-output"):
        boto3.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    boto3.client("iam").create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument="{}")


@pytest.fixture
def patience() -> Patience:
    """Waiting makes moto's applications ready, which they never become by themselves."""

    def settle(seconds: float) -> None:
        for one in kinesisanalyticsv2_backends[ACCOUNT][REGION].applications.values():
            one.application_status = "READY"

    return Patience(deadline=60, interval=1, sleep=settle, say=print)
