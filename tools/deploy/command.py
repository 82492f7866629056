"""`./build.sh deploy`: the application on Amazon Managed Service for Apache Flink.

Usage: ./build.sh deploy [COMMAND] --name NAME [OPTIONS]

Without COMMAND, or with `apply`: uploads the zip and creates the application, or brings
it up to date; if nothing differs it says so and does nothing. A running application is
given a snapshot first and goes on from its state. Other commands: status, start, stop,
snapshot, rollback, delete.

Credentials and the endpoint come from where the AWS command line takes them. An option
may also be given as a variable: --service-role as WEBLOG_DEPLOY_SERVICE_ROLE.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import boto3

from aws.errors import explained
from flink_app.settings import JobSettings
from tools.deploy import preflight, storage
from tools.deploy.application import RUNTIME, Application, from_detail
from tools.deploy.plan import Plan, make_plan, snapshot_name
from tools.deploy.runtime_properties import runtime_properties
from tools.deploy.service import Patience, Service
from tools.package.contents import name_and_version
from tools.package.layout import read_manifest
from tools.shell import CommandError

VARIABLE_PREFIX = "WEBLOG_DEPLOY_"

_LOG_GROUP_PREFIX = "/aws/kinesis-analytics/"
_DIST = Path("dist")


def run(options: argparse.Namespace) -> int:
    """Runs one of the commands."""
    _COMMANDS[options.command](options, Patience(deadline=options.timeout))
    return 0


# --- apply -----------------------------------------------------------------------------


def _apply(options: argparse.Namespace, patience: Patience) -> None:
    session = _session(options)
    archive = _archive(options.zip)
    properties = runtime_properties(options.config, archive, read_manifest(archive))
    if not options.no_stream_check:
        preflight.check(JobSettings.load(properties))
    s3 = session.client("s3")
    role = storage.role_arn(session.client("iam"), options.service_role)
    location = storage.zip_location(archive, options.bucket, options.prefix, _partition(role))
    group = options.log_group or _LOG_GROUP_PREFIX + options.name
    stream = storage.log_stream_arn(role, session.region_name, group)
    service = _service(session, options, patience)
    plan = make_plan(
        options.name,
        wanted=Application(
            runtime=RUNTIME,
            role=role,
            code=location.code,
            properties=properties,
            parallelism=options.parallelism,
            parallelism_per_kpu=options.parallelism_per_kpu,
            auto_scaling=options.auto_scaling,
            log_level=options.log_level,
            metrics_level=options.metrics_level,
            log_stream=None if options.no_logging else stream,
            key=options.key,
        ),
        archive=archive,
        location=location,
        uploaded=storage.is_uploaded(s3, location),
        detail=service.find(),
        take_snapshot=not options.no_snapshot,
    )
    for line in plan.lines():
        patience.say(line)
    if options.dry_run:
        patience.say("dry run: nothing was changed")
    elif not plan.up_to_date:
        if not options.no_logging:
            storage.ensure_log_stream(session.client("logs"), group)
        if not plan.uploaded:
            storage.upload(s3, archive, location)
        _carry_out(plan, service, options)


def _carry_out(plan: Plan, service: Service, options: argparse.Namespace) -> None:
    if plan.version is None:
        service.create(plan.wanted)
        service.patience.say(f"created; start it with: ./build.sh deploy start --name {plan.name}")
        return
    service.update(
        plan.wanted,
        plan.differing,
        snapshot=plan.snapshot,
        allow_non_restored_state=options.allow_non_restored_state,
    )
    service.patience.say("updated")


def _archive(named: Path | None) -> Path:
    if named is not None:
        return named
    found = sorted(_DIST.glob("*.zip"))
    if len(found) == 1:
        return found[0]
    # Others stay there of former versions, or are the function's.
    current = _DIST / "{}-{}.zip".format(*name_and_version())
    if current in found:
        return current
    what = "holds several zips" if found else "holds no zip"
    raise CommandError(f"{_DIST} {what}: name one with --zip, or make it with ./build.sh package")


# --- the other commands ------------------------------------------------------------------


def _status(options: argparse.Namespace, patience: Patience) -> None:
    service = _service(_session(options), options, patience)
    detail = service.describe()
    current = from_detail(detail)
    latest = service.latest_snapshot()
    facts = {
        "name": options.name,
        "status": detail["ApplicationStatus"],
        "version": detail["ApplicationVersionId"],
        "runtime": current.runtime,
        "code": str(current.code),
        "parallelism": current.parallelism,
        "kpus": current.kpus,
        "log_stream": current.log_stream,
        "latest_snapshot": latest["SnapshotName"] if latest else None,
    }
    if options.json:
        patience.say(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        patience.say(f"{key.replace('_', ' '):<16} {'-' if value is None else value}")


def _start(options: argparse.Namespace, patience: Patience) -> None:
    _service(_session(options), options, patience).start(
        snapshot=options.snapshot,
        skip_restore=options.skip_restore,
        allow_non_restored_state=options.allow_non_restored_state,
    )
    patience.say("running")


def _stop(options: argparse.Namespace, patience: Patience) -> None:
    _service(_session(options), options, patience).stop(force=options.force)
    patience.say("stopped")


def _snapshot(options: argparse.Namespace, patience: Patience) -> None:
    _service(_session(options), options, patience).snapshot(snapshot_name("manual"))
    patience.say("taken")


def _rollback(options: argparse.Namespace, patience: Patience) -> None:
    _service(_session(options), options, patience).rollback()
    patience.say("rolled back and running")


def _delete(options: argparse.Namespace, patience: Patience) -> None:
    if not options.yes:
        raise CommandError(
            f"deleting {options.name!r} also deletes its snapshots: say --yes if that is meant"
        )
    _service(_session(options), options, patience).delete()
    patience.say("deleted; its zip in S3 and its logs are left")


_COMMANDS = {
    "apply": _apply,
    "status": _status,
    "start": _start,
    "stop": _stop,
    "snapshot": _snapshot,
    "rollback": _rollback,
    "delete": _delete,
}

# --- the session -------------------------------------------------------------------------


def _session(options: argparse.Namespace) -> boto3.Session:
    with explained("reading the settings of AWS"):
        session = boto3.Session(region_name=options.region)
    if session.region_name is None:
        raise CommandError("no AWS region: give --region or set AWS_REGION")
    return session


def _service(session: boto3.Session, options: argparse.Namespace, patience: Patience) -> Service:
    with explained("connecting to the managed service"):
        client = session.client("kinesisanalyticsv2")
    return Service(client, options.name, patience)


def _partition(role: str) -> str:
    return role.split(":")[1]


# --- the command line --------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the commands and their options."""
    commands = parser.add_subparsers(
        prog=parser.prog, dest="command", required=True, metavar="COMMAND"
    )
    apply = _command(commands, "apply", "create the application or bring it up to date")
    _add_apply_options(apply)
    status = _command(commands, "status", "show the application")
    status.add_argument("--json", action="store_true", help="as JSON")
    start = _command(commands, "start", "start it, from its newest snapshot if there is one")
    start.add_argument("--snapshot", help="start from this snapshot")
    start.add_argument("--skip-restore", action="store_true", help="start without state")
    _add_non_restored(start)
    stop = _command(commands, "stop", "stop it; the service takes a snapshot")
    stop.add_argument("--force", action="store_true", help="at once and without a snapshot")
    _command(commands, "snapshot", "take a snapshot and let it run on")
    _command(commands, "rollback", "go back to the version that ran before")
    delete = _command(commands, "delete", "delete it, its snapshots included")
    delete.add_argument("--yes", action="store_true", help="really")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    _option(parser, "--name", required=True, help="name of the application")
    _option(parser, "--region", help="AWS region (default: the profile's)")
    _option(
        parser, "--timeout", type=float, default=900.0, metavar="SECONDS",
        help="longest wait for a change of status (default: 900)",
    )  # fmt: skip
    return parser


def _add_apply_options(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--bucket", required=True, help="S3 bucket for the zip, in the same region")
    _option(parser, "--prefix", default="", help="folder in the bucket")
    _option(
        parser, "--service-role", required=True, metavar="ROLE",
        help="role that the application works under, name or ARN",
    )  # fmt: skip
    _option(
        parser, "--config", type=Path, required=True, metavar="FILE",
        help="property groups, as in conf/managed_flink_properties.json",
    )  # fmt: skip
    _option(parser, "--zip", type=Path, help="the zip (default: this version's in dist)")
    _option(parser, "--parallelism", type=_positive, default=1, help="subtasks (default: 1)")
    _option(
        parser, "--parallelism-per-kpu", type=_positive, default=1, metavar="N",
        help="subtasks that share a KPU of 1 vCPU and 4 GB (default: 1)",
    )  # fmt: skip
    _option(
        parser, "--key", type=_key_arn, metavar="ARN",
        help="KMS key for state and snapshots (default: as it is, at first the service's own)",
    )  # fmt: skip
    _option(parser, "--log-group", help=f"log group (default: {_LOG_GROUP_PREFIX}NAME)")
    _option(
        parser, "--log-level", type=_one_of("DEBUG", "INFO", "WARN", "ERROR"), default="INFO",
        metavar="LEVEL", help="DEBUG, INFO, WARN or ERROR (default: INFO)",
    )  # fmt: skip
    _option(
        parser, "--metrics-level", default="TASK", metavar="LEVEL",
        type=_one_of("APPLICATION", "TASK", "OPERATOR", "PARALLELISM"),
        help="APPLICATION, TASK, OPERATOR or PARALLELISM (default: TASK)",
    )  # fmt: skip
    parser.add_argument(
        "--auto-scaling",
        action="store_true",
        help="let the service change the parallelism by load (a change restarts the job)",
    )
    parser.add_argument(
        "--no-stream-check",
        action="store_true",
        help="do not ask first whether the streams of the settings exist",
    )
    parser.add_argument("--no-logging", action="store_true", help="leave CloudWatch Logs alone")
    parser.add_argument(
        "--no-snapshot", action="store_true", help="take no named snapshot before an update"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    _add_non_restored(parser)


def _add_non_restored(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-non-restored-state",
        action="store_true",
        help="drop state that the new code has no place for, instead of failing",
    )


def _option(
    parser: argparse.ArgumentParser,
    flag: str,
    *,
    required: bool = False,
    default: object = None,
    **more: object,
) -> None:
    """An option that may also stand in the environment."""
    variable = VARIABLE_PREFIX + flag.removeprefix("--").replace("-", "_").upper()
    # A text default goes through the same conversion and choices as an argument.
    value = os.environ.get(variable, default)
    parser.add_argument(
        flag,
        required=required and value is None,
        default=value,
        **more,  # type: ignore[arg-type] # argparse's own keywords, passed on
    )


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _key_arn(text: str) -> str:
    # The service also takes an id or an alias, but answers with an ARN: they would seem to differ.
    if not re.fullmatch(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the ARN of a KMS key")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    """Like argparse's `choices`, which does not look at a value from the environment."""

    def read(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return read
