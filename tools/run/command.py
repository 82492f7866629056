"""`./build.sh run`: the main job on log files, in a mini-cluster on this machine.

Usage: ./build.sh run [OPTIONS] [PATH...]

Runs the job on the files and folders named, plain or compressed; `-` is standard input.
Without PATH it takes the access log that comes with the project. The results replace those
of the run before in the output folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from aws.objects import S3Objects
from aws.salt import resolve_salt
from flink_app.connector import SINK_GROUP_PREFIX, SOURCE_GROUP
from flink_app.settings import OUTPUTS_GROUP, JobSettings
from flink_app.sinks import load_sinks
from tools.local import cluster, ports, results, staging
from tools.local.class_archive import (
    SHORT_JOB,
    SHORT_JOB_SETTINGS,
    archive_options,
    make_in_background,
)
from tools.local.console import Console
from tools.local.job import JobError, RunningJob
from tools.local.journal import RunJournal
from tools.local.summary import summarise
from tools.run.report import write_report
from tools.shell import EXIT_FAILED, EXIT_INTERRUPTED, print_error
from udfs.config.file import (
    DEFAULT_FILE,
    PropertyGroups,
    dump_properties,
    load_properties,
)
from udfs.config.input import ParserSettings
from udfs.config.root import ROOT
from udfs.enrich.reference import ReferenceFile
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError
from udfs.parse.detect import CANDIDATES

SAMPLE_LOG = ROOT / "examples" / "access_log.gz"

# Outputs that the accounts of a run are made from; a local run always writes them.
_ACCOUNTED_OUTPUTS = ("enriched", "filtered", "dead_letters", "late")
_LOCAL_SINK = "local"
PARSER_GROUP = ParserSettings.group
AUTO = "auto"
_POLL_SECONDS = 0.25
# From its second restart on Flink's file source reads lines again (docs/limits.md).
_RESTARTS = 1
_LINES_OF_A_SHORT_JOB = 200_000


def run(options: argparse.Namespace) -> int:
    """Runs the job on files, or between Kinesis streams.

    Returns:
        0; 1 when the job failed, 130 after Ctrl-C between streams.

    Raises:
        WebLogError: The input or a setting is wrong.
    """
    _check_options(options)
    run_job = _run_on_streams if options.kinesis else _run_on_files
    with _dashboard(options.out) if options.open else nullcontext():
        try:
            return run_job(options, Console(sys.stdout))
        except JobError as error:
            # Here, not later: the page stays and shows how far the job came.
            print_error(error)
            return EXIT_FAILED


def _dashboard(output: Path) -> AbstractContextManager[None]:
    # aiohttp takes half a second.
    from tools.dashboard.beside import dashboard_beside  # noqa: PLC0415

    return dashboard_beside(output)


def _run_on_files(options: argparse.Namespace, screen: Console) -> int:
    """Stages the input, runs the job, checks its accounts and publishes the results."""
    properties = _local_properties(options)
    # Everything that can be wrong with the settings is found here, before Flink starts.
    settings = JobSettings.load(properties)
    geoip, asn = _announce_databases(settings, screen)
    output: Path = options.out
    with ExitStack() as stack:
        reservation = stack.enter_context(results.reserved(output))
        work = reservation.work
        journal = stack.enter_context(RunJournal(work, geoip, asn))
        staged = staging.stage(options.path or [str(SAMPLE_LOG)], work / "input")
        screen.input(staged)
        if options.format == AUTO and not _names_a_format(properties):
            detection = staging.detected_format(staged)
            if detection.format is not None:
                screen.format(detection)
                properties.setdefault(PARSER_GROUP, {})["format"] = detection.format
        # What is on by default depends on the format.
        names = list(JobSettings.load(properties).outputs)
        screen.starting()
        journal.input(staged, names)
        properties_file = _write_properties(properties, staged, work)
        events = staging.count_events(staged)
        started = time.monotonic()
        job_cluster = _cluster(options, reservation, staged.lines)
        _run_job(job_cluster, properties_file, staged.lines, screen, journal)
        seconds = time.monotonic() - started
        journal.finishing(seconds)
        summary = summarise(work / "results", names, events, seconds)
        if not summary.balanced:
            raise JobError(
                f"{summary.lines_in} lines in, but {summary.accounted_for} accounted for; "
                f"the outputs are left in {work}"
            )
        journal.finished()
        with results.writing(output):
            accounts = work / "results" / results.SUMMARY_FILE
            accounts.write_text(summary.to_json(), encoding="utf-8")
            report = write_report(work / "results", journal, summary, output)
            results.publish(output, work, names, (report, journal.path))
    screen.summary(summary, output)
    make_in_background()
    return 0


def _write_properties(properties: PropertyGroups, staged: staging.StagedInput, work: Path) -> Path:
    """Writes the property file of a job from the staged input to the run's folder."""
    properties[SOURCE_GROUP] = {"type": "filesystem", "path": str(staged.path.resolve())}
    properties[SINK_GROUP_PREFIX + _LOCAL_SINK]["path"] = str((work / "results").resolve())
    properties_file = work / "application_properties.json"
    dump_properties(properties, properties_file)
    return properties_file.resolve()


def _run_on_streams(options: argparse.Namespace, screen: Console) -> int:
    from tools.run.kinesis import command as kinesis  # noqa: PLC0415 - boto3 takes half a second
    from tools.run.kinesis.view import StreamView  # noqa: PLC0415

    properties = _local_properties(options)
    _announce_databases(JobSettings.load(properties), screen)
    try:
        kinesis.run(options, properties, options.path or [str(SAMPLE_LOG)], StreamView(sys.stdout))
    except KeyboardInterrupt:
        print_error("interrupted")
        return EXIT_INTERRUPTED
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("path", nargs="*", metavar="PATH", help="log file or folder; - is stdin")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("out"), help="output folder; default out"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=DEFAULT_FILE,
        help="property groups (default: conf/application_properties.json)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="GROUP:KEY=VALUE",
        help="one setting, such as weblog.windows:size='30 s'; may be repeated",
    )
    parser.add_argument(
        "--format",
        choices=(AUTO, *CANDIDATES),
        default=AUTO,
        help="log format; auto: by the first lines, where no setting names one (default: auto)",
    )
    parser.add_argument("--open", action="store_true", help="show the run in the browser, live")
    parser.add_argument(
        "--parallelism", metavar="N", type=int, help="subtasks (default: 1, or one a shard)"
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        metavar="N",
        help="show Flink's metrics to Prometheus at this port (default: not at all)",
    )
    streams = parser.add_argument_group(
        "between Kinesis streams",
        "With --kinesis the log goes through Kinesis streams of an emulator on this machine.",
    )
    streams.add_argument("--kinesis", action="store_true", help="run between Kinesis streams")
    streams.add_argument(
        "--rate", metavar="N", type=float, default=1000, help="lines/s; 0: full (default: 1000)"
    )
    streams.add_argument(
        "--shards", metavar="N", type=int, default=1, help="shards a new stream has (default: 1)"
    )
    streams.add_argument("--follow", action="store_true", help="go on after the log, until Ctrl-C")
    streams.add_argument("--endpoint", metavar="URL", help="Kinesis of another emulator or of AWS")
    streams.add_argument(
        "--jar", metavar="FILE", type=Path, help="connector jar (default: lib/ as package makes it)"
    )


def _local_properties(options: argparse.Namespace) -> PropertyGroups:
    """Returns the properties in force: source and sinks are this command's own."""
    properties = apply_assignments(load_properties(options.config), options.set)
    if options.format != AUTO:
        properties.setdefault(PARSER_GROUP, {})["format"] = options.format
    properties[SOURCE_GROUP] = {"type": "filesystem", "path": str(SAMPLE_LOG)}
    # The sinks given are not written to, but a mistake in them or in their names is one.
    load_sinks(properties)
    outputs = {
        name: _LOCAL_SINK if SINK_GROUP_PREFIX + sink in properties else sink
        for name, sink in properties.get(OUTPUTS_GROUP, {}).items()
    }
    default = properties.get(OUTPUTS_GROUP, {}).get("default", "")
    folders = properties.get(SINK_GROUP_PREFIX + default, {}).get("partition.by", "none")
    properties = {n: g for n, g in properties.items() if not n.startswith(SINK_GROUP_PREFIX)}
    # One file per output, unless folders by event time are asked for: a local run is short.
    local = {"type": "filesystem", "path": "out", "partition.by": folders}
    properties[SINK_GROUP_PREFIX + _LOCAL_SINK] = local
    properties[OUTPUTS_GROUP] = {
        **outputs,
        "default": _LOCAL_SINK,
        **dict.fromkeys(_ACCOUNTED_OUTPUTS, _LOCAL_SINK),
    }
    return properties


def apply_assignments(properties: PropertyGroups, assignments: Sequence[str]) -> PropertyGroups:
    """Adds settings given as `GROUP:KEY=VALUE`.

    Raises:
        ConfigurationError: One is not of that form.
    """
    changed = {group: dict(values) for group, values in properties.items()}
    for assignment in assignments:
        target, equals, value = assignment.partition("=")
        group, colon, key = target.partition(":")
        if not equals or not colon:
            raise ConfigurationError("--set", None, assignment, "GROUP:KEY=VALUE")
        changed.setdefault(group, {})[key] = value
    return changed


def _names_a_format(properties: PropertyGroups) -> bool:
    return not properties.get(PARSER_GROUP, {}).keys().isdisjoint({"format", "pattern"})


def _check_options(options: argparse.Namespace) -> None:
    if options.open and options.kinesis:
        raise ConfigurationError("--open", None, None, "a run on files, without --kinesis")
    for name, lowest in (("parallelism", 1), ("shards", 1), ("rate", 0)):
        value = getattr(options, name)
        if value is not None and not value >= lowest:
            raise ConfigurationError(f"--{name}", None, str(value), f"at least {lowest}")
    port = options.metrics_port
    if port is not None and not ports.is_free(port):
        # Flink would only note in its log that it could not have the port.
        raise ConfigurationError("--metrics-port", None, str(port), "a free port from 1 to 65535")


def _announce_databases(settings: JobSettings, screen: Console) -> tuple[str | None, str | None]:
    # Opened here too, so that bad files and a missing salt are reported before anything starts.
    core = settings.core
    enricher = Enricher.create(core, salt=resolve_salt(core), store=S3Objects())
    geo, asn = enricher.geo, enricher.asn
    screen.database(geo, settings.core.geoip.database_max_age_days, asn)
    ReferenceFile.open(settings.lookups.reference)
    for database in (geo, asn):
        if database is not None:
            database.close()
    return geo.database_type if geo else None, asn.database_type if asn else None


def _cluster(
    options: argparse.Namespace, reservation: results.Reservation, lines: int
) -> cluster.ClusterOptions:
    is_short = lines <= _LINES_OF_A_SHORT_JOB
    return cluster.ClusterOptions(
        work_directory=reservation.work.resolve(),
        parallelism=options.parallelism or 1,
        metrics_port=options.metrics_port,
        restart_attempts=_RESTARTS,
        java_options=((*SHORT_JOB, *archive_options()) if is_short else archive_options()),
        extra=SHORT_JOB_SETTINGS if is_short else {},
        held=(reservation.lock,),
    )


def _run_job(
    cluster_options: cluster.ClusterOptions,
    properties_file: Path,
    lines: int,
    screen: Console,
    journal: RunJournal,
) -> None:
    journal.starting()
    with RunningJob(cluster_options, properties_file) as job:
        try:
            while job.running:
                progress = job.progress()
                screen.progress(progress, lines)
                journal.observe(progress, job.rest_address)
                job.wait(_POLL_SECONDS)
        finally:
            screen.end_of_progress()
    job.check()
