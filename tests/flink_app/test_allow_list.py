"""On Managed Flink the code may set only allow-listed keys.

The service and these tests check that with Flink's own `execution.program-config.enabled` and
its wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flink_app.environment import flink_configuration
from flink_app.settings import JobSettings
from tests.support.cluster import OwnCluster, own_cluster
from tests.support.jobs import Results, between_files
from tests.support.lines import log_line
from tests.support.waiting import PATIENCE_SECONDS
from tools.local import cluster
from udfs.config.root import ROOT

ALLOWED_FILE = ROOT / "tests" / "data" / "managed_flink_allowed_keys.txt"

# Flink's planner itself sets these in the same configuration for every query.
SET_BY_FLINK = (
    "__table.query-start.current-database__",
    "__table.query-start.epoch-time__",
    "__table.query-start.local-time__",
)
_COMPLAINT = re.compile(r"Configuration (\S+?)(?::| was changed)")

# A leak of each kind: a programmed setting that is new, and one that is changed.
LEAKS = {"python.fn-execution.bundle.size": "1000", "execution.checkpointing.interval": "3 s"}
# The job that sets these keys in the same place as the others.
LEAKING_MAIN = f"""
import sys
import flink_app.environment as environment

allowed = environment.flink_configuration
environment.flink_configuration = lambda settings: allowed(settings) | {LEAKS}
from flink_app.main import main

sys.exit(main())
"""


def allowed_keys() -> frozenset[str]:
    lines = ALLOWED_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


@contextmanager
def checked(
    folder: Path, results: Results, *outputs: str, main: Path = cluster.MAIN
) -> Iterator[OwnCluster]:
    """Starts the job with Flink's check on."""
    log = folder / "access.log"
    log.write_text(log_line("28/Oct/2025:10:15:30 +0000"), encoding="utf-8")
    allowed = ";".join((*sorted(allowed_keys()), *SET_BY_FLINK))
    check = {
        # Flink writes durations in their shortest form: `10000 ms` would count as changed.
        "execution.checkpointing.interval": "10 s",
        "execution.program-config.enabled": "false",
        "execution.program-config.wildcards": allowed,
    }
    properties = between_files(log, results.folder, *outputs)
    with own_cluster(folder / "work", properties, main=main, extra=check) as job:
        yield job


def test_the_list_is_the_page_of_the_service() -> None:
    keys = allowed_keys()
    assert {"python.execution-mode", "pipeline.object-reuse", "table.local-time-zone"} <= keys
    assert not any(key.startswith(("python.fn-execution.", "execution.check")) for key in keys)
    assert not keys & {"python.metric.enabled", "python.files", "parallelism.default"}


def test_every_key_the_code_names_is_allowed() -> None:
    assert flink_configuration(JobSettings()).keys() <= allowed_keys()


@pytest.mark.minicluster
@pytest.mark.slow
def test_the_job_passes_the_check(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    with checked(tmp_path, results, "enriched", "sessions", "alerts") as job:
        job.finish()
    assert results.rows("enriched")


@pytest.mark.minicluster
@pytest.mark.slow
def test_keys_that_leak_are_found(tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    main.write_text(LEAKING_MAIN, encoding="utf-8")
    with checked(tmp_path, Results(tmp_path / "results"), "enriched", main=main) as job:
        assert job.process.wait(PATIENCE_SECONDS) != 0
    assert set(_COMPLAINT.findall(job.printed())) == set(LEAKS)
