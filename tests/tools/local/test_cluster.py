"""The mini-cluster's settings, held against what Flink makes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_SECONDS
from tools.local import cluster


def test_a_worker_starts_in_a_folder_with_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "a project"
    environment.symlink_to(sys.prefix, target_is_directory=True)
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    options = cluster.ClusterOptions(work_directory=tmp_path)
    # PyFlink's script, started as Flink does, but without the job that it works for.
    worker = subprocess.run(
        [str(cluster.flink_home() / "bin" / "pyflink-udf-runner.sh")],
        env=cluster.environment(options, tmp_path / "application_properties.json")
        | {
            "python": cluster.cluster_configuration(options)["python.executable"],
            "BOOT_LOG_DIR": str(tmp_path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "No id provided" in worker.stdout, worker


def test_temporary_files_lie_in_the_work_directory(tmp_path: Path) -> None:
    options = cluster.ClusterOptions(work_directory=tmp_path)
    assert f"-Djava.io.tmpdir={tmp_path / 'tmp'}" in cluster.command(options)
    environment = cluster.environment(options, tmp_path / "application_properties.json")
    assert environment["TMPDIR"] == str(tmp_path / "tmp")
