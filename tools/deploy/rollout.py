"""Brings a stack to what it should be: change set, plan, question, snapshot, events, start."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tools.deploy.deployment import Deployment, plan
from tools.deploy.service import RUNNING, Service
from tools.deploy.stack import ChangeSet, DeployedStack, Stack
from tools.deploy.storage import Storage
from tools.deploy.template import APPLICATION
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_kinesisanalyticsv2.type_defs import ApplicationDetailTypeDef


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a stack is changed.

    Attributes:
        stack: The stack.
        service: Its application.
        storage: The bucket.
        region: Where all of it is.
        sure: Don't ask.
        dry: Show the plan and stop.
        snapshot: Give a running job a named snapshot first.
        start: Start a new job.
        tags: Tags of everything in the stack; without any they stay as they are.
    """

    stack: Stack
    service: Service
    storage: Storage
    region: str
    sure: bool = False
    dry: bool = False
    snapshot: bool = True
    start: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def run(self, wanted: Deployment, deployed: DeployedStack | None) -> None:
        """Brings the stack to what it should be.

        Args:
            wanted: What it should be.
            deployed: What it is.

        Raises:
            WebLogError: A call failed, or a resource did, or the job does not run.
        """
        before = self.service.find() if wanted.runtime and deployed is not None else None
        if before is not None:
            _refuse_lower(before["RuntimeEnvironment"], wanted.runtime)
        change_set = self._change_set(wanted, deployed)
        if change_set is None:
            self._say(f"stack {self.stack.name!r} is up to date")
            return
        executed = False
        try:
            running = before is not None and before["ApplicationStatus"] == RUNNING
            self._say(f"{'change' if deployed else 'make'} {self.stack.name!r} in {self.region}:")
            for line in plan(wanted, deployed, change_set, running=running):
                self._say(line)
            if not self._confirmed():
                return
            if wanted.upload is not None:
                self.storage.put(wanted.upload[1], wanted.upload[0].read_bytes())
            if running and self.snapshot and change_set.touches(APPLICATION):
                self.service.snapshot(snapshot_name("before-update"), "; nothing was changed")
            executed = True
            self.stack.execute(change_set)
        finally:
            if not executed:
                self.stack.discard(change_set)
        if wanted.runtime:
            self._bring_up(before)

    def _say(self, line: str) -> None:
        self.stack.patience.say(line)

    def _confirmed(self) -> bool:
        if not self.dry and (self.sure or self.stack.patience.ask("Go on?")):
            return True
        self._say("dry run: nothing was changed" if self.dry else "nothing was changed")
        return False

    def _change_set(self, wanted: Deployment, deployed: DeployedStack | None) -> ChangeSet | None:
        if deployed is not None and not self.tags and wanted.is_in_place(deployed):
            return None
        body = json.dumps(wanted.after(deployed, self.storage).template).encode()
        key = self.storage.key("template", ".json", body)
        self.storage.put(key, body)
        url = self.storage.url(key, self.region)
        return self.stack.prepare(url, wanted.parameters, self.tags, deployed)

    def _bring_up(self, before: ApplicationDetailTypeDef | None) -> None:
        if before is None:
            if self.start:
                self._say("starting the job")
                self.service.start()
                self._say("running")
            return
        self.service.check_update(before)
        start = (
            f"stopped, as before; start it with ./build.sh deploy start --stack {self.stack.name}"
        )
        self._say("running" if before["ApplicationStatus"] == RUNNING else start)


def _refuse_lower(current: str, wanted: str) -> None:
    if _version(wanted) < _version(current):
        raise CommandError(
            f"the application runs on {current} and this version is for {wanted}: the service "
            "takes no lower one (see docs/upgrade.md)"
        )


def _version(runtime: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", runtime)]


def snapshot_name(purpose: str) -> str:
    """Returns a name for a snapshot to take now.

    The time keeps it free: one of a run that failed later may still be there.
    """
    return f"{purpose}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
