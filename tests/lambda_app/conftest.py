"""How the tests of the Lambda functions run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flink_app.ops.package_lambda import PackageOptions, build
from tests.lambda_app.support import DEMO_DATABASE
from tests.lambda_app.unpacked import unpack
from tests.moto_server import moto_server, reset

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
    with moto_server() as address:
        yield address


@pytest.fixture
def endpoint(emulator: str) -> str:
    """The same, with nothing in it."""
    reset(emulator)
    return emulator
