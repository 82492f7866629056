"""The sources of the salt, with emulated secret stores (moto)."""

from __future__ import annotations

import pickle

import pytest

from aws.objects import S3Objects
from aws.salt import resolve_salt
from tests.support.aws import Aws
from udfs.config.core import CoreSettings
from udfs.config.root import ROOT
from udfs.errors import ConfigurationError

SALT = "a salt of enough bytes"


def settings(**privacy: str) -> CoreSettings:
    given = {key.replace("_", "."): value for key, value in privacy.items()}
    return CoreSettings.load({"weblog.privacy": {"profile": "strict", **given}})


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBLOG_PRIVACY_SALT", SALT)
    assert resolve_salt(settings()) == SALT.encode()
    assert resolve_salt(settings(salt_variable="OTHER")) is None
    monkeypatch.setenv("OTHER", "")
    assert resolve_salt(settings(salt_variable="OTHER")) is None


def test_none_is_read_when_none_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBLOG_PRIVACY_SALT", SALT)
    assert resolve_salt(CoreSettings()) is None


@pytest.mark.parametrize("value", [{"SecretString": SALT}, {"SecretBinary": SALT.encode()}])
def test_from_secrets_manager(aws: Aws, value: dict[str, str]) -> None:
    arn = aws.client("secretsmanager").create_secret(Name="salt", **value)["ARN"]
    assert resolve_salt(settings(salt_secret_arn=arn)) == SALT.encode()


@pytest.mark.parametrize("name", ["salt", "/weblog/salt"])
def test_from_the_parameter_store(aws: Aws, name: str) -> None:
    aws.client("ssm").put_parameter(Name=name, Value=SALT, Type="SecureString")
    arn = f"arn:aws:ssm:eu-west-1:123456789012:parameter/{name.lstrip('/')}"
    assert resolve_salt(settings(salt_secret_arn=arn)) == SALT.encode()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:nowhere-AbCdEf",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/nowhere",
    ],
)
def test_a_secret_that_cannot_be_read_is_named(aws: Aws, arn: str) -> None:
    with pytest.raises(ConfigurationError, match="a secret that can be read") as caught:
        resolve_salt(settings(salt_secret_arn=arn))
    assert (caught.value.key, caught.value.value) == ("salt.secret.arn", arn)


@pytest.mark.parametrize(
    "arn", ["a salt of enough bytes", "arn:aws:s3:::bucket", "arn:aws:ssm:x:1:parameter/y"]
)
def test_other_arns_are_refused(arn: str) -> None:
    with pytest.raises(ConfigurationError, match="Secrets Manager") as caught:
        settings(salt_secret_arn=arn)
    # The error does not show the value, which may be the salt itself.
    assert str(caught.value).startswith("weblog.privacy: salt.secret.arn: expected the ARN")


def test_the_function_travels_without_the_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    from udfs.flink.function import EnrichFunction

    monkeypatch.setenv("WEBLOG_PRIVACY_SALT", SALT)
    packed = pickle.dumps(EnrichFunction(settings(), resolve_salt, S3Objects()))
    assert SALT.encode() not in packed


@pytest.mark.parametrize(
    ("modules", "package"),
    [("aws.salt, aws.destinations", "botocore"), ("tools.replay.command", "boto3")],
)
def test_the_sdk_is_not_loaded_for_nothing(modules: str, package: str) -> None:
    import subprocess
    import sys

    code = f"import sys, {modules}; sys.exit({package!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
