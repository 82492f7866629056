"""`./build.sh deploy`: a stack with the job, or the function, on AWS.

Usage: ./build.sh deploy [COMMAND] --stack NAME [OPTIONS]

Without COMMAND, or with `apply`: makes the stack, or brings it up to date. It checks zip, settings
and streams, shows what would change, asks, follows the change, and says where to look. It takes a
snapshot of a running job first, and the job goes on from its state; it starts a new job. Everything
that no option names stays as it is.

  ./build.sh deploy --stack weblog --bucket BUCKET              the first time
  ./build.sh deploy --stack weblog --config FILE                other settings
  ./build.sh deploy --stack weblog --zip                        this version of the code
  ./build.sh deploy --stack weblog --parallelism 4              more of it

Other commands: status, outputs, start, stop, snapshot, rollback, delete.

Credentials and the endpoint are those of the AWS command line.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3

from aws.errors import explained
from tools.deploy import deployment, preflight
from tools.deploy.deployment import Deployment, DeployRequest
from tools.deploy.job import StackLocation
from tools.deploy.rollout import Rollout, snapshot_name
from tools.deploy.service import Service
from tools.deploy.stack import DeployedStack, Stack
from tools.deploy.storage import Storage
from tools.deploy.template import PARTS, Kind, derived, parameters
from tools.deploy.waiting import Patience
from tools.package import command as job_package
from tools.package import function as function_package
from tools.package import wheels
from tools.package.contents import name_and_version
from tools.shell import CommandError
from udfs.config.root import ROOT

if TYPE_CHECKING:
    from mypy_boto3_kinesisanalyticsv2 import KinesisAnalyticsV2Client
    from mypy_boto3_kinesisanalyticsv2.type_defs import ApplicationDetailTypeDef

_DIST = Path("dist")
_SETTINGS = ROOT / "conf" / "managed_flink_properties.json"
# What the names of the stack's resources leave of their services' limits.
_STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,39}")


def run(options: argparse.Namespace) -> int:
    """Runs one of the commands."""
    cloud = Cloud.connect(options.stack, options.region, Patience(deadline=options.timeout))
    _COMMANDS[options.command](options, cloud)
    return 0


# --- apply and rollback ------------------------------------------------------------------


def _apply(options: argparse.Namespace, cloud: Cloud) -> None:
    deployed = cloud.stack.find()
    kind = deployed.kind if deployed is not None else "function" if options.function else "job"
    storage = cloud.storage(options.bucket, deployed)
    chosen = _chosen(options)
    archive, config = options.zip, options.config
    if archive == _DIST or (archive is None and deployed is None):
        known = deployed.parameters if deployed is not None else {}
        archive = _packaged(kind, {**known, **chosen})
    if config is None and deployed is None and kind == "job":
        config = _SETTINGS
    request = DeployRequest(archive, config, chosen, look=not options.no_stream_check)
    if kind == "job":
        wanted = deployment.job(request, cloud.location(), storage, deployed, cloud.outputs_of)
    else:
        wanted = deployment.function(request, storage, deployed)
    if options.template is not None:
        options.template.write_text(json.dumps(wanted.template, indent=1) + "\n", "utf-8")
        cloud.say(f"wrote {options.template}")
        return
    if not storage.exists():
        missing = f"there is no bucket {storage.bucket!r}"
        question = f"{missing.capitalize()}. Make it?"
        if options.dry_run or not (options.yes or cloud.stack.patience.ask(question)):
            raise CommandError(missing)
        storage.create(cloud.region)
    _roll_out(wanted, deployed, cloud, options)


def _rollback(options: argparse.Namespace, cloud: Cloud) -> None:
    deployed = cloud.stack.deployed()
    previous = deployed.metadata.get("Previous")
    if previous is None:
        raise CommandError(f"stack {cloud.stack.name!r} was never changed: nothing to go back to")
    template = json.loads(cloud.storage(None, deployed).read(previous["Key"]))
    _roll_out(Deployment(template, previous["Parameters"]), deployed, cloud, options)


def _roll_out(
    wanted: Deployment, deployed: DeployedStack | None, cloud: Cloud, options: argparse.Namespace
) -> None:
    Rollout(
        cloud.stack,
        cloud.service,
        cloud.storage(options.bucket, deployed),
        cloud.region,
        sure=options.yes,
        dry=options.dry_run,
        snapshot=not options.no_snapshot,
        start=not options.no_start,
        tags=dict(_pair(text, "--tag") for text in options.tag),
    ).run(wanted, deployed)
    if not options.dry_run and (made := cloud.stack.find()) is not None:
        _show(dict(sorted(made.outputs.items())), cloud)


def _packaged(kind: Kind, values: Mapping[str, str]) -> Path:
    """Returns the zip of this version in `dist`, which is made if it is missing."""
    name, version = name_and_version()
    if kind == "job":
        archive = _DIST / f"{name}-{version}.zip"
        return archive if archive.exists() else job_package.build(job_package.JobPackageOptions())
    arm = values.get("Architecture") == "arm64"
    platform = wheels.ARM64 if arm else wheels.X86_64
    archive = _DIST / f"{name}-lambda-{version}-{platform.machine}.zip"
    if not archive.exists():
        function_package.build(function_package.FunctionPackageOptions(platform=platform))
    return archive


# --- the other commands ------------------------------------------------------------------


def _status(options: argparse.Namespace, cloud: Cloud) -> None:
    deployed = cloud.stack.deployed()
    facts: dict[str, object] = {"stack": cloud.stack.name, "stack_status": deployed.status}
    facts["code"] = "s3://{CodeBucket}/{CodeKey}".format(**deployed.parameters)
    if deployed.kind == "job":
        detail, latest = cloud.service.describe(), cloud.service.latest_snapshot()
        facts |= {
            "application_status": detail["ApplicationStatus"],
            "version": detail["ApplicationVersionId"],
            "runtime": detail["RuntimeEnvironment"],
            "parallelism": _parallelism(detail),
            "latest_snapshot": latest["SnapshotName"] if latest else None,
        }
    _show(facts, cloud, as_json=options.json)


def _parallelism(detail: ApplicationDetailTypeDef) -> int | None:
    configuration = detail.get("ApplicationConfigurationDescription", {})
    flink = configuration.get("FlinkApplicationConfigurationDescription", {})
    return flink.get("ParallelismConfigurationDescription", {}).get("Parallelism")


def _outputs(options: argparse.Namespace, cloud: Cloud) -> None:
    outputs = cloud.stack.deployed().outputs
    _show(dict(sorted(outputs.items())), cloud, as_json=options.json)


def _show(facts: Mapping[str, object], cloud: Cloud, *, as_json: bool = False) -> None:
    if as_json:
        cloud.say(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts), default=0)
    for key, value in facts.items():
        cloud.say(f"{key.replace('_', ' '):<{width}}  {'-' if value is None else value}")


def _start(options: argparse.Namespace, cloud: Cloud) -> None:
    if not options.skip_restore and (warning := _warning(options.snapshot, cloud)) is not None:
        cloud.say(f"warning: {warning}")
    cloud.service.start(
        snapshot=options.snapshot,
        skip_restore=options.skip_restore,
        allow_non_restored_state=options.allow_non_restored_state,
    )
    cloud.say("running")


def _warning(snapshot: str | None, cloud: Cloud) -> str | None:
    """Returns what speaks against a start from a snapshot."""
    known = cloud.stack.deployed().parameters
    restored = cloud.service.snapshot_for(snapshot)
    # A stream of another account is out of sight.
    if restored is None or known["SourceRoleArn"]:
        return None
    return preflight.remade(known["SourceStreamArn"], restored["SnapshotCreationTimestamp"])


def _stop(options: argparse.Namespace, cloud: Cloud) -> None:
    cloud.service.stop(force=options.force)
    cloud.say("stopped")


def _snapshot(_: argparse.Namespace, cloud: Cloud) -> None:
    cloud.service.snapshot(snapshot_name("manual"))
    cloud.say("taken")


def _delete(options: argparse.Namespace, cloud: Cloud) -> None:
    deployed = cloud.stack.deployed()
    cloud.say(f"delete {cloud.stack.name!r} with the snapshots of its application, but keep:")
    for line in sorted(cloud.stack.kept(deployed)):
        cloud.say(f"  {line}")
    if not options.yes and not cloud.stack.patience.ask("Go on?"):
        cloud.say("nothing was changed")
        return
    cloud.stack.delete(deployed)
    cloud.say("deleted; the next `deploy` of this name takes over what was kept")


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, Cloud], None]] = {
    "apply": _apply,
    "status": _status,
    "outputs": _outputs,
    "start": _start,
    "stop": _stop,
    "snapshot": _snapshot,
    "rollback": _rollback,
    "delete": _delete,
}

# --- AWS ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cloud:
    """AWS, as far as a command needs it.

    Attributes:
        session: Credentials and region.
        stack: The stack.
        service: Its application.
    """

    session: boto3.Session
    stack: Stack
    service: Service

    @classmethod
    def connect(cls, name: str, region: str | None, patience: Patience) -> Self:
        """Returns AWS as seen from a stack.

        Raises:
            WebLogError: Region or profile are missing.
        """
        with explained("reading the settings of AWS"):
            session = boto3.Session(region_name=region)
            if session.region_name is None:
                raise CommandError("no AWS region: give --region or set AWS_REGION")
            stack = Stack(session.client("cloudformation"), name, patience)
            return cls(session, stack, Service(_application_client(session), name, patience))

    @property
    def region(self) -> str:
        """Returns the region."""
        return self.session.region_name

    def say(self, line: str) -> None:
        """Tells a line to whoever started the command."""
        self.stack.patience.say(line)

    def storage(self, bucket: str | None, deployed: DeployedStack | None) -> Storage:
        """Returns the stack's folder in its bucket.

        Raises:
            CommandError: A stack that isn't there has none.
        """
        known = deployed.parameters["CodeBucket"] if deployed is not None else None
        if (used := bucket or known) is None:
            raise CommandError("a new stack needs --bucket, for its zip and its template")
        return Storage(self.session.client("s3"), used, self.stack.name)

    def location(self) -> StackLocation:
        """Returns where the stack is.

        Raises:
            AwsError: The call failed.
        """
        with explained("account of the credentials"):
            caller = self.session.client("sts").get_caller_identity()
        return StackLocation(
            self.stack.name, self.region, caller["Account"], caller["Arn"].split(":")[1]
        )

    def outputs_of(self, name: str) -> Mapping[str, str]:
        """Returns the outputs of another stack.

        Raises:
            WebLogError: There is none, or the call failed.
        """
        return Stack(self.stack.client, name, self.stack.patience).deployed().outputs


def _application_client(session: boto3.Session) -> KinesisAnalyticsV2Client:
    return session.client("kinesisanalyticsv2")


# --- the command line --------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the commands and their options."""
    commands = parser.add_subparsers(
        prog=parser.prog, dest="command", required=True, metavar="COMMAND"
    )
    apply = _command(commands, "apply", "make the stack, or bring it up to date")
    _add_apply_options(apply)
    for name, text in (("status", "show the stack and its job"), ("outputs", "show what it made")):
        _command(commands, name, text).add_argument("--json", action="store_true", help="as JSON")
    start = _command(commands, "start", "start the job, from its newest snapshot if there is one")
    start.add_argument("--snapshot", metavar="NAME", help="start from this snapshot")
    start.add_argument("--skip-restore", action="store_true", help="start without state")
    start.add_argument(
        "--allow-non-restored-state", action="store_true",
        help="drop state that does not fit the code, instead of failing",
    )  # fmt: skip
    stop = _command(commands, "stop", "stop the job; the service takes a snapshot")
    stop.add_argument("--force", action="store_true", help="at once and without a snapshot")
    _command(commands, "snapshot", "take a snapshot of the job and let it run on")
    rollback = _command(commands, "rollback", "make the stack what it was before the last change")
    _add_change_options(rollback)
    rollback.set_defaults(bucket=None, tag=[])
    delete = _command(commands, "delete", "delete the stack, but not its streams, queues and logs")
    delete.add_argument("--yes", action="store_true", help="don't ask")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument(
        "--stack", metavar="NAME", required=True, type=_stack_name, help="name of the stack"
    )
    parser.add_argument("--region", metavar="NAME", help="AWS region (default: the profile's)")
    parser.add_argument(
        "--timeout", type=float, default=1800.0, metavar="SECONDS",
        help="longest wait for a change (default: 1800)",
    )  # fmt: skip
    return parser


def _add_change_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument(
        "--no-snapshot", action="store_true", help="take no named snapshot before an update"
    )
    parser.add_argument("--no-start", action="store_true", help="leave a new job stopped")


def _add_apply_options(parser: argparse.ArgumentParser) -> None:
    _add_change_options(parser)
    parser.add_argument(
        "--bucket", metavar="NAME", help="S3 bucket for zip and template, in the same region"
    )
    parser.add_argument(
        "--function", action="store_true", help="make the stack of the function, not of the job"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="property file of the job (first: conf/managed_flink_properties.json)",
    )  # fmt: skip
    parser.add_argument(
        "--zip", type=Path, nargs="?", const=_DIST, metavar="FILE",
        help="the zip; without FILE this version's in dist, which is made if it is missing",
    )  # fmt: skip
    parser.add_argument(
        "--parameters", type=Path, metavar="FILE",
        help='values of the options below as JSON, such as {"Parallelism": 4}',
    )  # fmt: skip
    parser.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE",
        help="a tag of everything in the stack; tags given replace all it has",
    )  # fmt: skip
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="write the template there and stop"
    )
    parser.add_argument(
        "--no-stream-check", action="store_true",
        help="do not ask first whether the streams of the settings exist",
    )  # fmt: skip
    for kind in PARTS:
        group = parser.add_argument_group(f"parameters of the stack of a {kind}")
        for name, declared in _choices(kind):
            default = str(declared.get("Default", "")) or "none"
            group.add_argument(
                _flag(name), dest=name, metavar="VALUE",
                help=f"{declared['Description']} (first: {default})".replace("%", "%%"),
            )  # fmt: skip


def _choices(kind: Kind) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the parameters that are options, each with the first kind that has it."""
    shared = parameters("job") if kind != "job" else {}
    for name, declared in parameters(kind).items():
        if name not in derived(kind) and name not in shared:
            yield name, declared


def _flag(name: str) -> str:
    return "--" + re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _chosen(options: argparse.Namespace) -> dict[str, str]:
    chosen: dict[str, str] = {}
    if options.parameters is not None:
        try:
            document = json.loads(options.parameters.read_text("utf-8"))
            chosen = {str(key): str(value) for key, value in document.items()}
        except (ValueError, AttributeError) as error:
            expected = 'an object such as {"Parallelism": 4}'
            raise CommandError(f"{options.parameters}: expected {expected}") from error
    if own := sorted(chosen.keys() & derived("job")):
        raise CommandError(f"{options.parameters}: {', '.join(own)} is by deploy itself")
    names = [name for kind in PARTS for name, _ in _choices(kind)]
    from_options = {name: value for name in names if (value := getattr(options, name)) is not None}
    return chosen | from_options


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise CommandError(f"{option} {text!r}: expected KEY=VALUE")
    return key, value


def _stack_name(text: str) -> str:
    if not _STACK_NAME.fullmatch(text):
        expected = "up to 40 letters, digits and hyphens, the first a letter"
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return text
