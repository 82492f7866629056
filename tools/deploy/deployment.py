"""What `./build.sh deploy` makes of options, zip, property file and the stack as it is."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flink_app.settings import JobSettings
from tools.deploy import preflight
from tools.deploy.job import StackLocation, StackOutputs, needs, resolved
from tools.deploy.runtime_properties import checked, with_data
from tools.deploy.stack import METADATA, ChangeSet, DeployedStack
from tools.deploy.storage import Storage, read
from tools.deploy.template import APPLICATION, Kind, Template, parameters, render
from tools.package.layout import RUN_OPTIONS_GROUP, Manifest, read_manifest
from tools.shell import CommandError
from udfs.config.file import PropertyGroups, load_properties

type Upload = tuple[Path, str]


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What was asked for; what is None or missing stays as it is.

    Attributes:
        archive: The zip.
        config: The property file of a job.
        chosen: Values of parameters.
        look: Whether to look at the streams and buckets that the property file names.
    """

    archive: Path | None = None
    config: Path | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    look: bool = True


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a stack should be.

    Attributes:
        template: Its template.
        parameters: Their values, of all that aren't at their default.
        upload: The zip and its key; None where the stack's own stays.
    """

    template: Template
    parameters: Mapping[str, str]
    upload: Upload | None = None

    @property
    def runtime(self) -> str:
        """Returns the runtime of the application, such as `FLINK-2_3`; empty without one."""
        runtime: str = _application(self.template).get("RuntimeEnvironment", "")
        return runtime

    def after(self, deployed: DeployedStack | None, storage: Storage) -> Deployment:
        """Returns the same with a note of what the stack was before, for a rollback."""
        if deployed is None:
            return self
        body = json.dumps(deployed.template).encode()
        key = storage.key("template", ".json", body)
        storage.put(key, body)
        template = json.loads(json.dumps(self.template))
        previous = {"Key": key, "Parameters": dict(deployed.parameters)}
        template["Metadata"][METADATA]["Previous"] = previous
        return Deployment(template, self.parameters, self.upload)

    def is_in_place(self, deployed: DeployedStack) -> bool:
        """Returns whether a stack is this already."""
        there = json.loads(json.dumps(deployed.template))
        there["Metadata"][METADATA].pop("Previous", None)
        same = {**deployed.parameters, **self.parameters} == deployed.parameters
        return same and bool(there == json.loads(json.dumps(self.template)))


def job(
    request: DeployRequest,
    location: StackLocation,
    storage: Storage,
    deployed: DeployedStack | None,
    outputs: StackOutputs,
) -> Deployment:
    """Returns what the stack of a job should be.

    Raises:
        WebLogError: The zip, the property file or a parameter is wrong, or a stream is missing.
    """
    noted = deployed.metadata if deployed is not None else {}
    groups = noted["Properties"] if request.config is None else load_properties(request.config)
    with tempfile.TemporaryDirectory() as folder:
        archive = request.archive
        if archive is None and request.config is not None and deployed is not None:
            archive = Path(folder) / "application.zip"
            archive.write_bytes(storage.read(deployed.parameters["CodeKey"]))
        if archive is None:
            manifest = Manifest.from_json(json.dumps(noted["Manifest"]))
        else:
            manifest = read_manifest(archive)
        packaged = with_data(groups, manifest)
        final = resolved(packaged, location, outputs)
        settings = JobSettings.load(final) if archive is None else checked(final, archive, manifest)
    needed = needs(settings, packaged, location)
    if request.look:
        preflight.check(settings, needed.made | needed.out_of_sight)
    final = {**final, RUN_OPTIONS_GROUP: manifest.run_options()}
    template = with_groups(render("job", needed.repeated), final)
    template["Metadata"][METADATA] = {
        "Kind": "job",
        "Properties": groups,
        "Manifest": asdict(manifest),
    }
    values, upload = _values("job", request, storage, deployed)
    if values.get("LakeDatabase") and not needed.repeated["Stored"]:
        raise CommandError("--lake-database: no output has a Kinesis stream of the stack to itself")
    return Deployment(template, {**values, **needed.parameters}, upload)


def function(
    request: DeployRequest, storage: Storage, deployed: DeployedStack | None
) -> Deployment:
    """Returns what the stack of a function should be.

    Raises:
        WebLogError: The zip or a parameter is wrong.
    """
    if request.config is not None:
        raise CommandError("--config is of a job: give it to package-lambda as --properties")
    values, upload = _values("function", request, storage, deployed)
    declared = parameters("function").items()
    defaults = {name: str(entry["Default"]) for name, entry in declared if "Default" in entry}
    if deployed is not None:
        _refuse_other_files({**defaults, **deployed.parameters}, {**defaults, **values})
    known = json.dumps([render("function", {}), defaults | values], sort_keys=True)
    version = hashlib.sha256(known.encode()).hexdigest()[:12]
    template = render("function", {"Version": [version]})
    template["Metadata"][METADATA] = {"Kind": "function"}
    return Deployment(template, values, upload)


def _refuse_other_files(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Refuses what Firehose would refuse in the middle of an update, and files of two formats.

    It can't switch partitions on or off. Between dates and hours it can, but records that are
    under way would have the keys of the one and the prefix of the other. Of a table in Parquet
    no query succeeds where files from before are JSON.
    """
    for name, option in (("PartitionBy", "--partition-by"), ("LakeDatabase", "--lake-database")):
        if before[name] != after[name]:
            raise CommandError(
                f"{option} {after[name] or "''"}: the delivery stream was made with "
                f"{before[name] or 'none'} and can't change: make another stack"
            )


def _values(
    kind: Kind, request: DeployRequest, storage: Storage, deployed: DeployedStack | None
) -> tuple[dict[str, str], Upload | None]:
    declared = parameters(kind)
    if unknown := sorted(request.chosen.keys() - declared.keys()):
        raise CommandError(f"the stack of a {kind} has no parameter {', '.join(unknown)}")
    known = deployed.parameters if deployed is not None else {}
    values = {name: value for name, value in known.items() if name in declared}
    values |= {"CodeBucket": storage.bucket, **request.chosen}
    if request.archive is None:
        return values, None
    key = storage.key(request.archive.stem, ".zip", read(request.archive))
    return values | {"CodeKey": key}, (request.archive, key)


def with_groups(template: Template, groups: PropertyGroups) -> Template:
    """Returns a template whose application has property groups."""
    environment = _application(template)["ApplicationConfiguration"]["EnvironmentProperties"]
    environment["PropertyGroups"] = [
        {"PropertyGroupId": group, "PropertyMap": dict(values)}
        for group, values in sorted(groups.items())
    ]
    return template


def _application(template: Template) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"].get(APPLICATION, {}).get("Properties", {})
    return properties


def groups_of(template: Template) -> PropertyGroups:
    """Returns the property groups of a template's application, references resolved."""
    configuration = _application(template).get("ApplicationConfiguration", {})
    groups = configuration.get("EnvironmentProperties", {}).get("PropertyGroups", [])
    return {group["PropertyGroupId"]: group["PropertyMap"] for group in groups}


# --- the plan --------------------------------------------------------------------------

_VERBS = {"Add": "make", "Import": "take over", "Modify": "change", "Remove": "remove"}


def plan(
    deployment: Deployment, deployed: DeployedStack | None, change_set: ChangeSet, *, running: bool
) -> Iterator[str]:
    """Yields what a change set does, for people.

    Args:
        deployment: What the stack should be.
        deployed: What it is.
        change_set: CloudFormation's answer.
        running: Whether the application runs.
    """
    if deployment.upload is not None:
        yield f"  upload {deployment.upload[0]} as {deployment.upload[1]}"
    before = deployed.parameters if deployed is not None else {}
    yield from _differences("", before, deployment.parameters)
    old = groups_of(deployed.template) if deployed is not None else {}
    new = groups_of(deployment.template)
    for group in sorted(old.keys() | new.keys()):
        yield from _differences(f"{group}: ", old.get(group, {}), new.get(group, {}))
    lines: dict[str, list[str]] = {}
    for entry in change_set.changes:
        change = entry["ResourceChange"]
        verb = _VERBS.get(change.get("Action", ""), change.get("Action", ""))
        if (replaced := change.get("Replacement", "False")) != "False":
            verb = "REPLACE" if replaced == "True" else "perhaps REPLACE"
        kind = change.get("ResourceType", "").removeprefix("AWS::")
        lines.setdefault(f"{verb} {kind}", []).append(change.get("LogicalResourceId", ""))
    for action, names in lines.items():
        yield f"  {action}: {', '.join(sorted(names))}"
    if running and change_set.touches(APPLICATION):
        yield "  the job RESTARTS, from a snapshot that is taken first"


def _differences(prefix: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ""), new.get(name, "")
        if before != after:
            yield f"  {prefix}{name}: {f'{before!r} -> ' if before else ''}{after!r}"
