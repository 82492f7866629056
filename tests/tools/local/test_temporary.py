"""Temporary folders of commands, also of killed commands."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tools.local.temporary import temporary_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_with_its_command_or_with_the_next(temporary: Path) -> None:
    left = temporary / "weblog-sql-killed"
    (left / "tmp").mkdir(parents=True)
    other = temporary / "weblog-kinesis-killed"
    other.mkdir()
    with temporary_folder("sql") as folder, temporary_folder("sql") as beside:
        assert sorted(temporary.iterdir()) == sorted([other, folder, beside])
    assert list(temporary.iterdir()) == [other]


def test_what_a_link_leads_to_stays(temporary: Path) -> None:
    mine = temporary / "mine"
    mine.mkdir()
    (temporary / "weblog-sql-link").symlink_to(mine)
    with temporary_folder("sql"):
        pass
    assert mine.exists()


@pytest.mark.parametrize(("error", "kept"), [(ValueError, True), (KeyboardInterrupt, False)])
def test_the_log_of_a_failure_stays(
    temporary: Path, error: type[BaseException], kept: bool
) -> None:
    with pytest.raises(error), temporary_folder("sql", keep_after=ValueError):
        raise error
    assert bool(list(temporary.iterdir())) is kept
