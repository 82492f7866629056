"""Reference data in a DynamoDB table, up to a hundred keys a call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config
import orjson
from boto3.dynamodb.types import Binary, TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError

from flink_app.lookups.service import NOTHING
from udfs.enrich.reference import MAX_REFERENCE_BYTES
from udfs.errors import TransientError
from udfs.lookups.settings import DynamoDbSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LONGEST_KEY_BYTES = 2048
_WRONG_SETTINGS = {
    "AccessDeniedException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
}


class DynamoDbTable:
    """Asks a table; see `flink_app.lookups.service.Backend`."""

    largest_call = 100

    def __init__(self, settings: DynamoDbSettings) -> None:
        """Prepares to ask.

        Raises:
            ConfigurationError: There is no region.
        """
        self._settings = settings
        self._table = settings.table
        self._key = settings.key
        threads = settings.concurrency
        seconds = settings.timeout.total_seconds()
        config = botocore.config.Config(
            connect_timeout=seconds,
            read_timeout=seconds,
            max_pool_connections=threads,
            # Retries are the service's own: with pauses between, and past a breaker.
            retries={"total_max_attempts": 1},
        )
        try:
            self._client: DynamoDBClient = boto3.client(
                "dynamodb",
                region_name=settings.table_region or None,
                endpoint_url=settings.endpoint or None,
                config=config,
            )
        except BotoCoreError as error:
            raise settings.error("region", settings.region, f"a region ({error})") from error
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="dynamodb")
        self._read = TypeDeserializer().deserialize

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Asks for the items of some keys.

        Raises:
            TransientError: The service did not answer, or was overloaded.
            ConfigurationError: No such table, no access to it, or another key.
        """
        # A text that cannot be a key would make the whole call fail.
        usable = [key for key in keys if 0 < len(key.encode()) <= _LONGEST_KEY_BYTES]
        answers: dict[str, str | None] = dict.fromkeys(set(keys) - set(usable), NOTHING)
        if usable:
            loop = asyncio.get_running_loop()
            answers |= await loop.run_in_executor(self._threads, self._get, usable)
        return answers

    def close(self) -> None:
        """Ends the threads; calls under way end with their time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _get(self, keys: list[str]) -> dict[str, str | None]:
        wanted = [{self._key: {"S": key}} for key in keys]
        try:
            response = self._client.batch_get_item(RequestItems={self._table: {"Keys": wanted}})
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _WRONG_SETTINGS:
                expected = f"a table that can be read by its string key {self._key!r} ({code})"
                raise self._settings.error("table", self._table, expected) from error
            raise TransientError("enrich", "dynamodb", code) from error
        except BotoCoreError as error:
            raise TransientError("enrich", "dynamodb", type(error).__name__) from error
        # Throttled in part: the rest may be asked for again.
        left = {
            key[self._key]["S"]
            for table in response.get("UnprocessedKeys", {}).values()
            for key in table["Keys"]
        }
        answers: dict[str, str | None] = {key: NOTHING for key in keys if key not in left}
        if not answers:
            raise TransientError("enrich", "dynamodb", "UnprocessedKeys")
        for items in response["Responses"].values():
            for item in items:
                values = {name: self._read(value) for name, value in item.items()}
                key = str(values.pop(self._key))
                answers[key] = _json(values)
        return answers


def _json(values: dict[str, Any]) -> str | None:
    text = orjson.dumps(values, default=_plain, option=orjson.OPT_SORT_KEYS)
    return text.decode() if len(text) <= MAX_REFERENCE_BYTES else None


def _plain(value: object) -> object:
    match value:
        case Decimal():
            whole = int(value)
            return whole if whole == value and abs(whole) < 2**53 else float(value)
        case set() if not any(isinstance(member, Binary) for member in value):
            return sorted(value)
    # Binary values, and sets of them, have no form in JSON.
    return None
