"""Work on the project itself: `./build.sh setup`, `test`, `check`, `fix` and `lock`.

build.sh starts it with the packages for development; for `lock` with the standard library only.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from tools.install import LOCKS, ROOT, find_uv, installing, note, run
from tools.local.class_archive import SHORT_JOB, archive_options, make_archive

# Files side by side. Jobs wait for one another at times, so two cores do it in two thirds of the
# time. In the order of their names the long ones are not the last.
_ALL_TESTS = "--numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder"


def setup(_: list[str]) -> int:
    """Says what is used."""
    java = Path(os.environ["JAVA_HOME"])
    answer = subprocess.run([java / "bin" / "java", "-version"], capture_output=True, check=True)
    (version, *_) = re.findall(rb'version "([^"]*)"', answer.stderr)
    print(f"Python {platform.python_version()} ({ROOT / '.venv'})")
    print(f"Java {version.decode()} ({java})")
    return 0


def test(arguments: list[str]) -> NoReturn:
    """Runs pytest; without arguments a check, and everything."""
    if not arguments:
        with subprocess.Popen([sys.executable, "-m", "tools.develop", "check"]) as checking:
            if not make_archive():
                note("no archive of Java's classes could be made; the tests take longer")
        if checking.returncode:
            sys.exit(checking.returncode)
        arguments = _ALL_TESTS.split()
    os.environ.setdefault("JAVA_TOOL_OPTIONS", " ".join((*SHORT_JOB, *archive_options())))
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606


def check(_: list[str]) -> int:
    """Checks lint, formatting and types."""
    return _module("ruff", "check") or _module("ruff", "format", "--check") or _module("mypy")


def fix(_: list[str]) -> int:
    """Repairs what ruff can repair, and formats."""
    return _module("ruff", "check", "--fix") or _module("ruff", "format")


def _module(*command: str) -> int:
    return subprocess.run([sys.executable, "-m", *command], check=False).returncode


def lock(options: list[str]) -> int:
    """Remakes the locks."""
    # 'run' decides the versions; the others may add packages, not change them.
    run_lock = ("--constraints", str(LOCKS / "run.lock"))
    inputs = {"run": ("pyproject.toml",), "dev": ("pyproject.toml", "--group", "dev", *run_lock)}
    # What a zip holds is what its group names, no more.
    zips = ("package", "lambda")
    inputs |= {name: ("--group", name, "--no-deps", *run_lock) for name in zips}
    inputs |= {name: ("--group", name) for name in ("build", "java", "bootstrap")}
    with installing() as staging:
        uv = find_uv(staging)
        for name, of in inputs.items():
            target, made = LOCKS / f"{name}.lock", staging / name
            # uv starts from what is there: without --upgrade only what pyproject.toml changed
            # changes. No index address: a lock is the same wherever it is made.
            made.write_bytes(target.read_bytes() if target.exists() else b"")
            command = ["pip", "compile", "--quiet", "--python-version", "3.12", "--no-header"]
            command += ["--generate-hashes", "--no-annotate", "--no-emit-index-url"]
            command += [f"--output-file={made}", *of, *options]
            run([uv, *command], f"{target} could not be remade (see above).")
            header = '# Made from pyproject.toml by "./build.sh lock". Edit that, not this.\n'
            target.write_text(header + made.read_text("utf-8"), "utf-8")
    return 0


def main() -> int:
    """Runs a command in the project's folder."""
    name, *arguments = sys.argv[1:]
    os.chdir(ROOT)
    commands = {"setup": setup, "test": test, "check": check, "fix": fix, "lock": lock}
    if arguments and name not in {"test", "lock"}:
        note(f"{name} takes no arguments")
        return 2
    try:
        return commands[name](arguments)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
