"""On Managed Flink the code may set allow-listed keys alone.

The service checks with Flink's own means (`execution.program-config.enabled` and the
wildcards beside it), and so do these tests.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from flink_app.environment import flink_configuration
from flink_app.settings import JobSettings
from tests.support.running import log_line
from tools.local import cluster
from udfs.config.file import dump_properties
from udfs.config.root import ROOT

ALLOWED_FILE = ROOT / "tests" / "data" / "managed_flink_allowed_keys.txt"

# Flink's planner itself notes these for every query, in the same configuration.
SET_BY_FLINK = (
    "__table.query-start.current-database__",
    "__table.query-start.epoch-time__",
    "__table.query-start.local-time__",
)
TIME_LIMIT_SECONDS = 180
_COMPLAINT = re.compile(r"Configuration (\S+?)(?::| was changed)")

# The job with one more key, set in the same place as the others.
LEAKING_MAIN = """
import sys
import flink_app.environment as environment

allowed = environment.flink_configuration
environment.flink_configuration = lambda settings: allowed(settings) | {{{key!r}: {value!r}}}
from flink_app.main import main

sys.exit(main())
"""


def allowed_keys() -> frozenset[str]:
    lines = ALLOWED_FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def run_checked(
    folder: Path, outputs: Mapping[str, str], main: Path = cluster.MAIN
) -> tuple[int, str]:
    """Runs the job with Flink's check on; its status and what it printed."""
    log = folder / "access.log"
    log.write_text(log_line("28/Oct/2025:10:15:30 +0000"), encoding="utf-8")
    properties = folder / "properties.json"
    dump_properties(
        {
            "weblog.source": {"type": "filesystem", "path": str(log)},
            "weblog.sink.files": {"type": "filesystem", "path": str(folder / "out")},
            "weblog.outputs": dict(outputs),
        },
        properties,
    )
    options = cluster.ClusterOptions(
        work_directory=folder / "work",
        extra={
            # Flink writes durations back in their shortest form; `10000 ms` would count
            # as changed to `10 s`.
            "execution.checkpointing.interval": "10 s",
            "execution.program-config.enabled": "false",
            "execution.program-config.wildcards": ";".join(
                (*sorted(allowed_keys()), *SET_BY_FLINK)
            ),
        },
    )
    process = cluster.start(options, properties, main)
    try:
        status = process.wait(TIME_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return status, (options.log_file.parent / "job.out").read_text(encoding="utf-8")


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
    status, printed = run_checked(tmp_path, {"default": "files"})

    assert status == 0, printed
    assert list((tmp_path / "out" / "enriched").glob("[!.]*"))


@pytest.mark.minicluster
@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [("python.fn-execution.bundle.size", "1000"), ("execution.checkpointing.interval", "3 s")],
)
def test_a_key_that_leaks_is_found(tmp_path: Path, key: str, value: str) -> None:
    main = tmp_path / "main.py"
    main.write_text(LEAKING_MAIN.format(key=key, value=value), encoding="utf-8")

    status, printed = run_checked(tmp_path, {"enriched": "files"}, main)

    assert status != 0
    complaints = {match[1] for line in printed.splitlines() if (match := _COMPLAINT.search(line))}
    assert complaints == {key}, printed
