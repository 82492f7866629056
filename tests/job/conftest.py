from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.job.running import Result, run_job


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The command without any option: the bundled log, by one job.

    Made once, also when the tests are spread over several processes.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of this session, too
    output, kept = folder / "sample_run", folder / "sample_run.json"
    with (folder / "sample_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps(asdict(run_job(output)), default=str), encoding="utf-8")
    known = json.loads(kept.read_text("utf-8"))
    return Result(**known | {"output": Path(known["output"])})
