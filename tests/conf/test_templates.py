"""What holds of every CloudFormation template: valid, least privilege, encrypted, kept."""

from __future__ import annotations

import pytest
from cfnlint.api import lint, lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from tests.support.aws import REGION
from tests.support.stacks import (
    EXAMPLES,
    FOLDER,
    SALT,
    RefusedError,
    Stack,
    examples,
    listed,
    stack,
    template,
)

LARGEST_TEMPLATE_BYTES = 51_200  # what CloudFormation takes without a bucket


def test_every_template_has_examples() -> None:
    assert EXAMPLES.keys() == {path.stem for path in FOLDER.glob("*.yaml")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_resource_is_made_in_an_example(name: str) -> None:
    made = {logical_id for one in examples(name) for logical_id in one.resources}
    assert made == template(name)["Resources"].keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_cfn_lint_finds_nothing(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    values = [dict(made.parameters) for made in examples(name)]
    config = ManualArgs(regions=[REGION, "us-east-1"], parameters=values)
    assert [str(match) for match in lint_file(path, config)] == []
    assert path.stat().st_size <= LARGEST_TEMPLATE_BYTES


def test_cfn_lint_would_find_something() -> None:
    text = (FOLDER / "lambda.yaml").read_text("utf-8").replace("python3.12", "python2.2")
    assert any("python2.2" in str(match) for match in lint(text, regions=[REGION]))


@pytest.mark.parametrize(
    ("name", "parameters", "reason"),
    [
        ("weblog", {"PrivacyProfile": "strict"}, "needs the salt"),
        ("weblog", {"KeyArn": SALT}, "KeyArn=arn:"),
        ("weblog", {"CodePrefix": "no/slash/at/its/end"}, "CodePrefix="),
        ("lambda", {"Shape": "consumer"}, "needs SourceStreamArn"),
        ("lambda", {"BatchMegabytes": "3.5"}, "BatchMegabytes="),
        ("operations", {"Shards": "3"}, "unknown: Shards"),
    ],
)
def test_wrong_parameters_are_refused(name: str, parameters: dict[str, str], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        stack(name, **parameters)


def reasons(name: str) -> dict[str, str]:
    """Why statements of a template name no single thing, by their names."""
    metadata: dict[str, dict[str, str]] = template(name).get("Metadata", {})
    return metadata.get("UnscopedResources", {})


def test_each_action_and_resource_is_named_or_has_a_reason(example: Stack) -> None:
    for _, statement in example.statements():
        if statement["Effect"] == "Deny":
            # Refusing everything is the point of the statement that refuses.
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            continue
        assert not any("*" in action for action in listed(statement["Action"])), statement
        for resource in listed(statement["Resource"]):
            assert resource.startswith("arn:aws:"), statement
            assert "*" not in resource or len(reasons(example.template)[statement["Sid"]]) > 40


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_reason_is_left_over(name: str) -> None:
    unscoped = {
        statement["Sid"]
        for made in examples(name)
        for _, statement in made.statements()
        if statement["Effect"] == "Allow" and "*" in "".join(listed(statement["Resource"]))
    }
    assert unscoped == reasons(name).keys()


def test_a_role_is_for_one_service_and_one_resource(example: Stack) -> None:
    for role in example.of("IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        service = statement["Principal"]["Service"]
        assert service.endswith(".amazonaws.com")
        if service != "lambda.amazonaws.com":  # which sends no such context
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
    # What a failed first try left there would be in the way of the second.
    for kind in ("Kinesis::Stream", "SQS::Queue", "S3::Bucket", "Logs::LogGroup"):
        for name in example.of(kind):
            assert example.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
            assert example.resources[name]["UpdateReplacePolicy"] == "Retain"
    for queue in example.of("SQS::Queue").values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    for group in example.of("Logs::LogGroup").values():
        assert group["RetentionInDays"] == 30
