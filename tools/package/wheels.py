"""Third-party Python packages for the platform of the managed service, or of Lambda.

The lock is the list of them. uv takes each with its hash and as a wheel, for Linux and Python
3.12 whatever machine this is; here they are reduced to what is needed to run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.shell import CommandError
from udfs.config.root import ROOT

PYTHON_VERSION = "3.12"

BOTO_SERVICES = frozenset(
    {
        "dynamodb",
        "firehose",
        "kinesis",
        "s3",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "sts",  # boto3's own, for the credentials of some roles
    }
)
"""Services that job and function call. botocore describes four hundred, in 16 MB of the zip."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Linux on one kind of processor.

    Attributes:
        machine: The processor as wheels name it.
        words: The platform for people.
    """

    machine: str
    words: str

    @property
    def name(self) -> str:
        """Returns the platform as uv names it.

        glibc 2.17 is the oldest C library that all wheels of the locks are offered for, hence
        the widest choice of machines.
        """
        return f"{self.machine}-manylinux_2_17"


X86_64 = Platform("x86_64", "Linux x86-64")
ARM64 = Platform("aarch64", "Linux arm64")
PLATFORM = X86_64.name


def install(lock: Path, target: Path, platform: Platform = X86_64) -> dict[str, str]:
    """Installs the packages of a lock below an empty folder, reduced to what is needed.

    Args:
        lock: A lock file with hashes.
        target: Where to put them; made if missing.
        platform: Where they are to run.

    Returns:
        The version of each package by name.

    Raises:
        CommandError: One has no hash, another hash, or no wheel for the platform.
    """
    finished = subprocess.run(
        [
            str(find_uv(ROOT)), "pip", "install", "--quiet",
            "--python", sys.executable,
            "--python-version", PYTHON_VERSION,
            "--python-platform", platform.name,
            "--target", str(target),
            "--only-binary", ":all:",
            "--no-deps",
            "--require-hashes",
            "--no-compile-bytecode",
            "--link-mode", "copy",
            "--requirements", str(lock),
        ],
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    if finished.returncode != 0:
        # Without uv's tree of lines and arrows.
        words = " ".join(re.sub(r"[×│├╰─▶╭╮·]+", " ", finished.stderr).split())
        message = words[:400] or "uv said nothing"
        raise CommandError(f"the Python packages cannot be installed: {message}")
    reduce(target)
    locked = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text("utf-8"), re.MULTILINE)
    return dict(locked)


def find_uv(project: Path) -> Path:
    """Returns the installer that build.sh uses: its own below `.tools`, or the one on PATH.

    Raises:
        CommandError: There is none.
    """
    own = project / ".tools" / "uv" / "bin" / "uv"
    if os.access(own, os.X_OK):
        return own
    path = shutil.which("uv")
    if path is None:
        raise CommandError("the installer uv is missing: remove .venv and start ./build.sh again")
    return Path(path)


def reduce(target: Path) -> None:
    """Removes what running needs nothing of: tests, scripts, stubs and installers' notes.

    Of a `.dist-info` folder the licences stay, and METADATA: packages ask for their own
    version when they are imported.
    """
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif not _is_needed(path.relative_to(target)):
            path.unlink()


def _is_needed(relative: Path) -> bool:
    top, *_ = relative.parts
    if top in {"bin", ".lock", "REVISION"} or "__pycache__" in relative.parts:
        return False
    if top.endswith(".dist-info"):
        name = relative.name.upper()
        return name == "METADATA" or name.startswith(("LICEN", "COPYING", "NOTICE", "AUTHORS"))
    match relative.parts:
        case "botocore", "data", service, _, *_:
            return service in BOTO_SERVICES
        case "boto3", "data" | "examples", *_:
            # What `boto3.resource` makes classes of; a client needs none.
            return False
    if relative.suffix in {".pyc", ".pyi"} or relative.name == "py.typed":
        return False
    return not any(part in {"tests", "test", "tests.py", "conftest.py"} for part in relative.parts)
