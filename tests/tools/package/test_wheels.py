"""Third-party packages: chosen from the lock, checked for the platform."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from tools.package import wheels
from tools.shell import CommandError
from udfs.config.root import ROOT

SHIPPED = wheels.CORE | wheels.JOB
LOCK = ROOT / "conf" / "requirements" / "package.lock"


def elf(machine: int = 0x3E, bits: int = 2) -> bytes:
    header = b"\x7fELF" + bytes([bits, 1]) + b"\x01" + b"\0" * 9
    return header + struct.pack("<HH", 3, machine) + b"\0" * 40


def write(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_lock_is_read_with_its_hashes() -> None:
    requirements = wheels.locked_requirements(LOCK)

    assert requirements["orjson"].startswith("orjson==")
    assert " --hash=sha256:" in requirements["orjson"]


def test_everything_in_the_lock_is_accounted_for() -> None:
    requirements = wheels.shipped_requirements(LOCK, SHIPPED)

    assert [one.split("==")[0] for one in requirements] == sorted(SHIPPED)
    left_out = [name for names in wheels.LEFT_OUT.values() for name in names]
    assert len(left_out) == len(set(left_out))
    assert not SHIPPED & set(left_out)
    assert wheels.locked_requirements(LOCK).keys() == SHIPPED | set(left_out)


def test_a_new_package_in_the_lock_is_asked_about(tmp_path: Path) -> None:
    lock = write(tmp_path / "x.lock", LOCK.read_bytes() + b"newcomer==1.0 --hash=sha256:0\n")

    with pytest.raises(CommandError, match="holds newcomer: say in"):
        wheels.shipped_requirements(lock, SHIPPED)


def test_a_package_without_hash_is_refused(tmp_path: Path) -> None:
    lock = write(tmp_path / "x.lock", "orjson==3.13.0\n")

    with pytest.raises(CommandError, match="orjson has no hash"):
        wheels.shipped_requirements(lock, SHIPPED)


def test_a_lock_that_lacks_one_is_refused(tmp_path: Path) -> None:
    lock = write(tmp_path / "x.lock", "orjson==3.13.0 --hash=sha256:0\n")

    with pytest.raises(CommandError, match="lacks boto3, botocore, dnspython, geoip2"):
        wheels.shipped_requirements(lock, SHIPPED)
    with pytest.raises(CommandError, match="cannot read"):
        wheels.shipped_requirements(tmp_path / "absent.lock")


def test_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    text = LOCK.read_text(encoding="utf-8")
    start = text.index("geoip2==")
    end = text.index("\nidna==")
    forged = text[:start] + "geoip2==5.3.0 --hash=sha256:" + "0" * 64 + text[end:]
    lock = write(tmp_path / "x.lock", forged)

    with pytest.raises(CommandError, match=r"cannot be installed: .*geoip2"):
        wheels.install(lock, tmp_path / "target", wheels.find_uv(ROOT), shipped=SHIPPED)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.cpython-312-x86_64-linux-gnu.so", elf()),
        ("a.abi3.so", elf()),
        ("lib.so", elf()),
    ],
)
def test_libraries_of_the_platform_are_taken(tmp_path: Path, name: str, content: bytes) -> None:
    write(tmp_path / "package" / name, content)

    wheels.check_extensions(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.abi3.so", elf(machine=0xB7), "is not for Linux x86-64"),
        ("a.abi3.so", elf(bits=1), "is not for Linux x86-64"),
        ("a.abi3.so", b"\xcf\xfa\xed\xfe" + b"\0" * 40, "is not for Linux x86-64"),
        ("a.abi3.so", b"", "is not for Linux x86-64"),
        ("a.cp312-win_amd64.pyd", b"MZ", "is not for Linux x86-64"),
        ("a.cpython-313-x86_64-linux-gnu.so", elf(), "is not for Python 3.12"),
        ("a.cpython-312-aarch64-linux-gnu.so", elf(), "is not for Python 3.12"),
        ("libx.so.1", elf(machine=0xB7), "is not for Linux x86-64"),
    ],
)
def test_libraries_of_other_platforms_are_refused(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    write(tmp_path / "package" / name, content)

    with pytest.raises(CommandError, match=problem):
        wheels.check_extensions(tmp_path)


@pytest.mark.parametrize(
    ("tag", "right"),
    [
        ("py3-none-any", True),
        ("cp312-cp312-manylinux_2_17_x86_64", True),
        ("cp312-cp312-manylinux2014_x86_64", True),
        ("cp310-abi3-manylinux_2_5_x86_64", True),
        ("cp313-abi3-manylinux_2_17_x86_64", False),
        ("cp311-cp311-manylinux_2_17_x86_64", False),
        ("cp312-cp312-manylinux_2_34_x86_64", False),
        ("cp312-cp312-manylinux_2_17_aarch64", False),
        ("cp312-cp312-musllinux_1_2_x86_64", False),
        ("cp312-cp312-macosx_11_0_arm64", False),
        ("py2-none-any", False),
    ],
)
def test_tags_of_wheels(tag: str, right: bool) -> None:
    assert wheels._is_right_tag(tag) is right


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
