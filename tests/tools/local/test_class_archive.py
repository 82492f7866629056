from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tools.local import class_archive, cluster
from tools.local.class_archive import SHORT_JOB, archive_options, make_in_background
from tools.local.cluster import flink_home, flink_jars, unpack_planner
from tools.local.results import Reservation
from tools.run.command import _cluster


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "classes.jsa"
    monkeypatch.setattr(class_archive, "ARCHIVE", path)
    return path


def test_java_maps_the_archive_where_there_is_one(archive: Path) -> None:
    assert archive_options() == ()
    archive.touch()
    assert f"-XX:SharedArchiveFile={archive}" in archive_options()


@pytest.mark.parametrize(("lines", "is_short"), [(10_000, True), (1_500_000, False)])
def test_only_a_short_job_does_without_the_second_compiler(
    archive: Path, tmp_path: Path, lines: int, is_short: bool
) -> None:
    archive.touch()
    options = argparse.Namespace(parallelism=1, metrics_port=None)
    made = _cluster(options, Reservation(tmp_path, 0), lines)
    assert set(SHORT_JOB).issubset(made.java_options) is is_short
    assert bool(made.extra) is is_short
    assert set(archive_options()).issubset(made.java_options)


def test_nothing_is_made_where_it_is_there_or_java_is_the_users_to_tune(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr("subprocess.Popen", lambda *args, **_: started.append(args))
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1g")
    make_in_background()
    monkeypatch.delenv("JAVA_TOOL_OPTIONS")
    archive.touch()
    make_in_background()
    assert not started
    archive.unlink()
    make_in_background()
    assert len(started) == 1


def test_flink_starts_with_the_planner_itself_once_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PLANNER", tmp_path / cluster.PLANNER.name)
    assert flink_jars()[0].name == "*"
    unpack_planner()
    names = [jar.name for jar in flink_jars()]
    assert names[0] == "flink-table-planner.jar"
    assert [name for name in names if "loader" in name] == []
    assert len(names) == len(list((flink_home() / "lib").glob("*.jar"))) + 1
