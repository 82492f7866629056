"""Third-party Python packages for the platform of the managed service, or of Lambda.

Taken from the lock with its hashes, as wheels for Linux and Python 3.12 whatever machine
this is, and reduced to what is needed to run.
"""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.shell import CommandError

PYTHON_VERSION = "3.12"
# The oldest C library that all wheels of the lock are offered for, hence the widest choice
# of machines: glibc 2.17.
_NEWEST_GLIBC_MINOR = 17


@dataclass(frozen=True, slots=True)
class Platform:
    """Linux on one kind of processor.

    Attributes:
        machine: The processor as wheels name it.
        words: The platform for people.
        elf_machine: The processor in the header of a library.
    """

    machine: str
    words: str
    elf_machine: bytes

    @property
    def name(self) -> str:
        """The platform as uv names it."""
        return f"{self.machine}-manylinux_2_{_NEWEST_GLIBC_MINOR}"


X86_64 = Platform("x86_64", "Linux x86-64", b"\x3e\x00")
ARM64 = Platform("aarch64", "Linux arm64", b"\xb7\x00")
PLATFORM = X86_64.name

# What the core (udfs/) imports. orjson is also a dependency of Flink's Python package and so
# likely there already, but in a version that is not ours to choose; the byte-for-byte form of
# the records hangs on it.
CORE = frozenset(
    {
        "geoip2",
        "maxminddb",
        "orjson",
        "ua-parser",
        "ua-parser-builtins",
        "ua-parser-rs",
        "user-agents",
    }
)

# What the job imports beside: for secrets and for slow look-ups. Of dnspython holds what holds
# of orjson.
JOB = frozenset({"boto3", "botocore", "dnspython", "jmespath", "s3transfer"})

# What the lock holds beside that, and why the job does without it.
LEFT_OUT: Mapping[str, frozenset[str]] = {
    "geoip2.webservice, MaxMind's web API, and nothing else asks for it": frozenset(
        {
            "aiohappyeyeballs",
            "aiohttp",
            "aiosignal",
            "attrs",
            "certifi",
            "charset-normalizer",
            "frozenlist",
            "idna",
            "multidict",
            "propcache",
            "requests",
            "typing-extensions",
            "yarl",
        }
    ),
    "Flink's Python package requires it, and botocore takes any version of it": frozenset(
        {"python-dateutil", "six", "urllib3"}
    ),
}

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)")
_WHEEL_TAG = re.compile(
    r"(?P<python>[a-z0-9.]+)-(?P<abi>[a-z0-9.]+)-(?P<platform>[a-z0-9_.]+)", re.ASCII
)
_MANYLINUX = re.compile(r"manylinux_2_(?P<minor>\d+)_(?P<machine>\w+)", re.ASCII)
_OLD_MANYLINUX = ("manylinux1", "manylinux2010", "manylinux2014")
# ELF, 64 bit, least significant byte first; two bytes at 18 name the processor.
_ELF_64_LITTLE = b"\x7fELF\x02\x01"
_ELF_HEADER_BYTES = 20


def locked_requirements(lock: Path) -> dict[str, str]:
    """The requirements of a lock file, with their hashes, by name.

    Raises:
        CommandError: The file cannot be read, or one of them has no hash.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {lock}: {error.strerror or error}") from error
    joined = text.replace("\\\n", " ")
    requirements = {}
    for line in joined.splitlines():
        if match := _REQUIREMENT.match(line):
            if "--hash=" not in line:
                raise CommandError(f"{lock}: {match['name']} has no hash")
            requirements[match["name"]] = " ".join(line.split())
    return requirements


def shipped_requirements(lock: Path, shipped: frozenset[str] = CORE) -> list[str]:
    """The requirements of the lock that go into the zip.

    Args:
        lock: A lock file with hashes.
        shipped: Names of the packages that are needed.

    Raises:
        CommandError: The lock lacks one, or holds one of which this module says nothing.
    """
    requirements = locked_requirements(lock)
    if missing := sorted(shipped - requirements.keys()):
        raise CommandError(f"{lock} lacks {', '.join(missing)}")
    known = shipped.union(*LEFT_OUT.values())
    if unknown := sorted(requirements.keys() - known):
        raise CommandError(
            f"{lock} holds {', '.join(unknown)}: say in tools/package/wheels.py whether the "
            "job needs it"
        )
    return [requirements[name] for name in sorted(shipped)]


def install(
    lock: Path,
    target: Path,
    uv: Path,
    platform: Platform = X86_64,
    shipped: frozenset[str] = CORE,
) -> dict[str, str]:
    """Installs the shipped packages of a lock below an empty folder, reduced and checked.

    Args:
        lock: A lock file with hashes.
        target: Where to put them; made if missing.
        uv: The installer.
        platform: Where they are to run.
        shipped: Names of the packages that are needed.

    Returns:
        The version of each package by name.

    Raises:
        CommandError: One cannot be had for the platform, or is not what its tag says.
    """
    requirements = shipped_requirements(lock, shipped)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as chosen:
        chosen.write("\n".join(requirements) + "\n")
        chosen.flush()
        finished = subprocess.run(
            [
                str(uv), "pip", "install", "--quiet",
                "--python", sys.executable,
                "--python-version", PYTHON_VERSION,
                "--python-platform", platform.name,
                "--target", str(target),
                "--only-binary", ":all:",
                "--no-deps",
                "--require-hashes",
                "--no-compile-bytecode",
                "--link-mode", "copy",
                "--requirements", chosen.name,
            ],
            check=False,
            capture_output=True,
            text=True,
        )  # fmt: skip
    if finished.returncode != 0:
        raise CommandError(f"the Python packages cannot be installed: {_said(finished.stderr)}")
    versions = dict(map(_name_and_version, requirements))
    _check_tags(target, platform)
    reduce(target)
    check_extensions(target, platform)
    return versions


def find_uv(project: Path) -> Path:
    """The installer that build.sh uses: its own below `.tools`, or the one on PATH.

    Raises:
        CommandError: There is none.
    """
    own = project / ".tools" / "uv" / "bin" / "uv"
    if os.access(own, os.X_OK):
        return own
    found = shutil.which("uv")
    if found is None:
        raise CommandError("the installer uv is missing: remove .venv and start ./build.sh again")
    return Path(found)


def reduce(target: Path) -> None:
    """Removes what running needs nothing of: tests, scripts, stubs and installers' notes.

    Of a `.dist-info` folder the licences stay, and METADATA: packages ask for their own
    version when they are imported.
    """
    for path in sorted(target.rglob("*"), reverse=True):
        relative = path.relative_to(target)
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not _is_needed(relative):
            path.unlink()


def check_extensions(target: Path, platform: Platform = X86_64) -> None:
    """Checks that every shared library is for the platform and Python 3.12.

    Raises:
        CommandError: One is not.
    """
    for path in _shared_libraries(target):
        with path.open("rb") as file:
            header = file.read(_ELF_HEADER_BYTES)
        right = header.startswith(_ELF_64_LITTLE) and header[18:20] == platform.elf_machine
        if not right or path.suffix != ".so":
            raise CommandError(f"{path.relative_to(target)} is not for {platform.words}")
        tag = f".cpython-312-{platform.machine}-linux-gnu"
        if ".cpython-" in path.name and tag not in path.name:
            raise CommandError(f"{path.relative_to(target)} is not for Python {PYTHON_VERSION}")


def _shared_libraries(target: Path) -> Iterator[Path]:
    for path in sorted(target.rglob("*")):
        if path.is_file() and (
            path.suffix in {".so", ".pyd", ".dylib", ".dll"} or ".so." in path.name
        ):
            yield path


def _is_needed(relative: Path) -> bool:
    top, *_ = relative.parts
    if top in {"bin", ".lock", "REVISION"} or "__pycache__" in relative.parts:
        return False
    if top.endswith(".dist-info"):
        name = relative.name.upper()
        return name == "METADATA" or name.startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))
    if relative.suffix in {".pyc", ".pyi"} or relative.name == "py.typed":
        return False
    return not any(part in {"tests", "test", "tests.py", "conftest.py"} for part in relative.parts)


def _check_tags(target: Path, platform: Platform) -> None:
    for wheel in sorted(target.glob("*.dist-info/WHEEL")):
        tags = email.message_from_string(wheel.read_text(encoding="utf-8")).get_all("Tag", [])
        if not any(_is_right_tag(tag, platform) for tag in tags):
            found = ", ".join(tags)
            raise CommandError(f"{wheel.parent.name} is a wheel for {found}, not {platform.name}")


def _is_right_tag(tag: str, platform: Platform = X86_64) -> bool:
    match = _WHEEL_TAG.fullmatch(tag)
    return (
        match is not None
        and (match["abi"] in {"none", "abi3"} or match["python"] == "cp312")
        and match["python"] in {"py3", "cp312"} | {f"cp3{minor}" for minor in range(2, 13)}
        and _is_right_platform(match["platform"], platform.machine)
    )


def _is_right_platform(tag: str, machine: str) -> bool:
    if tag == "any" or tag in {f"{old}_{machine}" for old in _OLD_MANYLINUX}:
        return True
    match = _MANYLINUX.fullmatch(tag)
    return (
        match is not None
        and match["machine"] == machine
        and int(match["minor"]) <= _NEWEST_GLIBC_MINOR
    )


def _name_and_version(requirement: str) -> tuple[str, str]:
    match = _REQUIREMENT.match(requirement)
    if match is None:  # It came out of locked_requirements.
        raise CommandError(f"not a locked requirement: {requirement}")
    return match["name"], match["version"]


def _said(text: str) -> str:
    """What uv said, on one line without its tree of lines and arrows."""
    words = re.sub(r"[×│├╰─▶╭╮·]+", " ", text).split()
    return " ".join(words)[:400] or "uv said nothing"
