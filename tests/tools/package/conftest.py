from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.support.core import DEMO_DATABASE
from tests.support.service import make_interpreter
from tools.package.command import JobPackageOptions, build


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of the application: without the connector jar, with a GeoIP database."""
    options = JobPackageOptions(
        out=tmp_path_factory.mktemp("dist"), with_connectors=False, geoip=DEMO_DATABASE
    )
    return build(options)


@pytest.fixture(scope="session")
def names(archive: Path) -> frozenset[str]:
    with zipfile.ZipFile(archive) as opened:
        return frozenset(opened.namelist())


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with only Flink and its dependencies, as the service has it."""
    return make_interpreter(tmp_path_factory.mktemp("python") / "venv")
