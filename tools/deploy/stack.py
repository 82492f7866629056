"""The calls to CloudFormation: one stack, its change sets and its events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from aws.errors import AwsError, error_code, explained
from tools.deploy.template import Kind, Template
from tools.deploy.waiting import Patience
from tools.shell import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        ChangeTypeDef,
        ParameterTypeDef,
        StackEventTypeDef,
        StackTypeDef,
    )

# A stack that a change set made and nobody executed.
_EMPTY = "REVIEW_IN_PROGRESS"
# One whose creation failed can only be deleted.
_DEAD = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
_SUCCESS = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE"})
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
METADATA = "WebLog"


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack as it is.

    Attributes:
        id: Its ARN.
        status: CloudFormation's word for its state.
        parameters: Their values.
        outputs: Its outputs by key.
        template: Its template.
    """

    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    template: Template

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Returns what `deploy` noted in the template.

        Raises:
            CommandError: It was not made by `deploy`.
        """
        noted: Mapping[str, Any] | None = self.template.get("Metadata", {}).get(METADATA)
        if noted is None:
            raise CommandError(f"stack {self.id} was not made by ./build.sh deploy")
        return noted

    @property
    def kind(self) -> Kind:
        """Returns what the stack is of."""
        kind: Kind = self.metadata["Kind"]
        return kind


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What CloudFormation would do."""

    id: str
    creates: bool
    changes: tuple[ChangeTypeDef, ...]

    def touches(self, logical_id: str) -> bool:
        """Returns whether a resource is changed or replaced."""
        changed = (change["ResourceChange"].get("LogicalResourceId") for change in self.changes)
        return logical_id in changed


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack.

    Attributes:
        client: boto3's client of `cloudformation`.
        name: The stack's name.
        patience: How to wait.
    """

    client: CloudFormationClient
    name: str
    patience: Patience = field(default_factory=Patience)

    def _described(self) -> StackTypeDef | None:
        with explained(f"stack {self.name!r}"):
            try:
                return self.client.describe_stacks(StackName=self.name)["Stacks"][0]
            except ClientError as error:
                # There is no code of its own for a stack that does not exist.
                if error_code(error) == "ValidationError" and "exist" in str(error):
                    return None
                raise

    def find(self) -> DeployedStack | None:
        """Returns the stack as it is; None when there is none.

        Raises:
            WebLogError: The call failed, or the stack can't be used in its state.
        """
        stack = self._described()
        if stack is None or stack["StackStatus"] == _EMPTY:
            return None
        with explained(f"template of stack {self.name!r}"):
            body: Any = self.client.get_template(StackName=self.name)["TemplateBody"]
        return DeployedStack(
            stack["StackId"],
            stack["StackStatus"],
            {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])},
            {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])},
            # The client reads JSON itself, other text is as it was sent.
            json.loads(body) if isinstance(body, str) else body,
        )

    def deployed(self) -> DeployedStack:
        """Returns the stack as it is.

        Raises:
            WebLogError: There is none, or the call failed.
        """
        deployed = self.find()
        if deployed is None:
            raise CommandError(f"there is no stack {self.name!r}")
        return deployed

    def prepare(
        self,
        url: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        deployed: DeployedStack | None,
    ) -> ChangeSet | None:
        """Makes a change set; returns None when it would change nothing.

        Args:
            url: Where the template is.
            parameters: Values of parameters.
            tags: Tags of the stack and all its resources; without any they stay as they are.
            deployed: The stack as it is.

        Raises:
            WebLogError: The call failed, or CloudFormation refused it.
        """
        if deployed is not None and deployed.status in _DEAD:
            raise CommandError(
                f"stack {self.name!r} is {deployed.status}: delete it first, with `deploy delete`"
            )
        values: list[ParameterTypeDef] = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ]
        tagged = [{"Key": key, "Value": value} for key, value in tags.items()]
        more: Any = {"Tags": tagged} if tagged else {}
        if deployed is None:
            # What a deleted stack of this name left is taken over again.
            more["ImportExistingResources"] = True
        with explained(f"change set of stack {self.name!r}"):
            answer = self.client.create_change_set(
                StackName=self.name,
                ChangeSetName=f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
                ChangeSetType="CREATE" if deployed is None else "UPDATE",
                TemplateURL=url,
                Parameters=values,
                Capabilities=["CAPABILITY_IAM"],
                **more,
            )
        return self._changes(answer["Id"], creates=deployed is None)

    def _changes(self, change_set: str, *, creates: bool) -> ChangeSet | None:
        pages = self.client.get_paginator("describe_change_set")

        def look() -> tuple[str, str, tuple[ChangeTypeDef, ...]] | None:
            with explained(f"change set of stack {self.name!r}"):
                answers = list(pages.paginate(ChangeSetName=change_set, StackName=self.name))
            status, reason = answers[0]["Status"], answers[0].get("StatusReason", "")
            if status in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
                return None
            return status, reason, tuple(change for page in answers for change in page["Changes"])

        status, reason, changes = self.patience.wait(look, "for the change set")
        prepared = ChangeSet(change_set, creates, changes)
        if status == "CREATE_COMPLETE":
            return prepared
        self.discard(prepared)
        if any(text in reason for text in _UNCHANGED):
            return None
        raise AwsError(f"change set of stack {self.name!r}: {reason}")

    def discard(self, change_set: ChangeSet) -> None:
        """Deletes a change set, and the empty stack that came with it.

        Raises:
            AwsError: The call failed.
        """
        with explained(f"change set of stack {self.name!r}"):
            self.client.delete_change_set(ChangeSetName=change_set.id, StackName=self.name)
            if change_set.creates:
                self.client.delete_stack(StackName=self.name)

    def execute(self, change_set: ChangeSet) -> None:
        """Executes a change set and follows the stack's events to the end.

        Raises:
            WebLogError: The call failed, or a resource did.
        """
        before = {event["EventId"] for event in self._events()}
        with explained(f"changing stack {self.name!r}"):
            self.client.execute_change_set(ChangeSetName=change_set.id, StackName=self.name)
        self._follow(self.name, before)

    def delete(self, deployed: DeployedStack) -> None:
        """Deletes the stack and follows its events to the end.

        Raises:
            WebLogError: The call failed, or a resource could not be deleted.
        """
        before = {event["EventId"] for event in self._events()}
        with explained(f"deleting stack {self.name!r}"):
            self.client.delete_stack(StackName=self.name)
        # A deleted stack is found only by its ARN.
        self._follow(deployed.id, before)

    def kept(self, deployed: DeployedStack) -> Iterator[str]:
        """Yields what the stack leaves when it is deleted, as type and name.

        Raises:
            AwsError: The call failed.
        """
        pages = self.client.get_paginator("list_stack_resources")
        with explained(f"resources of stack {self.name!r}"):
            summaries = [
                summary
                for page in pages.paginate(StackName=self.name)
                for summary in page["StackResourceSummaries"]
            ]
        for summary in summaries:
            resource = deployed.template["Resources"].get(summary["LogicalResourceId"], {})
            if str(resource.get("DeletionPolicy", "")).startswith("Retain"):
                yield f"{summary['ResourceType']} {summary.get('PhysicalResourceId', '')}"

    # --- events ------------------------------------------------------------------------

    def _events(self, stack: str = "") -> Iterator[StackEventTypeDef]:
        pages = self.client.get_paginator("describe_stack_events")
        with explained(f"events of stack {self.name!r}"):
            for page in pages.paginate(StackName=stack or self.name):
                yield from page["StackEvents"]

    def _follow(self, stack: str, seen: set[str]) -> None:
        failures: list[str] = []

        def look() -> str | None:
            fresh = [event for event in self._events(stack) if event["EventId"] not in seen]
            ended = None
            for event in reversed(fresh):
                seen.add(event["EventId"])
                status = event.get("ResourceStatus", "")
                whole = event.get("PhysicalResourceId") == event["StackId"]
                reason = event.get("ResourceStatusReason", "")
                if status.endswith("FAILED"):
                    failures.append(f"{event.get('LogicalResourceId')}: {reason}")
                if not status.endswith("_IN_PROGRESS"):
                    line = f"  {status:<16} {event.get('LogicalResourceId', '')}"
                    self.patience.say(f"{line}  {reason}".rstrip())
                    ended = status if whole else ended
            return ended

        status = self.patience.wait(look, f"for stack {self.name!r}")
        if status not in _SUCCESS:
            why = failures[0] if failures else "see its events"
            raise CommandError(f"stack {self.name!r} ended as {status}: {why}")
