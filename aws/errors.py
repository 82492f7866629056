"""Errors of AWS calls as one line that says what was tried and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from aws.put import CallError
from udfs.errors import WebLogError

# The meaning of error codes for the user; the service's own words follow in brackets.
_MEANINGS: Mapping[str, str] = {
    "AccessDenied": "access denied",
    "AccessDeniedException": "access denied",
    "403": "access denied",
    "ExpiredToken": "the AWS credentials have expired",
    "ExpiredTokenException": "the AWS credentials have expired",
    "InvalidClientTokenId": "the AWS credentials are not valid",
    "UnrecognizedClientException": "the AWS credentials are not valid",
    "ConcurrentModificationException": "somebody else changed it at the same time; try again",
    "ResourceInUseException": "it is busy or exists already",
    "ResourceNotFoundException": "there is none of that name",
    "LimitExceededException": "a limit of the account is reached",
    "NoSuchBucket": "there is no such bucket",
    "NoSuchEntity": "there is no such role",
}
_MESSAGE_LENGTH = 300


class AwsError(WebLogError):
    """A call of a service of AWS failed; the message says what was tried and what to do."""


class NotFoundError(AwsError):
    """The subject of the call does not exist."""


_NOT_FOUND = frozenset(
    {"404", "NoSuchBucket", "NoSuchEntity", "NoSuchKey", "NotFound", "ResourceNotFoundException"}
)


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turns an error of the AWS client within the block into an AwsError.

    Args:
        action: What the block does, such as `creating application 'weblog'`.

    Raises:
        NotFoundError: What the call is about does not exist.
        AwsError: Any other failure of a call.
    """
    try:
        yield
    except CallError as error:
        raise _explanation(action, error.__cause__) from error
    except (ClientError, BotoCoreError) as error:
        raise _explanation(action, error) from error


def _explanation(action: str, error: BaseException | None) -> AwsError:
    match error:
        case ClientError():
            code = error_code(error)
            kind = NotFoundError if code in _NOT_FOUND else AwsError
            return kind(f"{action}: {_meaning(code, error.response)}")
        case NoCredentialsError():
            return AwsError(f"{action}: no AWS credentials found: set AWS_PROFILE or sign in")
        case NoRegionError():
            return AwsError(f"{action}: no AWS region: give --region or set AWS_REGION")
    return AwsError(f"{action}: {_one_line(str(error))}")


def error_code(error: ClientError) -> str:
    """Returns the code of an error, such as `AccessDeniedException`, or the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _meaning(code: str, response: Mapping[str, Any]) -> str:
    message = _one_line(str(response.get("Error", {}).get("Message", "")))
    meaning = _MEANINGS.get(code)
    if meaning is None:
        return f"{message} ({code})" if message else code
    return f"{meaning} ({message})" if message else meaning


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LENGTH]
