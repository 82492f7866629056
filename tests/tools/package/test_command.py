"""The command's refusals, which leave no zip."""

from __future__ import annotations

import json
import zipfile
from functools import partial
from pathlib import Path

import pytest

from tests.support.core import DEMO_DATABASE
from tests.support.geoip_files import write_asn, write_pair
from tests.support.jars import EVENT_STREAM, FIREHOSE, KINESIS, SDK, write_jar
from tools.cli import run_command
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from tools.package import command as package
from tools.package import connectors, wheels
from tools.package.command import JobPackageOptions, build, verify
from tools.package.contents import name_and_version
from tools.package.layout import JAR, Manifest, read_manifest
from tools.shell import EXIT_FAILED, CommandError
from udfs.config.root import ROOT

main = partial(run_command, "package")

COMPLETE = "weblog-stream-processor-*.zip"


def fake_maven(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "mvn").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    return line


def test_with_a_finished_jar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jar = write_jar(tmp_path / "connectors.jar")

    assert main(["--out", str(tmp_path / "dist"), "--jar", str(jar)]) == 0

    (archive,) = (tmp_path / "dist").iterdir()
    assert archive.match(COMPLETE)
    assert package.WITHOUT_CONNECTORS not in archive.name
    with zipfile.ZipFile(archive) as opened:
        assert opened.read(JAR) == jar.read_bytes()
    assert read_manifest(archive).run_options()["jarfile"] == JAR
    printed = capsys.readouterr().out
    assert str(archive) in printed
    assert "WITHOUT a GeoIP database" in printed


def test_unresolved_connectors_leave_no_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_maven(
        tmp_path / "bin",
        "printf '\\033[0m[ERROR] Failed to execute goal on project pyflink-dependencies: Could not "
        "resolve dependencies for project weblog:pyflink-dependencies:jar:1: The following "
        "artifacts could not be resolved: org.example:one:jar:6.0.0-2.0, "
        "org.example:two:jar:6.0.0-2.0: Could not find artifact org.example:one:jar:6.0.0-2.0 "
        "in central -> [Help 1]\\n[ERROR] Re-run Maven with -X\\n'; exit 1",
        monkeypatch,
    )
    dist = tmp_path / "dist"
    dist.mkdir()
    # An earlier run left a zip of the same version.
    (dist / f"{'-'.join(name_and_version())}.zip").write_bytes(b"old")

    assert main(["--out", str(dist)]) == EXIT_FAILED

    line = one_error(capsys)
    assert "Maven finds no org.example:one:jar:6.0.0-2.0, org.example:two:jar:6.0.0-2.0." in line
    assert "--jar" in line
    assert list(dist.iterdir()) == []


def test_other_failures_of_maven_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_maven(tmp_path / "bin", "echo '[ERROR] No space left'; exit 1", monkeypatch)

    with pytest.raises(CommandError, match="cannot be made: No space left"):
        connectors.build_jar(tmp_path / "pom.xml", tmp_path / "out.jar")


def test_without_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match=r"no Maven \(mvn\) found"):
        connectors.build_jar(tmp_path / "pom.xml", tmp_path / "out.jar")


def test_a_jar_that_maven_left_incomplete_does_not_replace_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_jar(tmp_path / "made.jar", factories=(KINESIS,))
    fake_maven(
        tmp_path / "bin",
        f'for a in "$@"; do case $a in -Djar.file=*) cp {made} "${{a#-Djar.file=}}";; esac; done',
        monkeypatch,
    )
    target = tmp_path / "lib" / "connectors.jar"
    target.parent.mkdir()
    target.write_bytes(b"former")

    with pytest.raises(CommandError, match=FIREHOSE):
        connectors.build_jar(tmp_path / "pom.xml", target)
    assert target.read_bytes() == b"former"
    assert list(target.parent.iterdir()) == [target]

    write_jar(made)
    connectors.build_jar(tmp_path / "pom.xml", target)
    assert target.read_bytes() == made.read_bytes()


@pytest.mark.parametrize(
    ("factories", "others", "missing"),
    [
        ((FIREHOSE,), (SDK, EVENT_STREAM), KINESIS),
        ((KINESIS,), (SDK, EVENT_STREAM), FIREHOSE),
        ((KINESIS, FIREHOSE), (SDK,), "enhanced fan-out"),
        ((KINESIS, FIREHOSE), (EVENT_STREAM,), "AWS SDK"),
    ],
)
def test_a_jar_that_lacks_a_part_is_refused(
    tmp_path: Path, factories: tuple[str, ...], others: tuple[str, ...], missing: str
) -> None:
    jar = write_jar(tmp_path / "x.jar", factories=factories, others=others)

    with pytest.raises(CommandError, match=missing):
        build(JobPackageOptions(out=tmp_path / "dist", jar=jar))
    assert list((tmp_path / "dist").iterdir()) == []


def test_a_file_that_is_no_jar_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "x.jar"
    with pytest.raises(CommandError, match="cannot read"):
        connectors.check_jar(jar)
    jar.write_bytes(b"nonsense")
    with pytest.raises(CommandError, match="is not a jar file"):
        connectors.check_jar(jar)


def test_a_database_of_the_wrong_kind_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    country = ROOT / "tests" / "data" / "GeoIP2-Country-Test.mmdb"
    arguments = ["--out", str(tmp_path), "--without-connectors", "--geoip", str(country)]

    assert main(arguments) == EXIT_FAILED

    assert "not a City database" in one_error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_networks_comes_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asn = write_asn(tmp_path / "asn.mmdb", {"203.0.113.0/24": 64500})
    out, city = tmp_path / "dist", str(DEMO_DATABASE)
    arguments = ["--out", str(out), "--without-connectors", "--geoip", city]

    assert main([*arguments, "--asn", str(asn)]) == 0

    assert "set weblog.geoip: asn.database.path = data/asn.mmdb\n" in capsys.readouterr().out
    (archive,) = out.iterdir()
    manifest = read_manifest(archive)
    assert (manifest.geoip, manifest.asn) == (f"data/{DEMO_DATABASE.name}", "data/asn.mmdb")
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("app/data/asn.mmdb") == asn.read_bytes()


def test_two_databases_have_two_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asn = write_asn(tmp_path / DEMO_DATABASE.name, {"203.0.113.0/24": 64500})
    given = ["--out", str(tmp_path / "dist"), "--without-connectors", "--geoip", str(DEMO_DATABASE)]
    assert main([*given, "--asn", str(asn)]) == EXIT_FAILED
    assert "--geoip, --asn: two files of one name" in one_error(capsys)
    assert main([*given, "--asn", str(DEMO_DATABASE)]) == EXIT_FAILED
    assert "not an ASN database" in one_error(capsys)


def test_a_zip_of_before_there_were_databases_of_networks_is_read() -> None:
    document = json.loads(Manifest("x", "1", connectors=True, geoip="data/city.mmdb").to_json())
    del document["asn"]
    assert Manifest.from_json(json.dumps(document)).geoip == "data/city.mmdb"


def test_both_files_of_a_flat_database_come_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = write_pair(tmp_path)
    out = tmp_path / "dist"
    arguments = ["--out", str(out), "--without-connectors", "--geoip", str(pair / IPV4_FILE)]

    assert main(arguments) == 0

    assert f"weblog.geoip: database.path = data/{IPV4_FILE}\n" in capsys.readouterr().out
    (archive,) = out.iterdir()
    with zipfile.ZipFile(archive) as opened:
        for name in (IPV4_FILE, IPV6_FILE):
            assert opened.read(f"app/data/{name}") == (pair / name).read_bytes()


def test_reference_data_comes_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = tmp_path / "pages.csv"
    pages.write_text("webpage,owner\nindex,shop\n")
    arguments = ["--out", str(tmp_path / "dist"), "--without-connectors", "--reference", str(pages)]

    assert main(arguments) == 0

    assert "set weblog.reference: file = data/pages.csv" in capsys.readouterr().out
    (archive,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("app/data/pages.csv") == pages.read_bytes()

    pages.unlink()
    assert main(arguments) == EXIT_FAILED
    assert "--reference: " in one_error(capsys)
    assert list((tmp_path / "dist").iterdir()) == []


@pytest.mark.parametrize(
    ("command", "arguments"), [("package", ["--without-connectors"]), ("package-lambda", [])]
)
def test_a_folder_that_cannot_be_written_is_one_clear_line(
    command: str,
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_the_way = tmp_path / "dist"
    in_the_way.touch()
    assert run_command(command, ["--out", str(in_the_way), *arguments]) == EXIT_FAILED
    printed = capsys.readouterr().err
    assert (printed.count("\n"), printed.startswith("error: ")) == (1, True)
    assert str(in_the_way) in printed


def test_failing_installer_leaves_no_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "uv"
    broken.write_text("#!/bin/sh\nprintf '  x no such\\n  wheel\\n' >&2; exit 2\n")
    broken.chmod(0o755)
    monkeypatch.setattr(wheels, "find_uv", lambda project: broken)
    dist = tmp_path / "dist"

    assert main(["--out", str(dist), "--without-connectors"]) == EXIT_FAILED

    assert "cannot be installed: x no such wheel" in one_error(capsys)
    assert list(dist.iterdir()) == []


def test_a_zip_that_came_out_wrong_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", "{}")
    manifest = Manifest("x", "1", connectors=True)

    with pytest.raises(CommandError, match=r"without app/flink_app/main\.py, .*, lib/pyflink-dep"):
        verify(path, manifest)


def test_a_zip_that_is_too_large_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAXIMUM_ZIP_BYTES", 1000)
    path = tmp_path / "x.zip"
    path.write_bytes(b"x" * 1001)

    with pytest.raises(CommandError, match="the service takes"):
        verify(path, Manifest("x", "1", connectors=False))


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_other_files_are_not_taken_for_a_package(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", '{"name": 1}')
    else:
        path.write_bytes(content)

    with pytest.raises(CommandError, match="was not made by"):
        read_manifest(path)
    with pytest.raises(CommandError, match="cannot read"):
        read_manifest(tmp_path / "absent.zip")


@pytest.mark.kinesis
def test_the_real_connector_jar(tmp_path: Path) -> None:
    jar = ROOT / JAR
    if not jar.exists():
        pytest.skip("no lib/pyflink-dependencies.jar: its connectors do not resolve here")

    archive = build(JobPackageOptions(out=tmp_path, jar=jar))

    with zipfile.ZipFile(jar) as opened:
        names = opened.namelist()
    # The jar has one AWS SDK under its own name, and no class that Flink provides.
    assert not [name for name in names if "/shaded/software/amazon/" in name]
    flink = {name.split("/")[3] for name in names if name.startswith("org/apache/flink/")}
    assert flink - {""} == {"connector"}
    assert not [name for name in names if name.startswith("org/slf4j/")]
    assert read_manifest(archive).connectors
