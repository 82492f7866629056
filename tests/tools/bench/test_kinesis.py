"""The benchmark's figure of the Kinesis path, on a tiny input."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bench.command import measure_in_own_process
from tools.bench.setup import prepare


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_job_is_measured_between_two_streams(connector_jar: Path, tmp_path: Path) -> None:
    setup = prepare(
        tmp_path,
        records=2000,
        memory_records=2000,
        seed=7,
        log="made",
        database=None,
        depth=10,
        jar=connector_jar,
    )
    file = tmp_path / "setup.json"
    file.write_text(setup.to_json(), encoding="utf-8")
    values = measure_in_own_process("kinesis", file)
    # Too few for a steady rate: that the job ran from stream to stream is what is tested.
    assert 0 < values["startup_s"] < values["total_s"]
