import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from udfs.config.core import CoreSettings, core_groups, core_settings
from udfs.config.properties import Setting
from udfs.config.root import ROOT
from udfs.errors import ConfigurationError


def test_without_properties_everything_has_its_default() -> None:
    loaded = CoreSettings.load({})
    assert loaded == CoreSettings()
    assert loaded.parser.format == "combined"
    assert loaded.parser.max_line_bytes == 65_536
    assert loaded.time.future_tolerance == timedelta(minutes=5)
    assert loaded.geoip.database_path is None
    assert loaded.geoip.database_max_age_days == 60
    assert loaded.site.internal_hosts == ()


def test_each_group_is_read() -> None:
    loaded = CoreSettings.load(
        {
            "weblog.parser": {"format": "common", "max.line.bytes": "1024"},
            "weblog.time": {"future.tolerance": "1 h"},
            "weblog.geoip": {"database.path": "city.mmdb", "cache.size": "5"},
            "weblog.useragent": {"cache.size": "6"},
            "weblog.site": {"internal.hosts": "Example.com, localhost, 192.0.2.1, ::1"},
            "weblog.pipeline": {"stage": "basic"},
            "weblog.filters": {"debug.agents": "Probe, x", "exclude.statuses": "404, 5xx"},
            "weblog.privacy": {"profile": "strict", "agent": "keep"},
            "weblog.validation": {"earliest.time": "2020-02-29", "reject": "size_impossible"},
            "weblog.deadletters": {"privacy": "omitted", "max.attempts": "7"},
            "somebody.elses": {"key": "value"},
        }
    )
    assert loaded.parser.format == "common"
    assert loaded.parser.max_line_bytes == 1024
    assert loaded.time.future_tolerance == timedelta(hours=1)
    assert loaded.geoip.database_path == Path("city.mmdb")
    assert loaded.geoip.cache_size == 5
    assert loaded.useragent.cache_size == 6
    assert loaded.site.internal_hosts == ("example.com", "localhost", "192.0.2.1", "::1")
    assert loaded.pipeline.stage == "basic"
    assert loaded.filters.debug_agents == ("probe", "x")
    assert loaded.filters.exclude_statuses == ("404", "5xx")
    assert (loaded.privacy.profile, loaded.privacy.agent) == ("strict", "keep")
    assert loaded.validation.earliest_time == datetime(2020, 2, 29, tzinfo=UTC)
    assert loaded.validation.reject == ("size_impossible",)
    assert (loaded.dead_letters.privacy, loaded.dead_letters.max_attempts) == ("omitted", 7)


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("weblog.parser", "format", "Combined"),
        ("weblog.parser", "max.line.bytes", "10"),
        ("weblog.parser", "maxlinebytes", "1024"),
        ("weblog.time", "future.tolerance", "-1 s"),
        ("weblog.geoip", "database.max.age.days", "0"),
        ("weblog.useragent", "cache.size", "lots"),
        ("weblog.site", "internal.hosts", "https://example.com"),
        ("weblog.site", "internal.hosts", "example.com:8080"),
        ("weblog.site", "internal.hosts", "*.example.com"),
        ("weblog.pipeline", "stage", "both"),
        ("weblog.filters", "exclude.statuses", "404;500"),
        ("weblog.privacy", "profile", "paranoid"),
        ("weblog.privacy", "auth.user", "truncate"),
        ("weblog.privacy", "salt.variable", "A B"),
        ("weblog.validation", "earliest.time", "1995-02-30"),
        ("weblog.validation", "ignore", "size_impossible, nonsense"),
        ("weblog.deadletters", "max.attempts", "0"),
    ],
)
def test_bad_values_name_their_place(group: str, key: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CoreSettings.load({group: {key: value}})
    assert (caught.value.group, caught.value.key) == (group, key)


@pytest.mark.parametrize("one", core_settings(), ids=lambda one: f"{one.group}:{one.key}")
def test_the_default_and_the_documented_bounds_are_accepted(one: Setting) -> None:
    CoreSettings.load({one.group: {one.key: one.default}})
    bounds = re.search(r" from (.+) to (.+)$", one.expectation)
    for bound in bounds.groups() if bounds else ():
        CoreSettings.load({one.group: {one.key: bound}})


def test_every_setting_belongs_to_a_listed_group_and_is_described() -> None:
    listed = core_settings()
    assert {one.group for one in listed} == set(core_groups())
    assert len({(one.group, one.key) for one in listed}) == len(listed)
    assert all(one.description.endswith(".") for one in listed)


def test_the_configuration_file_documents_real_keys() -> None:
    known = {(one.group, one.key) for one in core_settings()}
    file = json.loads((ROOT / "conf" / "application_properties.json").read_text("utf-8"))
    groups = {one["PropertyGroupId"]: one["PropertyMap"] for one in file}
    mine = {name: groups[name] for name in core_groups() if name in groups}
    CoreSettings.load(mine)
    # Most settings of the source belong to the job, not to the core.
    mine.pop("weblog.source")
    assert {(name, key) for name, keys in mine.items() for key in keys} <= known
