"""The calls to the managed service, with waits that end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from aws.errors import AwsError, NotFoundError, error_code, explained
from tools.deploy.application import (
    RUNTIME,
    Application,
    Change,
    configuration_update,
    creation,
)
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_kinesisanalyticsv2 import KinesisAnalyticsV2Client
    from mypy_boto3_kinesisanalyticsv2.type_defs import (
        ApplicationDetailTypeDef,
        RunConfigurationTypeDef,
        SnapshotDetailsTypeDef,
        UpdateApplicationRequestTypeDef,
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
# The service's own rule for RollbackApplication.
_ROLLBACK_STATUSES = frozenset({"UPDATING", "AUTOSCALING", RUNNING})
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
class Patience:
    """How long to wait for the service, and how.

    Attributes:
        deadline: Seconds to wait for one change of status.
        interval: Seconds between two looks.
        sleep: Waits for some seconds.
        clock: Seconds from any fixed point.
        say: Takes a line of progress.
    """

    deadline: float = 900
    interval: float = 10
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = print


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
        """The application as the service has it.

        Raises:
            NotFoundError: There is none of that name.
            AwsError: The call failed.
        """
        with explained(f"application {self.name!r}"):
            return self.client.describe_application(ApplicationName=self.name)["ApplicationDetail"]

    def find(self) -> ApplicationDetailTypeDef | None:
        """The same; None when there is none."""
        try:
            return self.describe()
        except NotFoundError:
            return None

    def latest_snapshot(self) -> SnapshotDetailsTypeDef | None:
        """The newest finished snapshot, None when there is none.

        Raises:
            AwsError: The call failed.
        """
        pages = self.client.get_paginator("list_application_snapshots")
        with explained(f"listing snapshots of {self.name!r}"):
            found = [
                one
                for page in pages.paginate(ApplicationName=self.name)
                for one in page["SnapshotSummaries"]
                if one["SnapshotStatus"] == "READY"
            ]
        return max(found, key=lambda one: one["SnapshotCreationTimestamp"], default=None)

    # --- changing ----------------------------------------------------------------------

    def create(self, wanted: Application) -> None:
        """Creates the application and waits until it can be started.

        Raises:
            WebLogError: The call failed, or it did not become ready in time.
        """
        with explained(f"creating application {self.name!r}"):
            self.client.create_application(**creation(self.name, wanted))
        self._wait_for_rest()

    def update(
        self,
        wanted: Application,
        changes: tuple[Change, ...],
        *,
        snapshot: str | None,
        allow_non_restored_state: bool = False,
    ) -> None:
        """Brings the application to what is wanted; a running one goes on from its state.

        Args:
            wanted: What it should be.
            changes: How it differs.
            snapshot: Name of a snapshot to take first, of a running application; None
                for none.
            allow_non_restored_state: Whether state that the new code has no place for
                may be dropped.

        Raises:
            WebLogError: A call failed, the update was rolled back, or it took too long.
        """
        detail = self._rested()
        was_running = detail["ApplicationStatus"] == RUNNING
        if was_running and snapshot is not None:
            self._take_snapshot(snapshot, "; the application is unchanged")
        parts = frozenset(change.part for change in changes)
        if "logging" in parts and not detail.get("CloudWatchLoggingOptionDescriptions"):
            self._add_logging(wanted, detail)
            detail = self._rested()
            parts -= {"logging"}
        if not parts:
            return
        request = self._update_request(wanted, parts, detail)
        if was_running:
            request["RunConfigurationUpdate"] = {
                "ApplicationRestoreConfiguration": {
                    "ApplicationRestoreType": "RESTORE_FROM_LATEST_SNAPSHOT"
                },
                "FlinkRunConfiguration": {"AllowNonRestoredState": allow_non_restored_state},
            }
        with _with_snapshot(f"updating application {self.name!r}"):
            updated = self.client.update_application(**request)["ApplicationDetail"]
        ended = self._wait_for_rest()
        self._check_update(updated["ApplicationVersionId"], ended, was_running=was_running)

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
        detail = self._rested()
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
            detail = self._rested()
        with _with_snapshot(f"stopping application {self.name!r}"):
            self.client.stop_application(ApplicationName=self.name, Force=force)
        self._expect(READY, "it did not stop")

    def snapshot(self, name: str) -> None:
        """Takes a snapshot of the running application and waits until it is there.

        Raises:
            WebLogError: It does not run, the call or the snapshot failed, or it took too
                long.
        """
        status = self._rested()["ApplicationStatus"]
        if status != RUNNING:
            raise CommandError(
                f"application {self.name!r} is {status}: only a running one gives a snapshot"
            )
        self._take_snapshot(name)

    def rollback(self) -> None:
        """Goes back to the version that ran before, with the state of the last snapshot.

        Raises:
            WebLogError: The status does not allow it, the call failed, or it took too long.
        """
        detail = self.describe()
        status = detail["ApplicationStatus"]
        if status not in _ROLLBACK_STATUSES:
            raise CommandError(
                f"application {self.name!r} is {status}: only one that is "
                f"{', '.join(sorted(_ROLLBACK_STATUSES))} can be rolled back"
            )
        with explained(f"rolling back application {self.name!r}"):
            self.client.rollback_application(
                ApplicationName=self.name,
                CurrentApplicationVersionId=detail["ApplicationVersionId"],
            )
        self._expect(RUNNING, "the former version did not come to run")

    def delete(self) -> None:
        """Deletes the application, its snapshots included, and waits until it is gone.

        Raises:
            WebLogError: The call failed, or it took too long.
        """
        detail = self.describe()
        with explained(f"deleting application {self.name!r}"):
            self.client.delete_application(
                ApplicationName=self.name, CreateTimestamp=detail["CreateTimestamp"]
            )
        self._wait(lambda: None if self.find() else "gone", "to be gone")

    # --- parts -------------------------------------------------------------------------

    def _update_request(
        self, wanted: Application, parts: frozenset[str], detail: ApplicationDetailTypeDef
    ) -> UpdateApplicationRequestTypeDef:
        request: UpdateApplicationRequestTypeDef = {
            "ApplicationName": self.name,
            "CurrentApplicationVersionId": detail["ApplicationVersionId"],
        }
        configuration = configuration_update(wanted, parts)
        if configuration:
            request["ApplicationConfigurationUpdate"] = configuration
        if "role" in parts:
            request["ServiceExecutionRoleUpdate"] = wanted.role
        if "runtime" in parts:
            request["RuntimeEnvironmentUpdate"] = RUNTIME
        if "logging" in parts and wanted.log_stream is not None:
            option = detail["CloudWatchLoggingOptionDescriptions"][0]
            request["CloudWatchLoggingOptionUpdates"] = [
                {
                    "CloudWatchLoggingOptionId": option["CloudWatchLoggingOptionId"],
                    "LogStreamARNUpdate": wanted.log_stream,
                }
            ]
        return request

    def _add_logging(self, wanted: Application, detail: ApplicationDetailTypeDef) -> None:
        if wanted.log_stream is None:
            return
        with explained(f"adding logging to application {self.name!r}"):
            self.client.add_application_cloud_watch_logging_option(
                ApplicationName=self.name,
                CurrentApplicationVersionId=detail["ApplicationVersionId"],
                CloudWatchLoggingOption={"LogStreamARN": wanted.log_stream},
            )

    def _take_snapshot(self, snapshot: str, consequence: str = "") -> None:
        self.patience.say(f"taking snapshot {snapshot}")
        with _with_snapshot(f"taking snapshot {snapshot!r}"):
            self.client.create_application_snapshot(
                ApplicationName=self.name, SnapshotName=snapshot
            )
        status = self._wait(lambda: self._snapshot_end(snapshot), f"for snapshot {snapshot}")
        if status != "READY":
            raise CommandError(f"snapshot {snapshot!r} failed{consequence}; {_WAY_OUT}")

    def _snapshot_end(self, snapshot: str) -> str | None:
        with explained(f"snapshot {snapshot!r}"):
            status = self.client.describe_application_snapshot(
                ApplicationName=self.name, SnapshotName=snapshot
            )["SnapshotDetails"]["SnapshotStatus"]
        return None if status == "CREATING" else status

    def _restore_type(self, snapshot: str | None, *, skip_restore: bool) -> RestoreType:
        if snapshot is not None:
            return "RESTORE_FROM_CUSTOM_SNAPSHOT"
        # Before the first snapshot there is nothing to restore.
        if skip_restore or self.latest_snapshot() is None:
            return "SKIP_RESTORE_FROM_SNAPSHOT"
        return "RESTORE_FROM_LATEST_SNAPSHOT"

    def _check_update(
        self, version: int, ended: ApplicationDetailTypeDef, *, was_running: bool
    ) -> None:
        status = ended["ApplicationStatus"]
        if ended.get("ApplicationVersionRolledBackFrom") == version or status == "ROLLED_BACK":
            raise CommandError(
                f"application {self.name!r}: the update failed and the service rolled it back "
                f"to version {ended.get('ApplicationVersionRolledBackTo', 'before')}; "
                "its log tells why"
            )
        if was_running and status != RUNNING:
            raise CommandError(
                f"application {self.name!r} is {status} after the update: its log tells why"
            )

    def _rested(self) -> ApplicationDetailTypeDef:
        """The application once it is in no transient status."""
        detail = self.describe()
        return self._wait_for_rest() if detail["ApplicationStatus"] in _TRANSIENT else detail

    def _wait_for_rest(self) -> ApplicationDetailTypeDef:
        def look() -> ApplicationDetailTypeDef | None:
            detail = self.describe()
            return None if detail["ApplicationStatus"] in _TRANSIENT else detail

        return self._wait(look, "to come to rest")

    def _expect(self, status: str, otherwise: str) -> None:
        found = self._wait_for_rest()["ApplicationStatus"]
        if found != status:
            raise CommandError(f"application {self.name!r} is {found}: {otherwise}")

    def _wait[T](self, look: Callable[[], T | None], purpose: str) -> T:
        """Looks until there is an answer; says so at the start and every minute."""
        started = self.patience.clock()
        said = float("-inf")
        while True:
            answer = look()
            if answer is not None:
                return answer
            waited = self.patience.clock() - started
            if waited >= self.patience.deadline:
                raise CommandError(
                    f"application {self.name!r}: waited {waited:.0f} s {purpose}, in vain; "
                    "look again with `status`"
                )
            if waited - said >= 60:
                self.patience.say(f"waiting {purpose} ({waited:.0f} s)")
                said = waited
            self.patience.sleep(self.patience.interval)


@contextmanager
def _with_snapshot(action: str) -> Iterator[None]:
    """Like `explained`, for orders that take a snapshot, with the way out when none comes."""
    try:
        with explained(action):
            yield
    except AwsError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and error_code(cause) == _NO_SNAPSHOT:
            raise AwsError(f"{error}; {_WAY_OUT}") from cause
        raise
