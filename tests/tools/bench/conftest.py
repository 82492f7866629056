"""One tiny set of inputs for all tests of the benchmark."""

from __future__ import annotations

import pytest

from tools.bench.inputs import Setup, make_city_database, make_logs


@pytest.fixture(scope="session")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    work = tmp_path_factory.mktemp("bench")
    setup = Setup(work, 400, work / "city.mmdb", latency_seconds=2.0)
    make_city_database(setup.database, depth=10)
    make_logs(setup, seed=7)
    return setup
