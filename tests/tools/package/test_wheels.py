"""Third-party packages: uv's refusals, and the files that stay of a package."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from tools.package import wheels
from tools.shell import CommandError


def write(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def wheel(folder: Path, tag: str) -> str:
    """Writes the wheel of a package for a platform, and returns its hash as a lock has it."""
    path = folder / f"thing-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = "thing-1.0.dist-info"
        archive.writestr("thing/__init__.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes a folder, the only source of uv's wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.mark.parametrize(
    "tag",
    [
        "py3-none-any",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux2014_x86_64",
        "cp310-abi3-manylinux_2_5_x86_64",
    ],
)
def test_wheels_of_the_platform_are_taken(tag: str, index: Path, tmp_path: Path) -> None:
    lock = write(tmp_path / "x.lock", f"thing==1.0 {wheel(index, tag)}\n")

    assert wheels.install(lock, tmp_path / "target") == {"thing": "1.0"}
    assert (tmp_path / "target" / "thing" / "__init__.py").exists()


def test_wheels_of_other_platforms_are_refused(index: Path, tmp_path: Path) -> None:
    tags = (
        "cp313-abi3-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux_2_34_x86_64",
        "cp312-cp312-manylinux_2_17_aarch64",
        "cp312-cp312-musllinux_1_2_x86_64",
        "cp312-cp312-macosx_11_0_arm64",
        "cp312-cp312-win_amd64",
        "py2-none-any",
    )
    hashes = " ".join(wheel(index, tag) for tag in tags)
    lock = write(tmp_path / "x.lock", f"thing==1.0 {hashes}\n")

    with pytest.raises(CommandError, match=r"cannot be installed: .*thing==1\.0 has no wheels"):
        wheels.install(lock, tmp_path / "target")


@pytest.mark.parametrize(
    ("digest", "message"),
    [("", "must have a hash"), ("--hash=sha256:" + "0" * 64, "Hash mismatch")],
)
def test_hashes_are_required_and_checked(
    digest: str, message: str, index: Path, tmp_path: Path
) -> None:
    wheel(index, "py3-none-any")
    lock = write(tmp_path / "x.lock", f"thing==1.0 {digest}\n")

    with pytest.raises(CommandError, match=f"cannot be installed: .*{message}"):
        wheels.install(lock, tmp_path / "target")


def test_reducing_keeps_code_licences_and_metadata(tmp_path: Path) -> None:
    kept = {
        "a/__init__.py",
        "a/data.json",
        "a/ext.abi3.so",
        "a-1.dist-info/METADATA",
        "a-1.dist-info/licenses/LICENSE.txt",
        "single.py",
    }
    dropped = {
        "a/__pycache__/x.cpython-312.pyc",
        "a/ext.pyi",
        "a/py.typed",
        "a/tests/test_x.py",
        "a/tests.py",
        "a-1.dist-info/RECORD",
        "a-1.dist-info/WHEEL",
        "bin/tool",
        ".lock",
    }
    for name in kept | dropped:
        write(tmp_path / name)

    wheels.reduce(tmp_path)

    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == kept
    assert not (tmp_path / "bin").exists()
    assert not (tmp_path / "a" / "tests").exists()


def test_the_installer_is_that_of_the_build_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(CommandError, match="uv is missing"):
        wheels.find_uv(tmp_path)

    on_path = write(tmp_path / "bin" / "uv")
    on_path.chmod(0o755)
    assert wheels.find_uv(tmp_path) == on_path

    own = write(tmp_path / ".tools" / "uv" / "bin" / "uv")
    shutil.copymode(on_path, own)
    assert wheels.find_uv(tmp_path) == own
