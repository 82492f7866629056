"""A user's mistakes: one clear line, a status that is not 0, and no results."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from tests.support.running import SAMPLE, TEST_DATABASE, Result, log_line, only, run_job
from udfs.config.root import ROOT

BROKEN_DATABASE = ROOT / "tests" / "data" / "GeoIP2-City-Test-Broken-Double-Format.mmdb"
COUNTRY_DATABASE = ROOT / "tests" / "data" / "GeoIP2-Country-Test.mmdb"


def assert_one_error_line(result: Result, status: int, *parts: str) -> None:
    assert result.status == status
    (line,) = result.errors.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line
    assert not (result.output / "summary.json").exists()
    assert not (result.output / "enriched").exists()


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("weblog.windows:siez=1 min", ("weblog.windows", "siez", "did you mean 'size'")),
        ("weblog.window:size=1 min", ("weblog.window:", "did you mean 'weblog.windows'")),
        ("weblog.windows:size=soon", ("weblog.windows: size = 'soon'", "a duration such as")),
        ("weblog.windows:size=2 d", ("weblog.windows: size = '2 d'", "from 1 s to 1 d")),
        ("weblog.windows:size=1500 ms", ("weblog.windows: size", "whole seconds")),
        ("weblog.windows:sliding.slide=90 s", ("sliding.slide", "a divisor of sliding.size")),
        ("weblog.windows:size=5 min", ("sliding.slide = '60 s'", "a multiple of size (300 s)")),
        ("weblog.windows:top.n=0", ("weblog.windows: top.n = '0'", "from 1 to 1000")),
        ("weblog.parser:format=iis", ("weblog.parser: format = 'iis'", "combined, common")),
        ("weblog.job:execution.mode=fast", ("execution.mode = 'fast'", "process, thread")),
        ("weblog.outputs:erors_per_page=off", ("weblog.outputs: erors_per_page", "a known output")),
        ("weblog.outputs:erors_per_page=files", ("weblog.outputs: erors_per_page", "known output")),
        ("weblog.outputs:sessions=none", ("weblog.outputs: sessions = 'none'", "off or the name")),
        ("weblog.sink.files:pth=out", ("weblog.sink.files: pth", "did you mean 'path'")),
        ("nonsense", ("--set", "'nonsense'", "GROUP:KEY=VALUE")),
    ],
)
def test_bad_settings(tmp_path: Path, assignment: str, parts: tuple[str, ...]) -> None:
    assert_one_error_line(run_job(tmp_path / "out", "--set", assignment), 2, *parts)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "a JSON list of"),
        ("[1]", "PropertyGroupId"),
        ('[{"PropertyGroupId": "weblog.job", "PropertyMap": {"name": 1}}]', "PropertyGroupId"),
        (
            json.dumps([{"PropertyGroupId": "weblog.job", "PropertyMap": {}}] * 2),
            "each group once",
        ),
    ],
)
def test_bad_properties_files(tmp_path: Path, content: str, part: str) -> None:
    config = tmp_path / "properties.json"
    config.write_text(content)
    assert_one_error_line(run_job(tmp_path / "out", "--config", str(config)), 2, part)


def test_missing_input(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.log")
    assert_one_error_line(run_job(tmp_path / "out", missing), 2, "no such file", missing)


def test_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    assert_one_error_line(run_job(tmp_path / "out", str(folder)), 2, "no log files in folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_input(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.touch(mode=0o000)
    assert_one_error_line(run_job(tmp_path / "out", str(log)), 2, "cannot read", str(log))


def test_truncated_gzip_input(tmp_path: Path) -> None:
    log = tmp_path / "access.log.gz"
    log.write_bytes(SAMPLE.read_bytes()[:50_000])
    assert_one_error_line(run_job(tmp_path / "out", str(log)), 2, "broken gzip file", str(log))


@pytest.mark.parametrize(
    ("database", "part"),
    [("missing.mmdb", "no such file"), (SAMPLE, "not a MaxMind DB"), (COUNTRY_DATABASE, "City")],
)
def test_unusable_database(tmp_path: Path, database: str | Path, part: str) -> None:
    result = run_job(tmp_path / "out", "--set", f"weblog.geoip:database.path={database}")
    assert_one_error_line(result, 2, "weblog.geoip: database.path", part)


def test_foreign_files_are_not_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    assert_one_error_line(run_job(tmp_path), 2, "holds what was not made by a run (precious.txt)")
    assert precious.read_text() == "mine"


@pytest.mark.minicluster
@pytest.mark.slow
def test_a_database_that_proves_corrupt_fails_the_job(tmp_path: Path) -> None:
    # This database opens; its records cannot be decoded. Nulls would hide that.
    log = tmp_path / "access.log"
    log.write_text(log_line("17/May/2015:12:00:00 +0000", host="2001:220::1"))
    setting = f"weblog.geoip:database.path={BROKEN_DATABASE}"
    result = run_job(tmp_path / "out", *only(), "--set", setting, str(log))
    assert_one_error_line(result, 1, "the job failed", "GeoIP database", "corrupt")


@pytest.mark.minicluster
@pytest.mark.slow
def test_several_inputs_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    # Named so that neither the names' order nor the arguments' order is right: read in
    # another order than that of time, whole files would be late.
    later = "".join(log_line(f"18/May/2015:12:00:{n:02} +0000") for n in range(9))
    middle = "".join(log_line(f"17/May/2015:12:00:{n:02} +0000") for n in range(9))
    first = "".join(log_line(f"16/May/2015:12:00:{n:02} +0000") for n in range(9))
    (tmp_path / "a.log").write_text(later)
    (tmp_path / "b.log.1").write_bytes(gzip.compress(middle.encode()))
    # Without a last line end, and not the whole story of its file's name.
    (tmp_path / "c.log").write_text(first.rstrip("\n"))
    inputs = [str(tmp_path / name) for name in ("b.log.1", "a.log", "c.log")]
    database = f"weblog.geoip:database.path={TEST_DATABASE}"
    result = run_job(tmp_path / "out", *only(), "--set", database, *inputs)
    assert result.status == 0, result.errors
    assert (result.summary["lines_in"], result.summary["enriched"]) == (27, 27)
    assert result.summary["late"] == 0
    days = [row["event_time"][:10] for row in result.rows("enriched")]
    assert days == ["2015-05-16"] * 9 + ["2015-05-17"] * 9 + ["2015-05-18"] * 9
