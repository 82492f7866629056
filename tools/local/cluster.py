"""Starts the job in an embedded Flink mini-cluster, the way Managed Flink starts it.

`flink run` with target `local` starts one JVM that runs `flink_app/main.py` against a
mini-cluster inside itself. What the service would put into the cluster's configuration
(parallelism, checkpoints, restarts) goes there here too, so the job's code is the same.
The JVM is started directly: Flink's shell script does no more than build this command,
and takes a second for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyflink

from tools.local.ports import loopback_address
from tools.shell import CommandError
from udfs.config.file import FILE_VARIABLE
from udfs.config.root import ROOT

MAIN = ROOT / "flink_app" / "main.py"
_WITH_PARENT = Path(__file__).with_name("with_parent.py")
# Jars that the PyFlink package lacks; Flink's web pages are one, and a matter of choice.
JARS = ROOT / ".tools" / "jars"
PLANNER = Path(sys.prefix) / "flink-table-planner.jar"
"""Flink's planner by itself, where it has been taken out of the jar that Flink ships it in."""
_PLANNER_LOADER = "flink-table-planner-loader-"

# Flink on Java 17 reflects into these packages (the list of Flink's own config.yaml,
# shortened to what a SQL job with Python functions needs).
_OPENED_PACKAGES = (
    "java.lang",
    "java.lang.reflect",
    "java.net",
    "java.io",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
    "sun.nio.ch",
)


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What Managed Flink would decide for the application, for a local run.

    Attributes:
        work_directory: Holds checkpoints, logs and temporary files of this run.
        parallelism: Subtasks of each operator.
        checkpoint_interval_ms: Milliseconds between checkpoints.
        restart_attempts: How often a failed job is restarted from its last checkpoint.
        metrics_port: A port, or a range such as `9250-9260` of which Flink takes a free one,
            where Prometheus finds the job's metrics. It is open on all addresses of the
            machine: Flink's reporter knows no other way. None: no such port.
        python_path: Folders where the job's Python code is found.
        jar: The connectors that are not part of Flink, in one jar.
        java_options: More options of the JVM.
        environment: More environment variables of the JVM and the Python processes.
        extra: More Flink settings; they win over the ones made here.
        held: Descriptors, of locks, that the JVM holds open as long as it lives.
        rest_address: The address on which Flink's REST interface listens.
    """

    work_directory: Path
    parallelism: int = 1
    checkpoint_interval_ms: int = 10_000
    restart_attempts: int = 0
    metrics_port: int | str | None = None
    python_path: tuple[Path, ...] = (ROOT,)
    jar: Path | None = None
    java_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    held: tuple[int, ...] = ()
    rest_address: str = field(default_factory=loopback_address)

    @property
    def temporary(self) -> Path:
        """Returns where the JVM and the Python processes put temporary files."""
        return self.work_directory / "tmp"

    @property
    def log_file(self) -> Path:
        """Returns where the JVM and the Python workers log."""
        return self.work_directory / "logs" / "job.log"


def cluster_configuration(options: ClusterOptions) -> dict[str, str]:
    """Returns the Flink settings that belong to the cluster, not to the job's code."""
    configuration = {
        "parallelism.default": str(options.parallelism),
        # One slot is what the wheel's own config.yaml says: more subtasks would wait for ever.
        "taskmanager.numberOfTaskSlots": str(options.parallelism),
        # Only by its name, which PATH leads to: PyFlink's script that starts a worker takes a
        # path apart at its spaces.
        "python.executable": Path(sys.executable).name,
        "python.client.executable": Path(sys.executable).name,
        "execution.checkpointing.interval": f"{options.checkpoint_interval_ms} ms",
        "execution.checkpointing.dir": (options.work_directory / "checkpoints").as_uri(),
        "rest.address": options.rest_address,
        "rest.bind-address": options.rest_address,
        # What every page of the web might read otherwise: this is nobody's origin.
        "web.access-control-allow-origin": "none",
        "rest.port": "0",
        "rest.bind-port": "0",
        # Progress is read from the REST interface; ten seconds (default) is too coarse.
        "metrics.fetcher.update-interval": "500",
        "web.submit.enable": "false",
        "restart-strategy.type": "none",
    }
    if options.restart_attempts:
        configuration |= {
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": str(options.restart_attempts),
            "restart-strategy.fixed-delay.delay": "1 s",
        }
    if options.metrics_port is not None:
        reporter = "metrics.reporter.prometheus"
        configuration |= {
            f"{reporter}.factory.class": (
                "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
            ),
            f"{reporter}.port": str(options.metrics_port),
        }
    return configuration | dict(options.extra)


def command(options: ClusterOptions, main: Path = MAIN) -> list[str]:
    """Returns the command line that runs the job.

    Raises:
        CommandError: There is no Java executable.
    """
    jars = flink_jars()
    jars += sorted(JARS.glob("flink-runtime-web-*.jar"))
    if options.metrics_port is not None:
        # A mini-cluster looks for reporters on its class path, not among the plugins.
        jars += sorted((flink_home() / "plugins" / "metrics-prometheus").glob("*.jar"))
    settings = [f"-D{key}={value}" for key, value in cluster_configuration(options).items()]
    return [
        *jvm(options, jars),
        "org.apache.flink.client.cli.CliFrontend",
        "run",
        "--target",
        "local",
        *settings,
        # As the service hands it over: the planner then finds the connectors too, which
        # it does not in `pipeline.jars`.
        *(("--jarfile", str(options.jar)) if options.jar else ()),
        "--python",
        str(main),
    ]


def flink_home() -> Path:
    """Returns the folder of the Flink that PyFlink brings."""
    return Path(pyflink.__file__).resolve().parent


def flink_jars() -> list[Path]:
    """Returns Flink itself and its Python part.

    With the planner in place of its loader, as Flink's documentation allows: the loader unpacks
    the planner at each start, and its classes come from no archive.
    """
    home = flink_home()
    python = sorted((home / "opt").glob("flink-python-*.jar"))
    if not PLANNER.exists():
        return [home / "lib" / "*", *python]
    lib = sorted((home / "lib").glob("*.jar"))
    return [PLANNER, *(jar for jar in lib if not jar.name.startswith(_PLANNER_LOADER)), *python]


def unpack_planner() -> None:
    """Takes the planner out of its loader, for the starts to come."""
    (loader,) = (flink_home() / "lib").glob(f"{_PLANNER_LOADER}*.jar")
    with tempfile.TemporaryDirectory(dir=PLANNER.parent) as folder, zipfile.ZipFile(loader) as jar:
        # Renamed: a start meanwhile sees all of it or nothing.
        Path(jar.extract(PLANNER.name, folder)).replace(PLANNER)


def jvm(options: ClusterOptions, jars: Sequence[Path]) -> list[str]:
    """Returns the start of a command line: Java with what Flink needs, up to the main class.

    Raises:
        CommandError: There is no Java executable.
    """
    log4j = Path(__file__).with_name("log4j2.properties")
    return [
        *_ending_with_this_process(),
        _java(),
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED_PACKAGES),
        f"-Djava.io.tmpdir={options.temporary}",
        f"-Dlog.file={options.log_file}",
        f"-Dlog4j2.configurationFile={log4j.as_uri()}",
        *options.java_options,
        "-cp",
        os.pathsep.join(map(str, jars)),
    ]


def environment(options: ClusterOptions, properties_file: Path) -> dict[str, str]:
    """Returns the environment of the JVM and, through it, of the Python processes."""
    home = flink_home()
    site_packages = home.parent
    path = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    return os.environ | {
        FILE_VARIABLE: str(properties_file),
        "PATH": os.pathsep.join(path),
        "TMPDIR": str(options.temporary),
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(home / "conf"),
        "FLINK_LIB_DIR": str(home / "lib"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        # PyFlink would otherwise run the functions inside the process of main.py. Own
        # worker processes are what a real cluster has, and they end without the noise
        # of a gRPC server that is stopped at interpreter shutdown.
        "_python_worker_execution_mode": "process",
        # site-packages: thread mode embeds an interpreter that does not know of the
        # virtual environment.
        "PYTHONPATH": os.pathsep.join(map(str, (*options.python_path, site_packages))),
        **options.environment,
    }


def make_folders(options: ClusterOptions) -> None:
    """Makes the folders that the JVM expects in the work directory."""
    for folder in (options.log_file.parent, options.temporary):
        folder.mkdir(parents=True, exist_ok=True)


def start(
    options: ClusterOptions, properties_file: Path, main: Path = MAIN
) -> subprocess.Popen[bytes]:
    """Starts the job; what it prints goes to `logs/job.out` in the work directory."""
    make_folders(options)
    # Flink appends to its log, where the ports of an earlier run would come first.
    options.log_file.unlink(missing_ok=True)
    with options.log_file.with_name("job.out").open("wb") as printed:
        return subprocess.Popen(
            command(options, main),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment(options, properties_file),
            cwd=options.work_directory,
            pass_fds=options.held,
            # Ctrl-C reaches only the runner, which stops the job in an orderly way.
            start_new_session=True,
        )


def _ending_with_this_process() -> list[str]:
    # Elsewhere a JVM outlives a runner that is killed, and holds the lock of its output folder.
    if sys.platform != "linux":
        return []
    return [sys.executable, "-IS", str(_WITH_PARENT), str(os.getpid())]


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        raise CommandError("no Java found: install Java 17 or set JAVA_HOME")
    return java
