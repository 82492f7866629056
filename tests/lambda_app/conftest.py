"""How the tests of the Lambda functions run."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from moto.server import ThreadedMotoServer

from flink_app.ops.package_lambda import PackageOptions, build
from tests.lambda_app.support import DEMO_DATABASE
from tests.lambda_app.unpacked import unpack

# A busy machine makes examples slow, which says nothing about the code.
settings.register_profile("lambda", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lambda")


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip for x86-64 with the demo's GeoIP database."""
    return build(PackageOptions(out=tmp_path_factory.mktemp("dist"), geoip=DEMO_DATABASE))


@pytest.fixture(scope="session")
def task_root(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip."""
    folder = tmp_path_factory.mktemp("task") / "root"
    unpack(archive, folder)
    return folder


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a server of emulated services."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def endpoint(emulator: str) -> str:
    """The same, with nothing in it."""
    urllib.request.urlopen(f"{emulator}/moto-api/reset", data=b"").close()  # noqa: S310 - http
    return emulator
