"""A disk that fills up during a run: a real disk of a few megabytes in a mount of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lines import good
from tests.support.running import only
from tests.support.waiting import PATIENCE_SECONDS
from tools.local.cluster import PLANNER
from udfs.config.root import ROOT

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c")
# The disk holds Flink's unpacked files (61 MB, and the planner where it isn't unpacked already),
# the input and the old results, but not all results.
MEGABYTES = 70 if PLANNER.exists() else 116
TOO_MANY_LINES = 40_000


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("a disk of its own takes Linux's unshare")
    tried = subprocess.run(
        [*NAMESPACE, f"mount -t tmpfs none {shlex.quote(str(folder))}"],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"no mount here: {tried.stderr.decode().strip()}")
    return folder


def test_the_run_fails_clearly_the_old_results_stay_and_a_rerun_works(
    disk: Path, tmp_path: Path
) -> None:
    (tmp_path / "large.log").write_bytes(b"\n".join(good(0, TOO_MANY_LINES)) + b"\n")
    (tmp_path / "small.log").write_bytes(b"\n".join(good(0, 10)) + b"\n")
    old = tmp_path / "old"
    (old / "enriched").mkdir(parents=True)
    (old / ".lock").touch()
    (old / "summary.json").write_text('{"lines_in": 1}')
    (old / "enriched" / "part-00000.jsonl").write_text("{}\n")

    run = shlex.join([sys.executable, "-m", "tools.cli", "run", "--out", "disk/out", *only()])
    steps = f"""
        mount -t tmpfs -o size={MEGABYTES}m none disk || exit 9
        cp -r old disk/out
        {run} large.log >large.out 2>large.err
        echo $? >large.status
        cp -r disk/out after_large
        {run} small.log >small.out 2>small.err
        echo $? >small.status
        cp -r disk/out after_small
    """
    done = subprocess.run(
        [*NAMESPACE, steps],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0

    assert (tmp_path / "large.status").read_text().strip() in {"1", "2"}
    (error,) = (tmp_path / "large.err").read_text().splitlines()
    assert "No space left on device" in error
    after = tmp_path / "after_large"
    assert (after / "summary.json").read_text() == '{"lines_in": 1}'
    assert (after / "enriched" / "part-00000.jsonl").read_text() == "{}\n"

    assert (tmp_path / "small.status").read_text().strip() == "0", (
        tmp_path / "small.err"
    ).read_text()
    summary = json.loads((tmp_path / "after_small" / "summary.json").read_text())
    assert summary["lines_in"] == summary["enriched"] == 10
