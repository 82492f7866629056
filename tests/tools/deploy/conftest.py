from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto.core.exceptions import JsonRESTError
from moto.kinesisanalyticsv2.models import KinesisAnalyticsV2Backend, kinesisanalyticsv2_backends

from tests.support.deploy import ACCOUNT, BUCKET, REGION, ROLE_NAME, Script
from tests.support.moto_server import moto_server, reset
from tools.deploy.service import Patience


@pytest.fixture(autouse=True)
def _(credentials: None) -> None:
    """Every test here is without the machine's credentials."""


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
