"""Property files are checked for the service before anything is sent there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flink_app.application_properties import load_properties
from flink_app.ops import runtime_properties as module
from flink_app.ops.layout import RUN_OPTIONS_GROUP, read_manifest
from flink_app.ops.runtime_properties import runtime_properties
from flink_app.settings import JobSettings
from tests.deploy.support import Groups, kinesis_groups, write_properties, write_zip
from udfs.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "app/data/city.mmdb"


def read(tmp_path: Path, groups: Groups, *, connectors: bool = True) -> Groups:
    archive = write_zip(tmp_path / "x.zip", connectors=connectors, more={DATABASE: ""})
    file = write_properties(tmp_path / "x.json", groups)
    return runtime_properties(file, archive, read_manifest(archive))


def test_the_run_options_are_added(tmp_path: Path) -> None:
    groups = read(tmp_path, kinesis_groups())

    assert groups[RUN_OPTIONS_GROUP]["python"] == "app/flink_app/main.py"
    assert {key: groups[key] for key in kinesis_groups()} == kinesis_groups()
    # The job itself must let them pass.
    JobSettings.load(groups)


def test_the_example_in_the_repository_is_accepted(tmp_path: Path) -> None:
    read(tmp_path, load_properties(ROOT / "conf" / "managed_flink_properties.json"))


def test_a_database_in_the_zip(tmp_path: Path) -> None:
    read(tmp_path, kinesis_groups() | {"weblog.geoip": {"database.path": "data/city.mmdb"}})


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


def test_the_limit_counts_the_run_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = kinesis_groups()
    count = sum(map(len, groups.values()))
    monkeypatch.setattr(module, "MAXIMUM_PROPERTIES", count + 3)
    read(tmp_path, groups)

    monkeypatch.setattr(module, "MAXIMUM_PROPERTIES", count + 2)
    with pytest.raises(ConfigurationError, match="together with the 3 run options"):
        read(tmp_path, groups)
