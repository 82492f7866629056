"""DynamoDB as moto emulates it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from flink_app.lookups.dynamodb import DynamoDbTable
from flink_app.lookups.service import LookupService, LoopThread
from tools.run.kinesis.emulator import CREDENTIALS, REGION, emulator
from udfs.config.core import CoreSettings
from udfs.errors import ConfigurationError
from udfs.lookups.settings import DynamoDbSettings, LookupSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBServiceResource

TABLE = "pages"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with emulator() as url:
        dynamodb: DynamoDBServiceResource = boto3.resource(
            "dynamodb",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        table = dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "webpage", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "webpage", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item: dict[str, Any] = {
            "webpage": "product",
            "owner": 'the "shop" team',
            "price": Decimal("9.5"),
            "rank": Decimal(3),
            "tags": {"b", "a"},
            "secret": b"\x00",
            "secrets": {b"\x00", b"\x01"},
            "nested": {"campaign": "autumn", "active": True, "none": None},
        }
        table.put_item(Item=item)
        table.put_item(Item={"webpage": "large", "text": "x" * 5000})
        for number in range(250):
            table.put_item(Item={"webpage": f"page-{number}", "number": number})
        yield url
        dynamodb.meta.client.close()


@contextmanager
def service(endpoint: str, **settings: str) -> Iterator[LookupService]:
    properties = {"table": TABLE, "endpoint": endpoint, "region": REGION, "timeout": "20 s"}
    properties |= {name.replace("_", "."): value for name, value in settings.items()}
    policy = DynamoDbSettings.load({"weblog.lookups.dynamodb": properties | {"patience": "30 s"}})
    thread = LoopThread()
    backend = DynamoDbTable(policy)
    try:
        yield LookupService(backend, policy, thread.loop)
    finally:
        thread.close()
        backend.close()


def test_a_table_by_its_arn_is_asked_in_its_region(endpoint: str) -> None:
    arn = f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE}"
    with service(endpoint, table=arn, region="") as table:
        answers = table.start(["product"]).result()
    assert "rank" in (answers["product"] or "")


def test_the_region_is_that_of_the_arn() -> None:
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/pages"
    backend = DynamoDbTable(DynamoDbSettings(table=arn))
    assert backend._client.meta.region_name == "eu-west-1"
    backend.close()
    groups = {"weblog.lookups.dynamodb": {"table": arn, "region": "us-east-1"}}
    expected = r"region = 'us-east-1': expected eu-west-1, where the table's ARN has it"
    with pytest.raises(ConfigurationError, match=expected):
        LookupSettings.load(groups, CoreSettings())


def test_attributes_without_the_key(endpoint: str) -> None:
    with service(endpoint) as table:
        answers = table.start(["product", "unknown"]).result()
    assert answers["unknown"] == "null"
    assert json.loads(answers["product"] or "") == {
        "owner": 'the "shop" team',
        "price": 9.5,
        "rank": 3,
        "tags": ["a", "b"],
        "secret": None,
        "secrets": None,
        "nested": {"campaign": "autumn", "active": True, "none": None},
    }


def test_more_keys_than_one_call_takes(endpoint: str) -> None:
    keys = [f"page-{number}" for number in range(250)]
    with service(endpoint) as table:
        answers = table.start(keys).result()
        assert answers == {key: f'{{"number":{number}}}' for number, key in enumerate(keys)}
        table.start(keys).result()
        assert (table.use().hits, table.use().misses) == (250, 250)


def test_what_cannot_be_a_key_has_no_item_and_spoils_no_call(endpoint: str) -> None:
    with service(endpoint) as table:
        answers = table.start(["", "x" * 3000, "page-1"]).result()
    assert answers == {"": "null", "x" * 3000: "null", "page-1": '{"number":1}'}


def test_an_item_too_large_for_a_record_fails(endpoint: str) -> None:
    with service(endpoint) as table:
        assert table.start(["large"]).result() == {"large": None}


def test_no_such_table_fails_the_job(endpoint: str) -> None:
    with (
        service(endpoint, table="nowhere") as table,
        pytest.raises(ConfigurationError, match=r"table = 'nowhere'.*ResourceNotFoundException"),
    ):
        table.start(["a"]).result()


def test_another_key_attribute_fails_the_job(endpoint: str) -> None:
    with service(endpoint, key="page") as table, pytest.raises(ConfigurationError, match="'page'"):
        table.start(["a"]).result()


def test_nobody_answers(nobody: str) -> None:
    with service(nobody, breaker_failures="1") as table:
        assert table.start(["a", "b"]).result() == {"a": None, "b": None}
        assert table.start(["c", "d"]).result() == {"c": None, "d": None}
        assert (table.use().breaker_opened, table.use().failures) == (1, 4)


@pytest.mark.parametrize(("attempts", "second"), [("1", None), ("2", '{"number":2}')])
def test_keys_left_by_a_busy_table_are_sent_again(attempts: str, second: str | None) -> None:
    busy = {
        "Responses": {TABLE: [{"webpage": {"S": "a"}, "number": {"N": "1"}}]},
        "UnprocessedKeys": {TABLE: {"Keys": [{"webpage": {"S": "b"}}]}},
    }
    well = {"Responses": {TABLE: [{"webpage": {"S": "b"}, "number": {"N": "2"}}]}}
    left = {"RequestItems": {TABLE: {"Keys": [{"webpage": {"S": "b"}}]}}}
    # The emulator is never too busy, so a stub answers.
    with service("http://127.0.0.1", attempts=attempts) as table:
        backend = table._backend
        assert isinstance(backend, DynamoDbTable)
        with Stubber(backend._client) as stubber:
            stubber.add_response("batch_get_item", busy)
            stubber.add_response("batch_get_item", well, left)
            answers = table.start(["a", "b", "c"]).result()
    assert answers == {"a": '{"number":1}', "b": second, "c": "null"}
    assert table.use().failures == (second is None)
