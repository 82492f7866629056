"""Fixtures that tests of several folders share: servers, packages, a run of the bundled log."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.aws import REGION, Aws
from tests.support.cluster import SharedCluster, shared_cluster
from tests.support.core import DEMO_DATABASE
from tests.support.moto_server import moto_server, reset
from tests.support.packages import unpack
from tests.support.running import Run, run_as_user
from tests.support.streams import Streams
from tools.package.function import FunctionPackageOptions, build
from tools.package.layout import JAR
from tools.run.kinesis.emulator import emulator as kinesis_emulator
from udfs.config.root import ROOT

JAR_VARIABLE = "WEBLOG_CONNECTOR_JAR"

# Examples are slow on a busy machine, so there is no deadline.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command without any option: one job over the bundled log.

    The command runs once, also when several processes share the tests.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # one folder for all processes of the session
    output, kept = folder / "sample_run", folder / "sample_run.json"
    with (folder / "sample_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(asdict(run_as_user(output)), default=str), encoding="utf-8")
    known = json.loads(kept.read_text("utf-8"))
    return Run(**known | {"folder": Path(known["folder"])})


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedCluster]:
    """The mini-cluster to which the tests of this process submit their jobs."""
    jar = found_jar()
    with shared_cluster(tmp_path_factory.mktemp("cluster"), jar if jar.exists() else None) as one:
        yield one


def found_jar() -> Path:
    named = os.environ.get(JAR_VARIABLE)
    return Path(named).resolve() if named else ROOT / JAR


@pytest.fixture(scope="session")
def connector_jar() -> Path:
    jar = found_jar()
    if not jar.exists():
        pytest.skip(
            f"needs the connector jar: {JAR} (./build.sh package makes it) or {JAR_VARIABLE}"
        )
    return jar


@pytest.fixture(scope="session")
def streams() -> Iterator[Streams]:
    """Kinesis, emulated on this machine."""
    with kinesis_emulator("tests.support.kinesis_server") as url:
        yield Streams(url)


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """Starts a server of emulated services, and yields its address."""
    with moto_server() as address:
        yield address


@pytest.fixture
def nobody() -> Iterator[str]:
    """Yields an address that nobody answers: the port is taken, so no other program gets it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def endpoint(emulator: str) -> str:
    """Empties the emulated services, and returns their address."""
    reset(emulator)
    return emulator


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


@pytest.fixture(scope="session")
def function_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions' zip for x86-64 with the demo's GeoIP database."""
    return build(FunctionPackageOptions(out=tmp_path_factory.mktemp("dist"), geoip=DEMO_DATABASE))


@pytest.fixture(scope="session")
def task_root(function_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip of the functions."""
    folder = tmp_path_factory.mktemp("task") / "root"
    unpack(function_zip, folder)
    return folder


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides the machine's credentials, files and settings of AWS."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
