"""The secret salt of the privacy settings: from the environment, or from a secret store.

Managed Flink gives a job no environment variables, so there the salt is a secret in Secrets
Manager or a SecureString in SSM's Parameter Store, named by its ARN. It is read where it is
used, in each worker, and never becomes part of the job's own data. Nothing here needs Flink.
"""

from __future__ import annotations

import os
from typing import Any

from aws.arn import region_of
from udfs.config.core import CoreSettings, PrivacySettings
from udfs.errors import ConfigurationError
from udfs.privacy.rules import privacy_rules

_ENDING_OF_SSM_NAME = ":parameter"


def resolve_salt(settings: CoreSettings) -> bytes | None:
    """Reads the salt that the privacy settings name.

    Returns:
        The salt; None when nothing is hidden, so that none is needed, or when there is none.
        The core decides whether that will do.

    Raises:
        ConfigurationError: The secret cannot be read. Its value is never shown.
    """
    if not privacy_rules(settings.privacy, settings.dead_letters).hides_anything:
        return None
    if settings.privacy.salt_secret_arn:
        return _secret(settings.privacy)
    salt = os.environb.get(settings.privacy.salt_variable.encode())
    return salt or None


def _secret(settings: PrivacySettings) -> bytes:
    # Slow to import, and of no use to a job without a secret.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    arn = settings.salt_secret_arn
    try:
        session = boto3.session.Session(region_name=region_of(arn))
        return _parameter(session, arn) if ":ssm:" in arn else _managed_secret(session, arn)
    except ClientError as error:
        raise _unreadable(settings, str(error.response["Error"]["Code"])) from None
    except BotoCoreError as error:
        raise _unreadable(settings, type(error).__name__) from None


def _managed_secret(session: Any, arn: str) -> bytes:
    answer = session.client("secretsmanager").get_secret_value(SecretId=arn)
    binary: bytes | None = answer.get("SecretBinary")
    return answer["SecretString"].encode() if binary is None else binary


def _parameter(session: Any, arn: str) -> bytes:
    name = arn.partition(_ENDING_OF_SSM_NAME)[2]
    # A name without further slashes is stored without the first one.
    if name.count("/") == 1:
        name = name[1:]
    answer = session.client("ssm").get_parameter(Name=name, WithDecryption=True)
    value: str = answer["Parameter"]["Value"]
    return value.encode()


def _unreadable(settings: PrivacySettings, problem: str) -> ConfigurationError:
    return settings.error(
        "salt.secret.arn", settings.salt_secret_arn, f"a secret that can be read ({problem})"
    )
