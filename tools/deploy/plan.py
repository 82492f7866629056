"""What `./build.sh deploy` is about to do, worked out before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tools.deploy.application import OWN_KEY, Application, Change, changes, from_detail
from tools.deploy.service import RUNNING
from tools.deploy.storage import ZipLocation

if TYPE_CHECKING:
    from mypy_boto3_kinesisanalyticsv2.type_defs import ApplicationDetailTypeDef


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment.

    Attributes:
        name: The application's name.
        wanted: What it should be.
        archive: The zip here.
        location: Where the zip belongs.
        uploaded: Whether it is there.
        version: The application's present version; None when there is none yet.
        differing: How the present application differs.
        snapshot: The snapshot to take before the update, None for none.
        running: Whether the application runs.
    """

    name: str
    wanted: Application
    archive: Path
    location: ZipLocation
    uploaded: bool
    version: int | None
    differing: tuple[Change, ...]
    snapshot: str | None
    running: bool

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to do."""
        return self.version is not None and not self.differing

    def lines(self) -> Iterator[str]:
        """The plan for people."""
        if self.up_to_date:
            yield f"application {self.name!r} is up to date (version {self.version})"
            return
        verb = "use what is there of" if self.uploaded else "upload"
        yield f"{verb} {self.archive} -> {self.location.code}"
        yield from self._creation() if self.version is None else self._update()

    def _creation(self) -> Iterator[str]:
        wanted = self.wanted
        yield f"create application {self.name!r}:"
        yield f"  runtime: {wanted.runtime}"
        yield f"  role: {wanted.role}"
        yield (
            f"  parallelism: {wanted.parallelism}, {wanted.parallelism_per_kpu} a KPU: "
            f"KPUs: {wanted.kpus}, automatic scaling: {'on' if wanted.auto_scaling else 'off'}"
        )
        yield f"  log stream: {wanted.log_stream or 'none'}, level {wanted.log_level}"
        yield f"  metrics level: {wanted.metrics_level}"
        yield f"  key: {wanted.key or OWN_KEY}"
        yield "  snapshots: on, rollback of a failed update: on"
        for group, values in sorted(wanted.properties.items()):
            for key, value in sorted(values.items()):
                yield f"  {group}: {key} = {value!r}"

    def _update(self) -> Iterator[str]:
        if self.snapshot is not None:
            yield f"take snapshot {self.snapshot}"
        yield f"update application {self.name!r} (version {self.version}):"
        for change in self.differing:
            yield f"  {change.text}"
        if self.running:
            yield "  and let it go on from its latest state"


def snapshot_name(purpose: str) -> str:
    """A name for a snapshot to take now.

    The time keeps it free: one of a run that failed later may still be there.
    """
    return f"{purpose}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def make_plan(
    name: str,
    *,
    wanted: Application,
    archive: Path,
    location: ZipLocation,
    uploaded: bool,
    detail: ApplicationDetailTypeDef | None,
    take_snapshot: bool,
) -> Plan:
    """Compares what is wanted with what the service has.

    Args:
        name: The application's name.
        wanted: What it should be.
        archive: The zip here.
        location: Where the zip belongs.
        uploaded: Whether it is there.
        detail: The application as the service describes it; None when there is none.
        take_snapshot: Whether a running application gets a snapshot before an update.
    """
    running = detail is not None and detail["ApplicationStatus"] == RUNNING
    return Plan(
        name=name,
        wanted=wanted,
        archive=archive,
        location=location,
        uploaded=uploaded,
        version=None if detail is None else detail["ApplicationVersionId"],
        differing=() if detail is None else changes(from_detail(detail), wanted),
        snapshot=snapshot_name("before-update") if running and take_snapshot else None,
        running=running,
    )
