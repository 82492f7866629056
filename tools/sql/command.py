"""`./build.sh sql`: Flink's own SQL client over the access log and a run's results.

Usage: ./build.sh sql [OPTIONS] [-f FILE]

Registers the job's Python functions, the view `access_log` over the raw lines, and each
output of the last run as a table of its name. Without -f it opens a prompt.

With --stack NAME or --kinesis ARN... the tables are the streams of a deployed job, read from now on
or --from a time. Nothing can be written to them.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyflink.version import __version__ as flink_version

from flink_app.connector import SOURCE_GROUP
from flink_app.settings import JobSettings
from tools.local import cluster
from tools.local.class_archive import archive_options
from tools.local.temporary import temporary_folder
from tools.run.command import SAMPLE_LOG, apply_assignments
from tools.shell import CommandError
from tools.sql import session
from tools.sql.script import Script
from udfs.config.core import GeoIpSettings
from udfs.config.file import DEFAULT_FILE, PropertyGroups, dump_properties, load_properties
from udfs.errors import ConfigurationError

# The client in the PyFlink package needs this jar, which the package lacks.
_GATEWAY = f"org.apache.flink:flink-sql-gateway:{flink_version}"
_GATEWAY_SHA256 = "aad296a152dc367ddd70727f5a57dd61958cff3d8dceb1f947bf8d9705c8d724"
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def run(chosen: argparse.Namespace) -> int:
    """Runs the client and returns its exit status.

    Raises:
        CommandError: A file is missing, or a statement of the script failed.
    """
    with temporary_folder("sql") as directory:
        return _run_client(chosen, directory)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument(
        "-f", "--file", metavar="FILE", type=Path, help="SQL script to run instead of a prompt"
    )
    parser.add_argument(
        "--log", metavar="PATH", default=str(SAMPLE_LOG), help="access log file or folder"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("out"), help="results of a run"
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, default=DEFAULT_FILE, help="property groups"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="GROUP:KEY=VALUE", help="one setting"
    )
    group = parser.add_argument_group("over deployed streams, which are only read")
    streams = group.add_mutually_exclusive_group()
    streams.add_argument("--stack", metavar="NAME", help="streams of a stack that deploy made")
    streams.add_argument(
        "--kinesis", nargs="+", default=[], metavar="[OUTPUT=]ARN", help="these streams"
    )
    group.add_argument("--region", metavar="NAME", help="of the stack (default: the profile's)")
    group.add_argument(
        "--from", dest="start", metavar="TIME", help="records since then (default: new ones)"
    )
    group.add_argument("--endpoint", metavar="URL", help="another endpoint than AWS's")
    group.add_argument(
        "--jar",
        metavar="FILE",
        type=Path,
        help="connector jar (default: lib/ as package makes it)",
    )


def _run_client(chosen: argparse.Namespace, directory: Path) -> int:
    if chosen.file is not None and not chosen.file.is_file():
        raise CommandError(f"no such file: {chosen.file}")
    over_streams = chosen.stack is not None or chosen.kinesis
    over = _over_streams(chosen) if over_streams else _over_files(chosen)
    properties_file = directory / "application_properties.json"
    dump_properties(over.properties, properties_file)
    prepared = directory / "session.sql"
    prepared.write_text("".join(f"{text};\n" for text in over.statements), encoding="utf-8")
    cluster_options = cluster.ClusterOptions(
        work_directory=directory,
        jar=over.jar,
        environment=over.environment,
        # Results are printed as a table, not in a full-screen viewer.
        extra={"sql-client.execution.result-mode": "tableau"},
        java_options=archive_options(),
    )
    cluster.make_folders(cluster_options)
    environment = cluster.environment(cluster_options, properties_file)
    command = _command(cluster_options, prepared)
    if chosen.file is None:
        return _status_of(subprocess.Popen(command, env=environment))
    history = directory / "history"
    command += ["--history", str(history), "--file", str(chosen.file)]
    return Script(cluster_options.log_file, history).run(command, environment)


@dataclass(frozen=True, slots=True)
class _Session:
    """What a session is over.

    Attributes:
        properties: Settings that its functions read.
        statements: What it starts with.
        jar: The connectors that it needs.
        environment: More environment variables of the client.
    """

    properties: PropertyGroups
    statements: Sequence[str]
    jar: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def _over_files(chosen: argparse.Namespace) -> _Session:
    for option in ("region", "start", "endpoint", "jar"):
        if (value := getattr(chosen, option)) is not None:
            name = "--from" if option == "start" else f"--{option}"
            raise ConfigurationError(name, None, str(value), "--stack or --kinesis beside it")
    if not Path(chosen.log).exists():
        raise CommandError(f"no such file or folder: {chosen.log}")
    properties = apply_assignments(load_properties(chosen.config), chosen.set)
    properties[SOURCE_GROUP] = {"type": "filesystem", "path": str(Path(chosen.log).resolve())}
    return _Session(properties, session.over_files(JobSettings.load(properties), chosen.out))


def _over_streams(chosen: argparse.Namespace) -> _Session:
    # boto3 takes a while to load.
    from tools.run.kinesis.command import find_jar  # noqa: PLC0415
    from tools.run.kinesis.emulator import JOB_ENVIRONMENT  # noqa: PLC0415
    from tools.sql import streams  # noqa: PLC0415

    reading = streams.reading_of(chosen)
    named = streams.named_streams(chosen.kinesis)
    jar = find_jar(chosen.jar)
    properties = load_properties(chosen.config)
    if chosen.stack is not None:
        deployed = streams.groups_of_stack(chosen.stack, chosen.region)
        # The database in the job's zip is not here.
        geoip = GeoIpSettings.group
        properties = deployed | {geoip: properties.get(geoip, {})}
    properties = apply_assignments(properties, chosen.set)
    settings = JobSettings.load(properties)
    arns = streams.streams_of_job(settings) if chosen.stack is not None else named
    return _Session(
        properties,
        session.over_streams(settings, arns, reading),
        jar,
        JOB_ENVIRONMENT if reading.endpoint.startswith("http://") else {},
    )


def _status_of(client: subprocess.Popen[bytes]) -> int:
    with client:
        while True:
            try:
                return client.wait()
            except KeyboardInterrupt:
                # The client has heard it too, and cancels a query. Killed, it would leave the
                # terminal without echo.
                continue


def _command(cluster_options: cluster.ClusterOptions, prepared: Path) -> list[str]:
    home = cluster.flink_home()
    jars = [home / "lib" / "*", *sorted((home / "opt").glob("*.jar")), gateway_jar()]
    if cluster_options.jar is not None:
        jars.append(cluster_options.jar)
    settings = {
        key: value
        for key, value in cluster.cluster_configuration(cluster_options).items()
        if not key.startswith(("execution.checkpointing", "rest."))
    }
    return [
        *cluster.jvm(cluster_options, jars),
        # Without a terminal: no warning about it.
        *(() if sys.stdin and sys.stdin.isatty() else ("-Dorg.jline.terminal.dumb=true",)),
        "org.apache.flink.table.client.SqlClient",
        "embedded",
        # No --pyFiles: it would copy the folder for each query; PYTHONPATH names it.
        "-Dexecution.target=local",
        *(f"-D{key}={value}" for key, value in settings.items()),
        # A cluster waits at its end until somebody has asked how the stop of a query went.
        "-Drest.async.store-duration=1s",
        "--init",
        str(prepared),
    ]


def gateway_jar() -> Path:
    """Returns the gateway's jar, fetched once with Maven and checked against its digest.

    Raises:
        CommandError: It is not there and cannot be had, or is not the expected file.
    """
    jar = cluster.JARS / f"flink-sql-gateway-{flink_version}.jar"
    if not jar.exists():
        maven = shutil.which("mvn")
        if maven is None:
            raise CommandError(
                f"the SQL client needs {_GATEWAY}: install Maven (mvn), or put that jar at {jar}"
            )
        where = f"-DoutputDirectory={jar.parent}"
        fetched = subprocess.run(
            [maven, "-q", "-B", _COPY_GOAL, f"-Dartifact={_GATEWAY}", where],
            check=False,
            capture_output=True,
            text=True,
        )
        if fetched.returncode:
            reason = (fetched.stdout.strip().splitlines() or ["no output"])[0]
            raise CommandError(f"Maven could not fetch {_GATEWAY}: {reason}")
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    if digest != _GATEWAY_SHA256:
        raise CommandError(f"{jar} is not {_GATEWAY}: its SHA-256 is {digest}; remove it")
    return jar
