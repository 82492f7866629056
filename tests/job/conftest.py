from __future__ import annotations

import pytest

from tests.job.running import Result, run_job


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The command without any option: the bundled log, by one job."""
    return run_job(tmp_path_factory.mktemp("sample") / "out")
