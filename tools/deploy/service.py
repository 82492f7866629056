"""The calls to the managed service, with waits that end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from aws.errors import AwsError, NotFoundError, error_code, explained
from tools.deploy.waiting import Patience
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_kinesisanalyticsv2 import KinesisAnalyticsV2Client
    from mypy_boto3_kinesisanalyticsv2.type_defs import (
        ApplicationDetailTypeDef,
        RunConfigurationTypeDef,
        SnapshotDetailsTypeDef,
    )

RUNNING = "RUNNING"
READY = "READY"
# On the way from one status to another; the service takes no orders meanwhile.
_TRANSIENT = frozenset(
    {
        "STARTING",
        "STOPPING",
        "FORCE_STOPPING",
        "UPDATING",
        "AUTOSCALING",
        "ROLLING_BACK",
        "MAINTENANCE",
        "DELETING",
    }
)
# What the service answers where it fails to take the snapshot that an order takes.
_NO_SNAPSHOT = "InvalidApplicationConfigurationException"
_WAY_OUT = (
    "a job that keeps failing gives no snapshot; if it does: `deploy stop --force`, `deploy`, "
    "`deploy start`, see `restarts` in docs/runbook.md"
)

type RestoreType = Literal[
    "RESTORE_FROM_LATEST_SNAPSHOT", "RESTORE_FROM_CUSTOM_SNAPSHOT", "SKIP_RESTORE_FROM_SNAPSHOT"
]


@dataclass(frozen=True, slots=True)
class Service:
    """One application on the managed service.

    Attributes:
        client: boto3's client of `kinesisanalyticsv2`.
        name: The application's name.
        patience: How to wait.
    """

    client: KinesisAnalyticsV2Client
    name: str
    patience: Patience = field(default_factory=Patience)

    # --- looking -----------------------------------------------------------------------

    def describe(self) -> ApplicationDetailTypeDef:
        """Returns the application as the service has it.

        Raises:
            NotFoundError: There is none of that name.
            AwsError: The call failed.
        """
        with explained(f"application {self.name!r}"):
            return self.client.describe_application(ApplicationName=self.name)["ApplicationDetail"]

    def find(self) -> ApplicationDetailTypeDef | None:
        """Returns the same; None when there is none."""
        try:
            return self.describe()
        except NotFoundError:
            return None

    def latest_snapshot(self) -> SnapshotDetailsTypeDef | None:
        """Returns the newest finished snapshot, None when there is none.

        Raises:
            AwsError: The call failed.
        """
        pages = self.client.get_paginator("list_application_snapshots")
        with explained(f"listing snapshots of {self.name!r}"):
            snapshots = [
                snapshot
                for page in pages.paginate(ApplicationName=self.name)
                for snapshot in page["SnapshotSummaries"]
                if snapshot["SnapshotStatus"] == "READY"
            ]
        return max(snapshots, key=itemgetter("SnapshotCreationTimestamp"), default=None)

    def snapshot_for(self, name: str | None) -> SnapshotDetailsTypeDef | None:
        """Returns the snapshot that a start takes: that of a name, or the newest.

        Raises:
            AwsError: The call failed.
        """
        return self.latest_snapshot() if name is None else self._snapshot(name)

    # --- changing ----------------------------------------------------------------------

    def check_update(self, before: ApplicationDetailTypeDef) -> None:
        """Checks what became of an application that an update restarted.

        Args:
            before: The application before the update.

        Raises:
            WebLogError: The service took the update back, or the job does not run.
        """
        ended = self.rested()
        status = ended["ApplicationStatus"]
        if ended.get("ApplicationVersionRolledBackFrom", 0) > before["ApplicationVersionId"]:
            raise CommandError(
                f"application {self.name!r}: the update failed and the service rolled it back "
                f"to version {ended.get('ApplicationVersionRolledBackTo', 'before')}; "
                "its log tells why"
            )
        if before["ApplicationStatus"] == RUNNING != status:
            raise CommandError(
                f"application {self.name!r} is {status} after the update: its log tells why"
            )

    def start(
        self,
        *,
        snapshot: str | None = None,
        skip_restore: bool = False,
        allow_non_restored_state: bool = False,
    ) -> None:
        """Starts the application and waits until it runs.

        Args:
            snapshot: The snapshot to start from; None for the newest, if there is one.
            skip_restore: Start without any state.
            allow_non_restored_state: Whether state that the code has no place for may be
                dropped.

        Raises:
            WebLogError: It runs already, the call failed, or it did not come to run.
        """
        detail = self.rested()
        if detail["ApplicationStatus"] == RUNNING:
            raise CommandError(f"application {self.name!r} is running already")
        configuration: RunConfigurationTypeDef = {
            "FlinkRunConfiguration": {"AllowNonRestoredState": allow_non_restored_state},
            "ApplicationRestoreConfiguration": {
                "ApplicationRestoreType": self._restore_type(snapshot, skip_restore=skip_restore)
            },
        }
        if snapshot is not None:
            configuration["ApplicationRestoreConfiguration"]["SnapshotName"] = snapshot
        with explained(f"starting application {self.name!r}"):
            self.client.start_application(ApplicationName=self.name, RunConfiguration=configuration)
        self._expect(RUNNING, "it did not start: its log tells why")

    def stop(self, *, force: bool = False) -> None:
        """Stops the application and waits; the service takes a snapshot unless forced.

        Raises:
            WebLogError: It does not run, the call failed, or it took too long.
        """
        detail = self.describe()
        status = detail["ApplicationStatus"]
        if status == READY:
            raise CommandError(f"application {self.name!r} is not running")
        if status in _TRANSIENT and not force:
            detail = self.rested()
        with _with_snapshot(f"stopping application {self.name!r}"):
            self.client.stop_application(ApplicationName=self.name, Force=force)
        self._expect(READY, "it did not stop")

    def snapshot(self, name: str, consequence: str = "") -> None:
        """Takes a snapshot of the running application and waits until it is there.

        Args:
            name: The snapshot's name.
            consequence: What a failure of it means, for the message.

        Raises:
            WebLogError: It does not run, the call or the snapshot failed, or it took too
                long.
        """
        status = self.rested()["ApplicationStatus"]
        if status != RUNNING:
            raise CommandError(
                f"application {self.name!r} is {status}: only a running one gives a snapshot"
            )
        self.patience.say(f"taking snapshot {name}")
        with _with_snapshot(f"taking snapshot {name!r}"):
            self.client.create_application_snapshot(ApplicationName=self.name, SnapshotName=name)
        ended = self.patience.wait(lambda: self._snapshot_end(name), f"for snapshot {name}")
        if ended != "READY":
            raise CommandError(f"snapshot {name!r} failed{consequence}; {_WAY_OUT}")

    # --- parts -------------------------------------------------------------------------

    def _snapshot(self, name: str) -> SnapshotDetailsTypeDef:
        with explained(f"snapshot {name!r}"):
            return self.client.describe_application_snapshot(
                ApplicationName=self.name, SnapshotName=name
            )["SnapshotDetails"]

    def _snapshot_end(self, name: str) -> str | None:
        status = self._snapshot(name)["SnapshotStatus"]
        return None if status == "CREATING" else status

    def _restore_type(self, snapshot: str | None, *, skip_restore: bool) -> RestoreType:
        if snapshot is not None:
            return "RESTORE_FROM_CUSTOM_SNAPSHOT"
        # Before the first snapshot there is nothing to restore.
        if skip_restore or self.latest_snapshot() is None:
            return "SKIP_RESTORE_FROM_SNAPSHOT"
        return "RESTORE_FROM_LATEST_SNAPSHOT"

    def rested(self) -> ApplicationDetailTypeDef:
        """Returns the application once it is in no transient status.

        Raises:
            WebLogError: A call failed, or it took too long.
        """

        def look() -> ApplicationDetailTypeDef | None:
            detail = self.describe()
            return None if detail["ApplicationStatus"] in _TRANSIENT else detail

        return self.patience.wait(look, f"for application {self.name!r} to come to rest")

    def _expect(self, status: str, otherwise: str) -> None:
        current = self.rested()["ApplicationStatus"]
        if current != status:
            raise CommandError(f"application {self.name!r} is {current}: {otherwise}")


@contextmanager
def _with_snapshot(action: str) -> Iterator[None]:
    """Explains errors of orders that take a snapshot, with the way out when none comes."""
    try:
        with explained(action):
            yield
    except AwsError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) == _NO_SNAPSHOT:
            raise AwsError(f"{error}; {_WAY_OUT}") from cause
        raise
