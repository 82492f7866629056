"""The check of property files before anything is sent to the service."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from flink_app.settings import JobSettings
from tests.support.deploy import Groups, kinesis_groups, write_zip
from tools.deploy import runtime_properties as module
from tools.deploy.runtime_properties import checked, with_data
from tools.package.layout import RUN_OPTIONS_GROUP, Manifest, read_manifest
from udfs.errors import ConfigurationError

SALT = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:salt-AbCdEf"
IN_ZIP = {
    "app/data/city.mmdb": "",
    "app/data/pages.csv": "webpage,owner\nindex,shop\n",
}


def read(tmp_path: Path, groups: Groups, *, connectors: bool = True) -> JobSettings:
    archive = write_zip(tmp_path / "x.zip", connectors=connectors, more=IN_ZIP)
    return checked(groups, archive, read_manifest(archive))


def test_data_of_the_zip_is_used_unless_the_settings_name_other(tmp_path: Path) -> None:
    manifest = Manifest(
        "x", "1", connectors=True, geoip="data/city.mmdb", asn="data/asn.mmdb",
        reference="data/p.csv",
    )  # fmt: skip
    given = kinesis_groups() | {"weblog.geoip": {"database.path": "data/own.mmdb"}}

    groups = with_data(given, manifest)

    databases = {"database.path": "data/own.mmdb", "asn.database.path": "data/asn.mmdb"}
    added = {"weblog.geoip": databases, "weblog.reference": {"file": "data/p.csv"}}
    assert groups == given | added
    assert with_data(given, Manifest("x", "1", connectors=True)) == given


def test_a_database_in_the_zip(tmp_path: Path) -> None:
    read(tmp_path, kinesis_groups() | {"weblog.geoip": {"database.path": "data/city.mmdb"}})


def test_reference_data_in_the_zip(tmp_path: Path) -> None:
    read(tmp_path, kinesis_groups() | {"weblog.reference": {"file": "data/pages.csv"}})


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"file": "data/other.csv"}, "package --reference FILE"),
        ({"file": "/data/pages.csv"}, "package --reference FILE"),
        ({"file": "data/pages.csv", "key": "page"}, r"file \(an entry without 'page'\)"),
    ],
)
def test_reference_data_that_cannot_be_used(
    tmp_path: Path, reference: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^weblog.reference: file = .*{expected}"):
        read(tmp_path, kinesis_groups() | {"weblog.reference": reference})


@pytest.mark.parametrize("hiding", [{"profile": "strict"}, {"agent": "truncate"}])
def test_hiding_takes_a_salt_that_the_service_can_reach(
    tmp_path: Path, hiding: dict[str, str]
) -> None:
    privacy = hiding | {"salt.variable": "SALT"}
    with pytest.raises(ConfigurationError, match="expected the ARN of a secret with the salt"):
        read(tmp_path, kinesis_groups() | {"weblog.privacy": privacy})

    read(tmp_path, kinesis_groups() | {"weblog.privacy": privacy | {"salt.secret.arn": SALT}})


@pytest.mark.parametrize("group", ["weblog.source", "weblog.sink.all", "weblog.lookups.dynamodb"])
def test_an_emulator_is_out_of_the_services_reach(tmp_path: Path, group: str) -> None:
    groups = kinesis_groups()
    groups.setdefault(group, {})["endpoint"] = "http://127.0.0.1:4566"
    with pytest.raises(ConfigurationError, match=f"^{group}: endpoint = .* expected an https://"):
        read(tmp_path, groups)

    groups[group]["endpoint"] = "https://vpce-1.example.com"
    read(tmp_path, groups)


@pytest.mark.parametrize(
    ("group", "key", "value", "expected"),
    [
        ("weblog.geoip", "database.path", "data/other.mmdb", "a path in the zip"),
        ("weblog.geoip", "database.path", "/data/city.mmdb", "a path in the zip"),
        ("weblog.source", "stream.arn", "weblog", "an ARN such as"),
        ("weblog.windows", "size", "soon", "a duration"),
        ("weblog.windows", "siez", "1 min", "did you mean 'size'"),
        ("weblog.window", "size", "1 min", "did you mean 'weblog.windows'"),
        ("weblog.geoip", "database.path", "", "takes no empty one"),
        (RUN_OPTIONS_GROUP, "python", "x.py", "not to be set"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, group: str, key: str, value: str, expected: str
) -> None:
    groups = kinesis_groups()
    groups[group] = groups.get(group, {}) | {key: value}

    with pytest.raises(ConfigurationError, match=expected):
        read(tmp_path, groups)


@pytest.mark.parametrize("group", ["weblog.source", "weblog.sink.all"])
def test_local_folders_are_refused(tmp_path: Path, group: str) -> None:
    groups = kinesis_groups()
    groups[group] = {"type": "filesystem", "path": "/var/log"}
    with pytest.raises(ConfigurationError, match=rf"{group}: path = '/var/log': expected an s3://"):
        read(tmp_path, groups)

    groups[group]["path"] = "s3://bucket/prefix"
    read(tmp_path, groups)


def test_streams_need_connectors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="this zip has none"):
        read(tmp_path, kinesis_groups(), connectors=False)


def sinks(count: int) -> Groups:
    return {f"weblog.sink.s{number}": {"type": "discard"} for number in range(count)}


def rules(count: int) -> Groups:
    return {"weblog.alerts.rules": {f"r{n}": "requests > 1" for n in range(count)}}


def parameters(length: int) -> Groups:
    return {"weblog.privacy": {"query.parameters": "p" * length}}


def sink_named(length: int) -> Groups:
    return {"weblog.sink.".ljust(length, "x"): {"type": "discard"}}


# The run options are one group more.
GROUPS_LEFT = 49 - len(kinesis_groups())


@pytest.mark.parametrize(
    ("allowed", "refused", "expected"),
    [
        (sinks(GROUPS_LEFT), sinks(GROUPS_LEFT + 1), "number = '51': expected at most"),
        (rules(50), rules(51), "weblog.alerts.rules: number of properties = '51': expected"),
        (parameters(2048), parameters(2049), r"p\.\.\. \(2049 characters\)': expected at most"),
        (sink_named(50), sink_named(51), "a group's name of at most 50 letters"),
        ({}, {"weblog.sink.a b": {"type": "discard"}}, "a group's name of at most 50 letters"),
    ],
    ids=["groups", "properties", "value", "name", "letters"],
)
def test_limits_of_the_service(
    tmp_path: Path, allowed: Groups, refused: Groups, expected: str
) -> None:
    read(tmp_path, kinesis_groups() | allowed)

    with pytest.raises(ConfigurationError, match=expected):
        read(tmp_path, kinesis_groups() | refused)


def test_the_limits_are_those_of_the_api() -> None:
    model = boto3.client("kinesisanalyticsv2").meta.service_model
    limits = [
        model.shape_for(name).metadata["max"]
        for name in ("PropertyGroups", "PropertyMap", "Id", "PropertyValue")
    ]
    assert limits == [
        module.MOST_GROUPS,
        module.MOST_PROPERTIES,
        module.LONGEST_GROUP,
        module.LONGEST_VALUE,
    ]
