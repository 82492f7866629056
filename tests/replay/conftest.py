"""How the tests of dead letters and secrets run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.moto_server import moto_server, reset

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a server of emulated services."""
    with moto_server() as address:
        yield address


class Aws:
    """Emulated services with nothing in them."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION, endpoint_url=self.endpoint)


@pytest.fixture
def aws(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    reset(emulator)
    for name, value in {
        "AWS_ENDPOINT_URL": emulator,
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return Aws(emulator)
