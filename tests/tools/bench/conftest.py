"""One tiny set of inputs for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench.setup import Setup, prepare


@pytest.fixture(scope="session")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return prepare(
        tmp_path_factory.mktemp("bench"),
        records=400,
        memory_records=400,
        seed=7,
        log="made",
        database=None,
        depth=10,
        latency_seconds=2.0,
        latency_rate=200.0,
    )


@pytest.fixture(scope="session")
def setup_file(setup: Setup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("setup") / "setup.json"
    path.write_text(setup.to_json(), encoding="utf-8")
    return path
