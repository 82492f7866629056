"""The unpacked zip, run as in the service: without the project."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support import service
from tests.support.core import DEMO_DATABASE, SAMPLE, sample_lines
from tests.support.packages import contents_of, unpack
from tests.support.rows import rows_in
from tools.package.layout import read_manifest
from udfs.config.file import PropertyGroups, dump_properties
from udfs.config.root import ROOT

# A few outputs suffice, as planning all takes long; another test finds all in the zip.
OUTPUTS = ("enriched", "dead_letters", "traffic_per_country")
THIRD_PARTY = ("geoip2", "maxminddb", "orjson", "ua_parser", "ua_parser_rs", "user_agents")

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]


@pytest.fixture
def code(archive: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    unpack(archive, folder)
    return folder


def stand_in_jar(folder: Path, name: str, content: str) -> Path:
    jar = folder / "pyflink-dependencies.jar"
    with zipfile.ZipFile(jar, "w") as opened:
        opened.writestr(name, content)
    return jar


def properties(tmp_path: Path, **groups: dict[str, str]) -> Path:
    content: PropertyGroups = {
        "weblog.source": {"type": "filesystem", "path": str(SAMPLE)},
        "weblog.sink.files": {"type": "filesystem", "path": str(tmp_path / "out")},
        "weblog.outputs": dict.fromkeys(OUTPUTS, "files"),
        "weblog.geoip": {"database.path": f"data/{DEMO_DATABASE.name}"},
        **{name.replace("_", "."): values for name, values in groups.items()},
    }
    path = tmp_path / "application_properties.json"
    dump_properties(content, path)
    return path


def test_the_sample_as_on_the_service(
    archive: Path, code: Path, interpreter: Path, tmp_path: Path
) -> None:
    before = contents_of(code)
    options = read_manifest(archive).run_options()
    options["jarfile"] = str(stand_in_jar(tmp_path, "META-INF/NOTICE", "nothing of use"))

    ran = service.run(
        interpreter,
        code,
        run_options=options,
        properties=properties(tmp_path),
        work=tmp_path / "work",
    )

    assert ran.status == 0, ran.printed
    lines = sample_lines()
    enriched = rows_in(tmp_path / "out" / "enriched")
    dead = rows_in(tmp_path / "out" / "dead_letters")
    assert len(lines) == 10_000
    assert len(dead) == 1
    assert len(enriched) + len(dead) == len(lines)
    # The workers found the database beside their code.
    located = sum(row["city"] is not None for row in enriched)
    assert located > 0.99 * len(enriched)
    counted = rows_in(tmp_path / "out" / "traffic_per_country")
    assert {row["country"] for row in counted} >= {"United States", "France"}

    assert_everything_came_from_the_zip(ran, code, tmp_path / "work")
    assert contents_of(code) == before


def assert_everything_came_from_the_zip(ran: service.Run, code: Path, work: Path) -> None:
    # Flink gives the workers a copy of the folder below its temporary folder.
    allowed = (code / "app", work / "tmp")
    for name in (*THIRD_PARTY, "udfs", "flink_app"):
        found = ran.origins[name]
        assert found, name
        assert all(any(path.is_relative_to(place) for place in allowed) for path in found), found
        if name != "flink_app":
            assert any(path.is_relative_to(work / "tmp") for path in found), f"{name}: no worker"
    project = [
        path
        for paths in ran.origins.values()
        for path in paths
        if path.is_relative_to(ROOT) and not {".venv", ".tools"} & {*path.parts}
    ]
    assert project == []


def test_the_interpreter_lacks_what_the_zip_brings(interpreter: Path) -> None:
    for name in set(THIRD_PARTY) - {"orjson"}:
        tried = subprocess.run(
            [str(interpreter), "-c", f"import {name}"],
            cwd="/",
            env={},
            capture_output=True,
            check=False,
        )
        assert b"ModuleNotFoundError" in tried.stderr, name


def test_the_job_gets_the_jar(archive: Path, code: Path, interpreter: Path, tmp_path: Path) -> None:
    """The job looks for connectors in the jar, and finds one that is declared but missing."""
    factories = "META-INF/services/org.apache.flink.table.factories.Factory"
    options = read_manifest(archive).run_options()
    options["jarfile"] = str(stand_in_jar(tmp_path, factories, "org.example.Missing"))

    ran = service.run(
        interpreter,
        code,
        run_options=options,
        properties=properties(tmp_path),
        work=tmp_path / "work",
    )

    assert ran.status != 0
    assert "org.example.Missing" in ran.printed


def test_bad_settings_are_one_line_in_the_log(
    archive: Path, code: Path, interpreter: Path, tmp_path: Path
) -> None:
    file = properties(tmp_path, weblog_windows={"size": "soon"})

    ran = service.run(
        interpreter,
        code,
        run_options=read_manifest(archive).run_options(),
        properties=file,
        work=tmp_path / "work",
    )

    assert ran.status != 0
    assert "error: weblog.windows: size = 'soon': expected a duration" in ran.printed
    assert not (tmp_path / "out").exists()
