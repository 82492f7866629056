from __future__ import annotations

import gzip
import tarfile
import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.core import DATA
from tests.support.geoip_files import PARIS, SEOUL, write_city, write_pair
from tools.cli import run_command
from tools.geoip import sources as geoip_sources
from tools.geoip.command import KNOWN
from tools.geoip.sources import (
    IPV4_FILE,
    IPV6_FILE,
    VENDOR_FILE,
    DownloadError,
    download_from_npm,
    download_from_vendor,
)

TODAY = date(2026, 1, 2)
LYON = {"city": {"names": {"en": "Lyon"}}, "country": {"names": {"en": "France"}}}

geoip = partial(run_command, "geoip")


class Vendor(ThreadingHTTPServer):
    """A stand-in for the vendor's host, with the files of some months, or one for any month."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), VendorHandler)
        self.files: dict[str, bytes] = {}
        self.any_month: bytes | None = None
        self.status = 404


class VendorHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Vendor)
        content = self.server.files.get(self.path.strip("/"), self.server.any_month)
        self.send_response(self.server.status if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Vendor() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/{{month:%Y-%m}}"
        monkeypatch.setattr(geoip_sources, "_VENDOR_URL", url)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def city_bytes(tmp_path: Path) -> bytes:
    return write_city(tmp_path / "vendor.mmdb", dict.fromkeys(KNOWN, LYON)).read_bytes()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a stand-in for the npm client first on PATH; the test writes its code."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    write_program(program, "echo 'no network' >&2; exit 1")
    return program


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def npm_archive(folder: Path) -> Path:
    """Makes an archive with the layout of the npm package."""
    folder.mkdir()
    write_pair(folder, {KNOWN[0]: PARIS, KNOWN[1]: PARIS}, {"2001::/16": SEOUL})
    archive = folder / "package.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for name in (IPV4_FILE, IPV6_FILE):
            package.add(folder / name, f"package/{name}")
    return archive


def test_the_vendors_file_of_this_month_comes_first(vendor: Vendor, tmp_path: Path) -> None:
    vendor.files = {"2026-01": gzip.compress(b"january"), "2025-12": gzip.compress(b"december")}
    download_from_vendor(tmp_path, TODAY)
    assert (tmp_path / VENDOR_FILE).read_bytes() == b"january"


def test_early_in_a_month_the_last_one_serves(vendor: Vendor, tmp_path: Path) -> None:
    vendor.files = {"2025-12": gzip.compress(b"december")}
    download_from_vendor(tmp_path, TODAY)
    assert (tmp_path / VENDOR_FILE).read_bytes() == b"december"


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_vendor_without_the_file_is_an_error(vendor: Vendor, tmp_path: Path, status: int) -> None:
    vendor.status = status
    with pytest.raises(DownloadError):
        download_from_vendor(tmp_path, TODAY)


@pytest.mark.parametrize("content", [b"<html>", gzip.compress(b"x" * 10_000, mtime=0)[:20]])
def test_a_broken_download_is_an_error(vendor: Vendor, tmp_path: Path, content: bytes) -> None:
    vendor.files = {"2026-01": content}
    with pytest.raises(DownloadError):
        download_from_vendor(tmp_path, TODAY)


def test_npm_brings_both_databases(npm: Path, tmp_path: Path) -> None:
    archive = npm_archive(tmp_path / "registry")
    write_program(npm, f"[ $1 = pack ] && cp {archive} .")
    folder = tmp_path / "work"
    folder.mkdir()
    download_from_npm(folder)
    for name in (IPV4_FILE, IPV6_FILE):
        assert (folder / name).read_bytes() == (tmp_path / "registry" / name).read_bytes()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo 'no network' >&2; exit 1", "no network"),
        ("exit 3", "exit status 3"),
        ("true", "missing.tgz"),
        ("echo junk > a.tgz", "a.tgz"),
        ("touch x; tar czf a.tgz x", IPV4_FILE),
    ],
)
def test_npm_failing_is_an_error_with_its_last_word(
    npm: Path, tmp_path: Path, script: str, message: str
) -> None:
    write_program(npm, script)
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(DownloadError, match=message):
        download_from_npm(folder)


def test_without_npm_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadError, match="npm, which is not installed"):
        download_from_npm(tmp_path)


def test_the_command_puts_the_vendors_database_in_place(
    vendor: Vendor, city_bytes: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.any_month = gzip.compress(city_bytes)
    folder = tmp_path / "new" / "folder"
    assert geoip(["--dir", str(folder)]) == 0
    output = folder / VENDOR_FILE
    assert output.read_bytes() == city_bytes
    assert list(folder.iterdir()) == [output]
    text = capsys.readouterr().out
    for part in (str(output), "weblog.geoip", "database.path", "https://db-ip.com", "CC BY 4.0"):
        assert part in text
    assert text.count("Lyon, France") == len(KNOWN)
    assert "beside it" not in text


def test_the_command_falls_back_to_npm(
    vendor: Vendor, npm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(npm, f"cp {npm_archive(tmp_path / 'registry')} .")
    folder = tmp_path / "geoip"
    assert geoip(["--dir", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {IPV4_FILE, IPV6_FILE}
    text = capsys.readouterr().out
    for part in (str(folder / IPV4_FILE), f"({IPV6_FILE} beside it", "Paris, France", "CC BY 4.0"):
        assert part in text
    for name in (IPV4_FILE, IPV6_FILE):
        assert (folder / name).read_bytes() == (tmp_path / "registry" / name).read_bytes()


@pytest.mark.usefixtures("npm")
def test_without_any_source_the_old_database_stays(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.status = 503
    (tmp_path / VENDOR_FILE).write_bytes(b"old")
    assert geoip(["--dir", str(tmp_path)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "503" in last
    assert "no network" in last
    assert (tmp_path / VENDOR_FILE).read_bytes() == b"old"
    assert not list(tmp_path.glob(".fetch-*"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("GeoIP2-Country-Test.mmdb", "not a City database"),
        ("GeoIP2-City-Test-Invalid-Node-Count.mmdb", "corrupt"),
        ("GeoIP2-City-Test-Broken-Double-Format.mmdb", "corrupt"),
        ("GeoIP2-City-Test.mmdb", "does not know 1.1.1.1"),
    ],
)
def test_what_is_no_full_city_database_is_refused(
    vendor: Vendor, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, problem: str
) -> None:
    vendor.any_month = gzip.compress((DATA / name).read_bytes())
    assert geoip(["--dir", str(tmp_path)]) == 1
    assert problem in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [IPV4_FILE, IPV6_FILE])
def test_a_bad_half_leaves_the_old_pair(
    vendor: Vendor, npm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    registry = tmp_path / "registry"
    npm_archive(registry)
    (registry / name).write_bytes(b"no database")
    script = f"mkdir package; cp {registry}/*.mmdb package; tar czf a.tgz package"
    write_program(npm, script)
    folder = tmp_path / "geoip"
    folder.mkdir()
    write_pair(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert geoip(["--dir", str(folder)]) == 1
    assert "not a MaxMind DB file" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert geoip(["--dir", str(tmp_path / "file" / "geoip")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
