"""Answers that moto's CloudFormation never gives: refusals, failures, and states after them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from aws.errors import AwsError
from tests.support.deploy import CREATED, NAME, REGION, Script
from tools.deploy.stack import ChangeSet, DeployedStack, Stack
from tools.shell import CommandError

ID = f"arn:aws:cloudformation:{REGION}:123456789012:stack/{NAME}/1"
SET = f"arn:aws:cloudformation:{REGION}:123456789012:changeSet/deploy/1"


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client: Any = boto3.client("cloudformation", region_name=REGION)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def stack(stub: Stubber, script: Script) -> Stack:
    client: Any = stub.client
    return Stack(client, NAME, script.patience)


def described(status: str) -> dict[str, Any]:
    return {
        "Stacks": [
            {"StackId": ID, "StackName": NAME, "StackStatus": status, "CreationTime": CREATED}
        ]
    }


def deployed(status: str = "CREATE_COMPLETE", **template: Any) -> DeployedStack:
    return DeployedStack(ID, status, {}, {}, template)


def test_a_stack_that_is_not_there_or_empty_is_none(stub: Stubber, stack: Stack) -> None:
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    assert stack.find() is None
    stub.add_response("describe_stacks", described("REVIEW_IN_PROGRESS"))
    assert stack.find() is None
    stub.add_client_error("describe_stacks", "AccessDenied", "no")
    with pytest.raises(AwsError, match="stack 'weblog': access denied"):
        stack.find()


def test_a_stack_of_somebody_else_stays_unchanged() -> None:
    with pytest.raises(CommandError, match=r"was not made by \./build\.sh deploy"):
        assert deployed(Resources={}).kind


def test_a_stack_that_could_not_be_made_is_to_be_deleted(stack: Stack) -> None:
    with pytest.raises(
        CommandError, match=r"is ROLLBACK_COMPLETE: delete it first, with `deploy d"
    ):
        stack.prepare("https://example.com", {}, {}, deployed("ROLLBACK_COMPLETE"))


def prepared(stub: Stubber, *answers: dict[str, Any]) -> None:
    stub.add_response(
        "create_change_set",
        {"Id": SET, "StackId": ID},
        {
            "StackName": NAME,
            "ChangeSetName": ANY,
            "ChangeSetType": "UPDATE",
            "TemplateURL": "https://example.com",
            "Parameters": [{"ParameterKey": "Shards", "ParameterValue": "2"}],
            "Capabilities": ["CAPABILITY_IAM"],
        },
    )
    for answer in answers:
        stub.add_response("describe_change_set", {"Changes": [], **answer})


def prepare(stack: Stack) -> Any:
    return stack.prepare("https://example.com", {"Shards": "2"}, {}, deployed())


def test_a_change_set_is_waited_for_and_has_all_its_pages(stub: Stubber, stack: Stack) -> None:
    changes = [{"Type": "Resource", "ResourceChange": {"LogicalResourceId": name}} for name in "ab"]
    prepared(
        stub,
        {"Status": "CREATE_IN_PROGRESS"},
        {"Status": "CREATE_COMPLETE", "Changes": changes[:1], "NextToken": "more"},
        {"Status": "CREATE_COMPLETE", "Changes": changes[1:]},
    )
    made = prepare(stack)
    assert made.touches("a")
    assert made.touches("b")
    assert not made.touches("c")


def test_nothing_to_change_is_no_change_set(stub: Stubber, stack: Stack) -> None:
    prepared(
        stub, {"Status": "FAILED", "StatusReason": "The sub... didn't contain changes. Sub..."}
    )
    stub.add_response("delete_change_set", {}, {"ChangeSetName": SET, "StackName": NAME})
    assert prepare(stack) is None


def test_a_refused_change_set_says_why(stub: Stubber, stack: Stack) -> None:
    prepared(stub, {"Status": "FAILED", "StatusReason": "Shards must be at least 1"})
    stub.add_response("delete_change_set", {})
    with pytest.raises(AwsError, match="'weblog': Shards must be at least 1"):
        prepare(stack)


def event(number: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": ID,
        "EventId": str(number),
        "StackName": NAME,
        "Timestamp": CREATED,
        "LogicalResourceId": name,
        "PhysicalResourceId": ID if name == NAME else name,
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
    }


def test_a_resource_that_fails_is_named_with_its_reason(
    stub: Stubber, stack: Stack, script: Script
) -> None:
    old = event(1, NAME, "CREATE_COMPLETE")
    first = event(2, "Queue", "UPDATE_IN_PROGRESS")
    failed = event(3, "Queue", "UPDATE_FAILED", "no such key")
    later = event(4, "Stream", "UPDATE_FAILED", "cancelled")
    ended = event(5, NAME, "UPDATE_ROLLBACK_COMPLETE")
    change_set = ChangeSet(SET, creates=False, changes=())
    stub.add_response("describe_stack_events", {"StackEvents": [old]})
    stub.add_response("execute_change_set", {}, {"ChangeSetName": SET, "StackName": NAME})
    # The service lists the newest events first.
    stub.add_response("describe_stack_events", {"StackEvents": [failed, first, old]})
    events = [ended, later, failed, first, old]
    stub.add_response("describe_stack_events", {"StackEvents": events})

    expected = "stack 'weblog' ended as UPDATE_ROLLBACK_COMPLETE: Queue: no such key"
    with pytest.raises(CommandError, match=expected):
        stack.execute(change_set)

    assert script.said == [
        "  UPDATE_FAILED    Queue  no such key",
        "waiting for stack 'weblog' (0 s)",
        "  UPDATE_FAILED    Stream  cancelled",
        "  UPDATE_ROLLBACK_COMPLETE weblog",
    ]
