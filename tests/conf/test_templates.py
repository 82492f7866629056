"""Rules for every CloudFormation template: validity, least privilege, encryption, retention."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cfnlint.api import lint, lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from tests.support.aws import REGION
from tests.support.stacks import (
    CONSUMER,
    EXAMPLES,
    SALT,
    RefusedError,
    Stack,
    examples,
    function,
    job,
    listed,
)
from tools.deploy.template import FOLDER, PARTS

LARGEST_PART_BYTES = 40_000
LARGEST_TEMPLATE_BYTES = 200_000  # CloudFormation takes 1 MB from a bucket


def test_every_part_is_of_a_stack() -> None:
    assert {part for parts in PARTS.values() for part in parts} == {
        path.stem for path in FOLDER.glob("*.yaml")
    }
    assert all(path.stat().st_size < LARGEST_PART_BYTES for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_resource_is_made_in_an_example(kind: str) -> None:
    made = {logical_id for one in examples(kind) for logical_id in one.resources}
    assert made == {name for one in examples(kind) for name in one.template["Resources"]}


def test_cfn_lint_finds_nothing(example: Stack, tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(example.template))
    values = {
        name: value.split(",")
        if declared["Type"] == "CommaDelimitedList" and value == ""
        else value
        for name, declared in example.template["Parameters"].items()
        for value in (example.parameters[name],)
    }
    config = ManualArgs(regions=[REGION], parameters=[values])
    assert [str(match) for match in lint_file(path, config)] == []
    assert path.stat().st_size <= LARGEST_TEMPLATE_BYTES


def test_cfn_lint_would_find_something() -> None:
    text = json.dumps(function().template).replace("python3.12", "python2.2")
    assert any("python2.2" in str(match) for match in lint(text, regions=[REGION]))


@pytest.mark.parametrize(
    ("make", "values", "reason"),
    [
        (job, {"KeyArn": SALT}, "KeyArn=arn:"),
        (job, {"CodeKey": "no.jar"}, "CodeKey="),
        (job, {"MaintenanceWindow": "25:00"}, "MaintenanceWindow="),
        (job, {"BatchSeconds": "3"}, "unknown: BatchSeconds"),
        (function, {"Shape": "consumer"}, "needs InputStreamArn"),
        (function, {**CONSUMER, "PartitionBy": "hour"}, "PartitionBy needs Shape inline"),
        (function, {"LakeDatabase": "weblog"}, "LakeDatabase needs PartitionBy hour"),
        (job, {"LakeDatabase": "web-log"}, "LakeDatabase=web-log"),
        (job, {"AlertWebhookSecretArn": "https://hooks.example.com/x"}, "AlertWebhookSecretArn="),
        (function, {"BatchMegabytes": "3.5"}, "BatchMegabytes="),
    ],
)
def test_wrong_parameters_are_refused(
    make: Callable[..., Stack], values: dict[str, str], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        make(**values)


def reasons(made: Stack) -> dict[str, str]:
    """Returns the reasons for statements without a single resource, by statement."""
    written: dict[str, str] = made.template["Metadata"]["UnscopedResources"]
    return written


def test_each_action_and_resource_is_named_or_has_a_reason(example: Stack) -> None:
    for _, statement in example.statements():
        if statement["Effect"] == "Deny":
            # A statement that refuses may refuse everything.
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            continue
        assert not any("*" in action for action in listed(statement["Action"])), statement
        for resource in listed(statement["Resource"]):
            assert resource.startswith("arn:aws:") or resource == "*", statement
            assert "*" not in resource or len(reasons(example)[statement["Sid"]]) > 40


@pytest.mark.parametrize("kind", EXAMPLES)
def test_no_reason_is_left_over(kind: str) -> None:
    unscoped = {
        statement["Sid"]
        for made in examples(kind)
        for _, statement in made.statements()
        if statement["Effect"] == "Allow" and "*" in "".join(listed(statement["Resource"]))
    }
    assert unscoped == reasons(next(examples(kind))).keys()


def test_a_role_is_for_one_service_and_one_resource(example: Stack) -> None:
    for role in example.of("IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        assert service.endswith(".amazonaws.com")
        if service != "lambda.amazonaws.com":  # Lambda sends no such context
            (account,) = statement["Condition"]["StringEquals"].values()
            (source,) = statement["Condition"]["ArnEquals"].values()
            assert source.split(":")[4:5] == [account]
            assert "*" not in source


def test_everything_is_encrypted(example: Stack) -> None:
    key = example.parameters.get("KeyArn") or None
    for stream in example.of("Kinesis::Stream").values():
        expected = {"EncryptionType": "KMS", "KeyId": key or "alias/aws/kinesis"}
        assert stream["StreamEncryption"] == expected
    for queue in example.of("SQS::Queue").values():
        assert queue.get("KmsMasterKeyId") == key
        assert queue.get("SqsManagedSseEnabled", False) is (key is None)
    for bucket in example.of("S3::Bucket").values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        expected = by_key if key else {"SSEAlgorithm": "AES256"}
        assert rule["ServerSideEncryptionByDefault"] == expected
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    for group in example.of("Logs::LogGroup").values():
        assert group.get("KmsKeyId") == key


def test_data_outlives_a_stack_but_not_one_that_could_not_be_made(example: Stack) -> None:
    # Resources left by a failed first attempt would be in the way of the second.
    for kind in ("Kinesis::Stream", "SQS::Queue", "S3::Bucket", "Logs::LogGroup"):
        for name in example.of(kind):
            assert example.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
            assert example.resources[name]["UpdateReplacePolicy"] == "Retain"
    for queue in example.of("SQS::Queue").values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    for group in example.of("Logs::LogGroup").values():
        assert group["RetentionInDays"] == 30
