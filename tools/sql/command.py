"""`./build.sh sql`: Flink's own SQL client over the access log and a run's results.

Usage: ./build.sh sql [OPTIONS] [-f FILE]

Registers the job's Python functions, the view `access_log` over the raw lines, and each
output of the last run as a table of its name. Without -f it opens a prompt.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from pyflink.version import __version__ as flink_version

from flink_app.connector import SOURCE_GROUP
from flink_app.outputs import table_parameters
from flink_app.settings import JobSettings
from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sql_files import SQL_DIRECTORY, options, output_files, statements
from flink_app.topology import query_parameters
from tools.local import cluster
from tools.local.class_archive import archive_options
from tools.local.temporary import temporary_folder
from tools.local.text import shown
from tools.run.command import SAMPLE_LOG, apply_assignments
from tools.shell import CommandError
from udfs.config.file import DEFAULT_FILE, dump_properties, load_properties

# The client in the PyFlink package needs this jar, which the package lacks.
_GATEWAY = f"org.apache.flink:flink-sql-gateway:{flink_version}"
_GATEWAY_SHA256 = "aad296a152dc367ddd70727f5a57dd61958cff3d8dceb1f947bf8d9705c8d724"
# In the client's log, whichever statement failed for whatever reason.
_FAILED = ".CliClient Could not execute SQL statement."
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def run(chosen: argparse.Namespace) -> int:
    """Runs the client and returns its exit status.

    Raises:
        CommandError: A file is missing, or a statement of the script failed.
    """
    with temporary_folder("sql") as directory:
        return _run_client(chosen, directory)


def session_statements(settings: JobSettings, results: Path) -> list[str]:
    """Everything that a session starts with.

    Args:
        settings: Settings of the job; the source is read as declared there.
        results: The output folder of a run; its outputs become tables where they exist.
    """
    # Bounded input: final results, ORDER BY, and no watermark to wait for.
    prepared = ["SET 'execution.runtime-mode' = 'batch'", "SET 'table.local-time-zone' = 'UTC'"]
    parameters = query_parameters(settings)
    source = {"source": options(settings.source.options())}
    for file, values in (
        ("client/functions.sql", {}),
        ("source.sql", source),
        ("outcomes.sql", parameters),
        ("client/access_log.sql", {}),
    ):
        prepared += statements(SQL_DIRECTORY / file, values)
    sink = FilesystemSink(path=str(results.resolve()))
    for output in output_files():
        if not (results / output.name).is_dir():
            continue
        values = parameters | table_parameters(output, sink)
        declaration, *_ = statements(output.path, values)
        prepared.append(declaration)
    return prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("-f", "--file", type=Path, help="SQL script to run instead of a prompt")
    parser.add_argument("--log", default=str(SAMPLE_LOG), help="access log file or folder")
    parser.add_argument("--out", type=Path, default=Path("out"), help="results of a run")
    parser.add_argument("--config", type=Path, default=DEFAULT_FILE, help="property groups")
    parser.add_argument(
        "--set", action="append", default=[], metavar="GROUP:KEY=VALUE", help="one setting"
    )


def _run_client(chosen: argparse.Namespace, directory: Path) -> int:
    if chosen.file is not None and not chosen.file.is_file():
        raise CommandError(f"no such file: {chosen.file}")
    if not Path(chosen.log).exists():
        raise CommandError(f"no such file or folder: {chosen.log}")
    properties = apply_assignments(load_properties(chosen.config), chosen.set)
    properties[SOURCE_GROUP] = {"type": "filesystem", "path": str(Path(chosen.log).resolve())}
    settings = JobSettings.load(properties)
    properties_file = directory / "application_properties.json"
    dump_properties(properties, properties_file)
    prepared = directory / "session.sql"
    prepared.write_text(
        "".join(f"{one};\n" for one in session_statements(settings, chosen.out)), encoding="utf-8"
    )
    cluster_options = cluster.ClusterOptions(
        work_directory=directory,
        # Results are printed as a table, not in a full-screen viewer.
        extra={"sql-client.execution.result-mode": "tableau"},
        java_options=archive_options(),
    )
    cluster.make_folders(cluster_options)
    command = _command(cluster_options, prepared, chosen.file)
    environment = cluster.environment(cluster_options, properties_file)
    status = _status_of(subprocess.Popen(command, env=environment))
    if chosen.file is not None and status == 0:
        _check_script(cluster_options)
    return status


def _status_of(client: subprocess.Popen[bytes]) -> int:
    with client:
        while True:
            try:
                return client.wait()
            except KeyboardInterrupt:
                # The client has heard it too, and cancels a query. Killed, it would leave the
                # terminal without echo.
                continue


def _check_script(cluster_options: cluster.ClusterOptions) -> None:
    """Looks for a failure that the client printed, and told nobody by its exit status.

    Raises:
        CommandError: A statement failed; it is the last that the client took up.
    """
    if _FAILED not in cluster_options.log_file.read_text("utf-8", "replace"):
        return
    entries = _history(cluster_options).read_text("utf-8", "replace").strip().split("\n")
    _, _, statement = entries[-1].partition(":")
    # The history holds line breaks as two characters.
    statement = " ".join(statement.replace("\\n", " ").split())
    raise CommandError(f"the script stopped at a statement that failed: {shown(statement)}")


def _history(cluster_options: cluster.ClusterOptions) -> Path:
    return cluster_options.work_directory / "history"


def _command(
    cluster_options: cluster.ClusterOptions, prepared: Path, script: Path | None
) -> list[str]:
    home = cluster.flink_home()
    jars = [home / "lib" / "*", *sorted((home / "opt").glob("*.jar")), gateway_jar()]
    settings = {
        key: value
        for key, value in cluster.cluster_configuration(cluster_options).items()
        if not key.startswith(("execution.checkpointing", "rest."))
    }
    command = [
        *cluster.jvm(cluster_options, jars),
        # Without a terminal: no warning about it.
        *(() if sys.stdin and sys.stdin.isatty() else ("-Dorg.jline.terminal.dumb=true",)),
        "org.apache.flink.table.client.SqlClient",
        "embedded",
        # No --pyFiles: it would copy the folder for each query; PYTHONPATH names it.
        "-Dexecution.target=local",
        *(f"-D{key}={value}" for key, value in settings.items()),
        "--init",
        str(prepared),
    ]
    if script is None:
        return command
    return [*command, "--history", str(_history(cluster_options)), "--file", str(script)]


def gateway_jar() -> Path:
    """The gateway's jar, fetched once with Maven and checked against its digest.

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
