"""Runs an unpacked application as the managed service does, as far as a test can.

The service has a Python with Flink's package and its dependencies. It unpacks the zip into a
folder without the right to write, and starts Flink's command with the files in the run options.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
import subprocess
import venv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.packages import link_distributions
from tests.support.waiting import PATIENCE_SECONDS

PROPERTIES_VARIABLE = "WEBLOG_APPLICATION_PROPERTIES"
RECORD_VARIABLE = "TEST_IMPORT_RECORD"

# This code in the interpreter of the "service" notes the place of each module.
_RECORDER = f'''
import importlib.machinery, os, sys

class Recorder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if "." in name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            origin = spec.origin or str(list(spec.submodule_search_locations or ["?"])[0])
            with open(os.environ["{RECORD_VARIABLE}"], "a") as record:
                record.write(name + "\\t" + origin + "\\n")
        return spec

if "{RECORD_VARIABLE}" in os.environ:
    sys.meta_path.insert(2, Recorder)  # after built-in and frozen modules
'''


def distributions_of_flink() -> set[str]:
    """Returns the names of `apache-flink` and all its dependencies, as installed here."""
    found: set[str] = set()
    waiting = ["apache-flink"]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def make_interpreter(directory: Path) -> Path:
    """A virtual environment that holds only Flink and its dependencies; its Python."""
    venv.create(directory, with_pip=False, symlinks=True)
    site_packages = directory / "lib" / "python3.12" / "site-packages"
    link_distributions(distributions_of_flink(), site_packages)
    (site_packages / "sitecustomize.py").write_text(_RECORDER, encoding="utf-8")
    return directory / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run of the application.

    Attributes:
        status: Exit status of Flink's command.
        printed: The output of the command and the job.
        origins: The places of modules by name; several where processes differ.
    """

    status: int
    printed: str
    origins: Mapping[str, frozenset[Path]]


def start(
    interpreter: Path,
    code: Path,
    *,
    run_options: Mapping[str, str],
    properties: Path,
    work: Path,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts an unpacked application with Flink's command, in a process group of its own.

    Args:
        interpreter: Python for the job and for its workers.
        code: The unpacked zip.
        run_options: The service's property group of that name.
        properties: The application's property file.
        work: The only folder that the job may write to; its output goes to `printed` there.
        settings: More settings of the cluster.
        environment: More environment variables.
    """
    work.mkdir(parents=True)
    for name in ("tmp", "home", "log"):
        (work / name).mkdir()
    flink_home = interpreter.parent.parent / "lib" / "python3.12" / "site-packages" / "pyflink"
    with (work / "printed").open("wb") as printed:
        return subprocess.Popen(
            _command(flink_home, interpreter, code, run_options, settings or {}),
            cwd=work,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(work / "home"),
                "TMPDIR": str(work / "tmp"),
                "FLINK_HOME": str(flink_home),
                "FLINK_LOG_DIR": str(work / "log"),
                "JAVA_TOOL_OPTIONS": " ".join(
                    (os.environ.get("JAVA_TOOL_OPTIONS", ""), f"-Djava.io.tmpdir={work / 'tmp'}")
                ),
                # The workers of a real cluster are processes.
                "_python_worker_execution_mode": "process",
                PROPERTIES_VARIABLE: str(properties),
                RECORD_VARIABLE: str(work / "imports.tsv"),
                **({"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the job and every process that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_SECONDS)


def run(
    interpreter: Path, code: Path, *, run_options: Mapping[str, str], properties: Path, work: Path
) -> Run:
    """Starts an unpacked application, with the arguments of `start()`, and waits for its end."""
    process = start(interpreter, code, run_options=run_options, properties=properties, work=work)
    try:
        status = process.wait(PATIENCE_SECONDS)
    finally:
        stop(process)
    printed = (work / "printed").read_text(encoding="utf-8", errors="replace")
    return Run(status, printed, _origins(work / "imports.tsv"))


def _command(
    flink_home: Path,
    interpreter: Path,
    code: Path,
    run_options: Mapping[str, str],
    settings: Mapping[str, str],
) -> Sequence[str]:
    cluster = {
        "python.executable": str(interpreter),
        "python.client.executable": str(interpreter),
        "parallelism.default": "1",
        "rest.bind-port": "0",
        "restart-strategy.type": "none",
        "execution.checkpointing.interval": "10 s",
        **settings,
    }
    command = [str(flink_home / "bin" / "flink"), "run", "--target", "local"]
    command += [f"-D{key}={value}" for key, value in cluster.items()]
    if "jarfile" in run_options:
        command += ["--jarfile", str(code / run_options["jarfile"])]
    command += ["--pyFiles", str(code / run_options["pyFiles"])]
    command += ["--python", str(code / run_options["python"])]
    return command


def _origins(record: Path) -> dict[str, frozenset[Path]]:
    origins: dict[str, set[Path]] = {}
    if record.exists():
        for line in record.read_text(encoding="utf-8").splitlines():
            name, _, origin = line.partition("\t")
            origins.setdefault(name, set()).add(Path(origin))
    return {name: frozenset(found) for name, found in origins.items()}
