"""A user's mistakes: one clear line, a status that is not 0, and no results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.core import DATA, SAMPLE
from tools.cli import run_command

BROKEN_DATABASE = DATA / "GeoIP2-City-Test-Broken-Double-Format.mmdb"
COUNTRY_DATABASE = DATA / "GeoIP2-Country-Test.mmdb"

type Refused = Callable[..., None]


def assert_one_error_line(errors: str, output: Path, *parts: str) -> None:
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line
    assert not (output / "summary.json").exists()
    assert not (output / "enriched").exists()


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Returns a function that runs the command, whose error must have these parts."""

    def run(*arguments: str, parts: tuple[str, ...], output: Path = tmp_path / "out") -> None:
        assert run_command("run", ["--out", str(output), *arguments]) == 2
        assert_one_error_line(capsys.readouterr().err, output, *parts)

    return run


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
        ("weblog.outputs:erors_per_page=off", ("outputs: erors_per_page: expected a known",)),
        ("weblog.outputs:erors_per_page=files", ("outputs: erors_per_page: expected a known",)),
        ("weblog.outputs:sessions=none", ("weblog.outputs: sessions = 'none'", "off or the name")),
        ("weblog.sink.files:pth=out", ("weblog.sink.files: pth", "did you mean 'path'")),
        ("weblog.reference:file=no.csv", ("weblog.reference: file = 'no.csv'", "No such file")),
        ("weblog.alerts.rules:mine=x > 1 %", ("weblog.alerts.rules: mine = 'x > 1 %'", "a metric")),
        ("nonsense", ("--set", "'nonsense'", "GROUP:KEY=VALUE")),
    ],
)
def test_bad_settings(refused: Refused, assignment: str, parts: tuple[str, ...]) -> None:
    refused("--set", assignment, parts=parts)


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
        (
            '[{"PropertyGroupId": "weblog.job", "PropertyMap": {"name": "a", "name": "a"}}]',
            "weblog.job: name: expected each key once",
        ),
        (
            '[{"PropertyGroupId": "a", "PropertyGroupId": "b", "PropertyMap": {}}]',
            "application properties: PropertyGroupId: expected each key once",
        ),
    ],
)
def test_bad_properties_files(refused: Refused, tmp_path: Path, content: str, part: str) -> None:
    config = tmp_path / "properties.json"
    config.write_text(content)
    refused("--config", str(config), parts=(part,))


def test_missing_input(refused: Refused, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.log")
    refused(missing, parts=("no such file", missing))


def test_empty_folder(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    refused(str(folder), parts=("no log files in folder",))


def test_truncated_gzip_input(refused: Refused, tmp_path: Path) -> None:
    log = tmp_path / "access.log.gz"
    log.write_bytes(SAMPLE.read_bytes()[:50_000])
    refused(str(log), parts=("broken compressed file", str(log)))


@pytest.mark.parametrize(
    ("database", "part"),
    [
        ("missing.mmdb", "no such file"),
        (SAMPLE, "not a MaxMind DB"),
        (COUNTRY_DATABASE, "City"),
        # The file opens, but its records can't be decoded, which nulls would hide.
        (BROKEN_DATABASE, "corrupt"),
    ],
)
def test_unusable_database(refused: Refused, database: str | Path, part: str) -> None:
    setting = f"weblog.geoip:database.path={database}"
    refused("--set", setting, parts=("weblog.geoip: database.path", part))


def test_foreign_files_are_not_replaced(refused: Refused, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    refused(output=tmp_path, parts=("holds what was not made by a run (precious.txt)",))
    assert precious.read_text() == "mine"
