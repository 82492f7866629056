"""build.sh in a folder of its own, with stand-ins for uv and Java, and without downloads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tools.cli import COMMANDS
from udfs.config.root import ROOT

BASH = shutil.which("bash") or "bash"
PINNED_UV = re.search(
    r"^uv==([\d.]+)", (ROOT / "conf/requirements/bootstrap.lock").read_text(), re.MULTILINE
)

FAKE_UV = """#!/bin/bash
echo "$*" >>"{log}"
case "$1 $2" in
"--version ") echo "uv {version}" ;;
"venv "*)
    mkdir -p "${{@: -1}}/bin"
    printf '#!/bin/bash\\nexec "{python}" "$@"\\n' >"${{@: -1}}/bin/python"
    chmod +x "${{@: -1}}/bin/python" ;;
"pip sync") {sync} ;;
esac
"""

FAKE_RUN = """
import os, sys
print("arguments", sys.argv[1:])
print("folder", os.getcwd())
print("input", sys.stdin.read())
print("java", os.environ["JAVA_HOME"])
"""


@dataclass
class Project:
    """A copy of the script and the locks, and the environment of its start."""

    root: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write_uv(self, sync: str = "true") -> None:
        assert PINNED_UV is not None
        script = FAKE_UV.format(
            log=self.log, version=PINNED_UV[1], python=sys.executable, sync=sync
        )
        write_program(self.root.parent / "bin" / "uv", script)

    def write_java(self, version: str, *, release: bool) -> Path:
        home = self.root.parent / "java"
        shutil.rmtree(home, ignore_errors=True)
        write_program(
            home / "bin" / "java", f"#!/bin/bash\necho 'openjdk version \"{version}\"' >&2\n"
        )
        if release:
            (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
        self.environment["JAVA_HOME"] = str(home)
        return home

    def start(
        self,
        *arguments: str,
        script: Path | None = None,
        folder: Path | None = None,
        given: str | int = "",
        by: str = BASH,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [by, str(script or self.root / "build.sh"), *arguments],
            cwd=folder or self.root,
            env=self.environment,
            input=given if isinstance(given, str) else None,
            stdin=None if isinstance(given, str) else given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def uv_calls(self) -> list[str]:
        """Returns uv's calls since the last time, but for those about its version."""
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [call for call in calls if call != "--version"]


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "a project"  # the name has a space on purpose
    (root / "conf").mkdir(parents=True)
    shutil.copy(ROOT / "build.sh", root)
    shutil.copytree(ROOT / "conf" / "requirements", root / "conf" / "requirements")
    for module in ("install", "develop", "local/class_archive"):
        (root / "tools" / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tools" / f"{module}.py", root / "tools" / f"{module}.py")
    shutil.copy(ROOT / "tools" / "help.txt", root / "tools")
    (root / "tools" / "cli.py").write_text(FAKE_RUN)
    made = Project(root, tmp_path / "uv.log")
    made.environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHON": sys.executable,
    }
    made.write_uv()
    made.write_java("17.0.15", release=True)
    return made


def verbs(calls: Sequence[str]) -> list[str]:
    return [" ".join(call.split()[:2]) if call.startswith("pip") else call[:4] for call in calls]


def test_the_first_start_installs_and_the_second_calls_no_installer(project: Project) -> None:
    first = project.start("setup")
    assert first.returncode == 0, first.stderr
    assert "Java 17.0.15" in first.stdout
    calls = project.uv_calls()
    assert verbs(calls) == ["venv", "pip sync"]
    assert "--require-hashes" in calls[1]
    assert calls[1].endswith("dev.lock")
    second = project.start("setup")
    assert second.stdout == first.stdout
    assert second.stderr == ""
    assert not project.log.exists()


def test_an_install_that_did_not_end_is_made_again(project: Project) -> None:
    project.write_uv(sync="echo 'a hash differs' >&2; exit 1")
    broken = project.start("setup")
    assert broken.returncode == 1
    assert "a hash differs" in broken.stderr
    assert broken.stderr.splitlines()[-1].startswith("build.sh: the locked packages")
    project.uv_calls()
    project.write_uv()
    assert project.start("setup").returncode == 0
    assert verbs(project.uv_calls()) == ["venv", "pip sync"]


def test_a_changed_lock_gets_an_environment_beside_the_one_in_use(project: Project) -> None:
    used = []
    for change in range(3):
        with (project.root / "conf/requirements/dev.lock").open("a") as lock:
            lock.write(f"# changed {change}\n")
        assert project.start("setup").returncode == 0
        assert verbs(project.uv_calls()) == ["venv", "pip sync"]
        used.append((project.root / ".venv").resolve())
    # Programs in the previous environment go on.
    assert {*(project.root / ".tools").glob("environment.*")} == {*used[1:]}


def test_a_python_that_does_not_start_is_no_reason_to_install(project: Project) -> None:
    project.start("run")
    project.uv_calls()
    folder = os.open(project.root, os.O_RDONLY)  # Python refuses a folder as input
    result = project.start("run", "-", given=folder)
    os.close(folder)
    assert result.returncode == 1
    assert "is a directory" in result.stderr
    assert project.uv_calls() == []


def test_a_second_start_waits_for_the_first(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go on")
    project.write_uv(sync=f"read -r _ <'{tmp_path}/go on'")
    command = [BASH, project.root / "build.sh", "setup"]
    starting = partial(Popen, command, env=project.environment, stdout=PIPE, stderr=PIPE, text=True)
    with starting() as first, starting() as second:
        assert first.stderr is not None
        assert second.stderr is not None
        lines = {first.stderr.readline(), second.stderr.readline()}
        assert "build.sh: waiting for another start that is installing\n" in lines
        (tmp_path / "go on").write_text("\n")
        assert (first.wait(60), second.wait(60)) == (0, 0)
    assert verbs(project.uv_calls()) == ["venv", "pip sync"]


def test_a_moved_project_gets_a_new_environment(project: Project) -> None:
    project.start("setup")
    project.uv_calls()
    project.root = project.root.rename(project.root.parent / "elsewhere")
    assert project.start("setup").returncode == 0
    assert verbs(project.uv_calls()) == ["venv", "pip sync"]


def test_run_needs_less_than_setup_and_takes_nothing_back(project: Project) -> None:
    assert project.start("run").returncode == 0
    assert project.uv_calls()[-1].endswith("run.lock")
    assert project.start("setup").returncode == 0
    assert project.uv_calls()[-1].endswith("dev.lock")
    assert project.start("run").returncode == 0
    assert project.uv_calls() == []


def test_run_gets_its_arguments_folder_and_input(project: Project, tmp_path: Path) -> None:
    link = tmp_path / "link.sh"
    link.symlink_to("a project/build.sh")
    folder = tmp_path / "logs"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "__init__.py").write_text("raise SystemExit('another package')")
    result = project.start("run", "-", "two words", script=link, folder=folder, given="a line")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "arguments ['run', '-', 'two words']",
        f"folder {folder}",
        "input a line",
        f"java {tmp_path / 'java'}",
    ]


@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize("version", ["1.8.0_292", "11.0.2", "21.0.1", "170.1", ""])
def test_another_java_is_one_line_before_anything_is_installed(
    project: Project, version: str, release: bool
) -> None:
    home = project.write_java(version, release=release)
    result = project.start("run")
    assert result.returncode == 1
    problem = f"Java {version}" if version else "not a working Java"
    assert result.stderr == f"build.sh: JAVA_HOME={home} is {problem}; Java 17 is needed.\n"
    assert not project.log.exists()


@pytest.mark.parametrize("version", ["17", "17.0.9"])
def test_any_java_17_serves(project: Project, version: str) -> None:
    project.write_java(version, release=False)
    assert project.start("run").returncode == 0


def test_another_python_is_one_line(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "python3"
    write_program(other, "#!/bin/bash\nexit 127\n")
    project.environment["PYTHON"] = str(other)
    result = project.start("setup")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"PYTHON={other} is not a working Python 3.12" in result.stderr


def test_a_python_on_path_that_does_not_start_is_passed_over(
    project: Project, tmp_path: Path
) -> None:
    del project.environment["PYTHON"]
    write_program(tmp_path / "bin" / "python3.12", "#!/bin/bash\nexit 127\n")
    later = tmp_path / "later"
    write_program(
        later / "python3.12", f'#!/bin/bash\ntouch "$0.used"\nexec "{sys.executable}" "$@"\n'
    )
    project.environment["PATH"] = f"{tmp_path / 'bin'}:{later}:/usr/bin:/bin"
    assert project.start("setup").returncode == 0
    assert (later / "python3.12.used").exists()


def test_an_unknown_command_leads_to_the_help(project: Project) -> None:
    result = project.start("walk")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == "build.sh: unknown command 'walk'; ./build.sh help shows all\n"


@pytest.mark.parametrize("by", [BASH, "sh"])
@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",), ("-h",)])
def test_help_offers_what_there_is_and_installs_nothing(
    project: Project, arguments: tuple[str, ...], by: str
) -> None:
    result = project.start(*arguments, by=by)
    assert result.returncode == 0
    offered = re.findall(r"^  ([a-z-]+) ", result.stdout, re.MULTILINE)
    assert {*offered} == {"setup", "test", "check", "fix", "lock", "clean", "help", *COMMANDS}
    assert not (project.root / ".tools").exists()


def test_clean_keeps_the_environment_by_default(project: Project) -> None:
    project.start("setup")
    (project.root / "out").mkdir()
    assert (project.root / "tools" / "__pycache__").exists()
    assert project.start("clean").returncode == 0
    assert not (project.root / "out").exists()
    assert not (project.root / "tools" / "__pycache__").exists()
    assert (project.root / ".venv").exists()
    assert project.start("clean", "--every").returncode == 2
    assert (project.root / ".venv").exists()
    assert project.start("clean", "--all").returncode == 0
    assert not (project.root / ".venv").exists()


@pytest.mark.parametrize("lock", sorted((ROOT / "conf" / "requirements").glob("*.lock")))
def test_every_lock_has_exact_versions_with_hashes_and_no_address(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        assert re.fullmatch(
            r"[a-z0-9._-]+==[\w.]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), line
    assert "://" not in lock.read_text()


@pytest.mark.parametrize("name", ["package", "lambda", "dev"])
def test_the_locks_agree_on_versions(name: str) -> None:
    def versions(lock: str) -> dict[str, str]:
        text = (ROOT / "conf" / "requirements" / f"{lock}.lock").read_text()
        return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))

    run, other = versions("run"), versions(name)
    assert {key: other[key] for key in run.keys() & other.keys()} == {
        key: run[key] for key in run.keys() & other.keys()
    }
