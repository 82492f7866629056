from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from tests.support.core import Clock
from udfs.enrich import reference
from udfs.enrich.reference import ReferenceFile, ReferenceFileError, ReferenceSettings
from udfs.errors import ConfigurationError

CSV = 'webpage,owner,campaign\nproduct,shop,"autumn, ""late"""\nindex,web,\n'


def replaced(path: Path, text: str) -> None:
    """Replaces a file as tools should: whole or not at all."""
    new = path.with_name("new")
    new.write_text(text, encoding="utf-8")
    new.rename(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pages.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_csv(file: Path) -> None:
    data = ReferenceFile(file, "webpage", 10)
    assert data.get("product") == '{"owner":"shop","campaign":"autumn, \\"late\\""}'
    assert data.get("index") == '{"owner":"web","campaign":""}'
    assert data.get("unknown") == data.get(None) == "null"


def test_csv_as_spreadsheets_write_it(file: Path) -> None:
    file.write_text(CSV, encoding="utf-8-sig", newline="\r\n")
    assert ReferenceFile(file, "webpage", 10).get("index") == '{"owner":"web","campaign":""}'


@pytest.mark.parametrize(
    "document",
    [
        [{"webpage": "product", "owner": "shop", "rank": 1}],
        {"product": {"owner": "shop", "rank": 1}},
    ],
)
def test_json(tmp_path: Path, document: object) -> None:
    path = tmp_path / "pages.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert ReferenceFile(path, "webpage", 10).get("product") == '{"owner":"shop","rank":1}'


def test_a_changed_file_is_read_at_the_next_interval(file: Path) -> None:
    clock = Clock(0.0)
    data = ReferenceFile(file, "webpage", 10, clock)
    replaced(file, "webpage,owner\nproduct,other\n")
    clock.now = 9.9
    data.refresh()
    assert "shop" in data.get("product")
    clock.now = 10
    data.refresh()
    assert data.get("product") == '{"owner":"other"}'
    assert data.get("index") == "null"


def test_a_change_that_keeps_size_and_time_is_seen_by_the_inode(file: Path) -> None:
    clock = Clock(0.0)
    data = ReferenceFile(file, "webpage", 1, clock)
    before = file.stat()
    replaced(file, CSV.replace("shop", "pohs"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.now = 1
    data.refresh()
    assert "pohs" in data.get("product")


@pytest.mark.parametrize(
    "bad", ["", "page,owner\na,b\n", "webpage,owner\na\n", 'webpage,owner\n"a,b\n', None]
)
def test_a_bad_new_file_leaves_the_old_in_use_and_is_reported_once(
    file: Path, bad: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(0.0)
    data = ReferenceFile(file, "webpage", 1, clock)
    if bad is None:
        file.unlink()
    else:
        replaced(file, bad)
    with caplog.at_level(logging.WARNING):
        for clock.now in (1, 2, 3):
            data.refresh()
    assert len(caplog.records) == 1
    assert "shop" in data.get("product")
    replaced(file, "webpage,owner\nproduct,new\n")
    clock.now = 4
    data.refresh()
    assert data.get("product") == '{"owner":"new"}'


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.csv", None, "No such file"),
        ("a.csv", "webpage,owner\na,b,c\n", "more or fewer fields"),
        ("a.csv", "page,owner\na,b\n", "without 'webpage'"),
        ("a.json", "[1]", "not an object"),
        ("a.json", "3", "neither"),
        ("a.json", "{", "unexpected end"),
        ("a.csv", f"webpage,owner\na,{'b' * 4096}\n", "more than 4096 bytes"),
    ],
)
def test_a_bad_file_at_the_start_is_an_error(
    tmp_path: Path, name: str, text: str | None, problem: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem):
        ReferenceFile.open(ReferenceSettings.load({"weblog.reference": {"file": str(path)}}))


def test_a_file_too_large_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MAX_FILE_BYTES", 10)
    with pytest.raises(ReferenceFileError, match="larger than 10 bytes"):
        ReferenceFile(file, "webpage", 10)


def test_without_a_file_there_is_none() -> None:
    assert ReferenceFile.open(ReferenceSettings()) is None
