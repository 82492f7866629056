"""How the tests of dead letters and secrets run."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a server of emulated services."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Aws:
    """Emulated services with nothing in them."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION, endpoint_url=self.endpoint)


@pytest.fixture
def aws(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    urllib.request.urlopen(f"{emulator}/moto-api/reset", data=b"").close()  # noqa: S310 - http
    for name, value in {
        "AWS_ENDPOINT_URL": emulator,
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return Aws(emulator)
