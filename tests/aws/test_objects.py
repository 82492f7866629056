"""GeoIP databases in an emulated S3 (moto)."""

from __future__ import annotations

import json
import pickle
import re
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

import aws.objects
from aws.objects import S3Objects
from tests.support.aws import REGION, Aws
from tests.support.core import CITY_DATABASE, DATA, DEMO_DATABASE, NOW, combined, enriched
from tests.support.geoip_files import PARIS, SEOUL, write_flat
from tests.support.metrics import MetricGroup
from tools.geoip.sources import IPV4_FILE, IPV6_FILE
from udfs.config.core import CoreSettings
from udfs.config.location import S3Object
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError, DatabaseError

ASN_DATABASE = DATA / "GeoLite2-ASN-Test.mmdb"
BUCKET = "databases"
ITEM = S3Object(BUCKET, "geo/city.mmdb")


@pytest.fixture
def s3(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    client = aws.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    # An open database no longer needs its file.
    assert not list(temporary.iterdir())


def put(s3: Any, content: Path | bytes, key: str = ITEM.key) -> None:
    body = content if isinstance(content, bytes) else content.read_bytes()
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def core(**geoip: object) -> Enricher:
    given = {key.replace("_", "."): str(value) for key, value in geoip.items()}
    settings = CoreSettings.load({"weblog.geoip": given})
    return Enricher.create(settings, clock=lambda: NOW, store=S3Objects())


def field(using: Enricher, host: str, name: str = "city") -> Any:
    return json.loads(enriched(using, combined(host=host)).json)[name]


def test_a_new_object_is_taken(s3: Any) -> None:
    put(s3, CITY_DATABASE)
    using = core(database_path=ITEM)
    assert field(using, "81.2.69.142") == "London"
    assert not using.reload_geo()
    put(s3, DEMO_DATABASE)
    assert using.reload_geo()
    assert [field(using, host) for host in ("81.2.69.142", "83.149.9.216")] == [None, "Moscow"]
    assert not using.reload_geo()


def test_both_databases_may_be_objects(s3: Any) -> None:
    put(s3, CITY_DATABASE)
    put(s3, ASN_DATABASE, "asn.mmdb")
    using = core(database_path=ITEM, asn_database_path=f"s3://{BUCKET}/asn.mmdb")
    assert field(using, "89.160.20.113", "as_org") == "Bredband2 AB"
    assert field(using, "89.160.20.113") == "Linköping"
    put(s3, b"no database", "asn.mmdb")
    with pytest.raises(DatabaseError, match="not a MaxMind DB file"):
        using.reload_geo("asn")
    assert field(using, "89.160.20.113", "asn") == 29518


@pytest.mark.parametrize("kind", ["cut", "crash", "text"])
def test_a_bad_object_leaves_the_old_in_use_and_is_reported_once(s3: Any, kind: str) -> None:
    put(s3, DEMO_DATABASE)
    using = core(database_path=ITEM)
    whole = DEMO_DATABASE.read_bytes()
    crash = whole[:119_819] + b"\x75" + whole[119_820:]
    put(s3, {"cut": whole[:100_000], "crash": crash, "text": b"<html>"}[kind])
    with pytest.raises(DatabaseError) as caught:
        using.reload_geo()
    assert caught.value.path == str(ITEM)
    assert not using.reload_geo()
    assert field(using, "83.149.9.216") == "Moscow"
    put(s3, CITY_DATABASE)
    assert using.reload_geo()


def test_an_object_that_is_gone_leaves_the_old_in_use(s3: Any) -> None:
    put(s3, CITY_DATABASE)
    using = core(database_path=ITEM)
    s3.delete_object(Bucket=BUCKET, Key=ITEM.key)
    with pytest.raises(DatabaseError, match="no such object"):
        using.reload_geo()
    assert field(using, "81.2.69.142") == "London"


def test_what_cannot_be_fetched_is_tried_again(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, CITY_DATABASE)
    using = core(database_path=ITEM)
    put(s3, DEMO_DATABASE)
    with monkeypatch.context() as smaller:
        smaller.setattr(aws.objects, "MAX_OBJECT_BYTES", 1000)
        for _ in range(2):
            with pytest.raises(DatabaseError, match="larger than 1000 bytes"):
                using.reload_geo()
    assert field(using, "81.2.69.142") == "London"
    assert using.reload_geo()


def test_a_service_that_does_not_answer_leaves_the_old_in_use(
    s3: Any, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, CITY_DATABASE)
    using = core(database_path=ITEM)
    assert using._geo_file is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", nobody)
    store = S3Objects()
    with pytest.raises(DatabaseError, match="Could not connect") as caught:
        store.version(ITEM)
    assert caught.value.path == str(ITEM)


def test_another_version_than_the_one_looked_at_is_not_taken(s3: Any, tmp_path: Path) -> None:
    put(s3, CITY_DATABASE)
    store = S3Objects()
    version = store.version(ITEM)
    assert version is not None
    store.download(ITEM, version, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CITY_DATABASE.read_bytes()
    put(s3, DEMO_DATABASE)
    with pytest.raises(DatabaseError, match="reading it"):
        store.download(ITEM, version, tmp_path / "copy")


def test_either_file_of_a_pair_names_both(s3: Any, tmp_path: Path) -> None:
    put(s3, write_flat(tmp_path / IPV4_FILE, 4, {"1.2.3.0/24": PARIS}), f"geo/{IPV4_FILE}")
    put(s3, write_flat(tmp_path / IPV6_FILE, 6, {"2a00::/16": PARIS}), f"geo/{IPV6_FILE}")
    using = core(database_path=f"s3://{BUCKET}/geo/{IPV4_FILE}")
    assert [field(using, host) for host in ("1.2.3.4", "2a00::1")] == ["Paris", "Paris"]
    put(s3, write_flat(tmp_path / IPV6_FILE, 6, {"2a00::/16": SEOUL}), f"geo/{IPV6_FILE}")
    assert using.reload_geo()
    assert [field(using, host) for host in ("1.2.3.4", "2a00::1")] == ["Paris", "Seoul"]
    s3.delete_object(Bucket=BUCKET, Key=f"geo/{IPV6_FILE}")
    with pytest.raises(DatabaseError, match=f"{IPV6_FILE}: no such file"):
        using.reload_geo()


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (f"s3://{BUCKET}/nothing.mmdb", "no such object"),
        ("s3://no-such-bucket/city.mmdb", "no such object"),
        (f"s3://{BUCKET}/country.mmdb", "of type 'GeoIP2-Country', not a City database"),
    ],
)
def test_a_bad_object_is_a_bad_setting(s3: Any, address: str, problem: str) -> None:
    put(s3, DATA / "GeoIP2-Country-Test.mmdb", "country.mmdb")
    with pytest.raises(ConfigurationError) as caught:
        core(database_path=address)
    assert str(caught.value) == (
        f"weblog.geoip: database.path = {address!r}: expected a readable MaxMind DB file of City "
        f"type ({problem})"
    )


@pytest.mark.parametrize(
    "address", ["s3://", "s3://bucket", "s3://bucket/", "s3://Bucket/x", "s3:///key", "s3://b/a/"]
)
def test_what_is_no_address_is_a_bad_setting(address: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("a file path or s3://bucket/key")):
        core(database_path=address)


def test_a_core_without_a_store_says_so() -> None:
    settings = CoreSettings.load({"weblog.geoip": {"database.path": str(ITEM)}})
    with pytest.raises(ConfigurationError, match="nothing here reads S3"):
        Enricher.create(settings)


def test_denied_access_is_named(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    class Denied:
        def head_object(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    store = S3Objects()
    monkeypatch.setattr(store, "_made", Denied())
    with pytest.raises(DatabaseError, match=re.escape("access denied (Forbidden)")):
        store.version(ITEM)


def test_it_travels_to_the_workers() -> None:
    assert isinstance(pickle.loads(pickle.dumps(S3Objects())), S3Objects)  # noqa: S301 - our own


def test_a_worker_of_the_job_counts_and_logs_what_it_cannot_take(
    s3: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from udfs.flink.function import Worker

    class Context:
        group = MetricGroup()

        def get_metric_group(self) -> MetricGroup:
            return self.group

    put(s3, CITY_DATABASE)
    settings = CoreSettings.load({"weblog.geoip": {"database.path": str(ITEM)}})
    context: Any = Context()
    worker = Worker.open(context, settings, lambda _: None, S3Objects())
    put(s3, b"no database")
    worker.upkeep.run(perf_counter() + 3600)
    worker.close()
    assert context.group.counts["geoip_reload_failures"] == 1
    lines = [record.message for record in caplog.records if record.name == "weblog.worker"]
    started, failed = map(json.loads, lines)
    assert started["geoip"].startswith("GeoIP2-City of ")
    assert (failed["event_type"], failed["level"]) == ("geoip_reload", "ERROR")
    assert failed["database"] == "city"
    assert failed["error"] == "not a MaxMind DB file, or a corrupt one"
    assert field(worker.enricher, "81.2.69.142") == "London"
