from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aws.arn import read_arn
from aws.destinations import AwsDestination
from aws.put import Message
from flink_app.settings import OUTPUTS_GROUP, JobSettings, job_settings
from lambda_app import settings as settings_module
from lambda_app.settings import (
    JOB_GROUPS,
    FunctionSettings,
    Settings,
    function_settings,
    settings_from,
)
from tests.support.core import NOW, dead
from tools.settings_reference import table
from udfs.config.core import core_groups
from udfs.config.environment import read_environment, variable_name
from udfs.config.file import DEFAULT_FILE, FILE_VARIABLE, load_properties
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError
from udfs.lookups.settings import LOOKUP_GROUPS

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:weblog-dead-letters"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:weblog-dead-letters"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/weblog-enriched"


@pytest.fixture(autouse=True)
def no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes the package one without a property file."""
    monkeypatch.setattr(settings_module, "DEFAULT_FILE", tmp_path / "conf" / "absent.json")


def property_file(path: Path, groups: dict[str, dict[str, str]]) -> str:
    document = [{"PropertyGroupId": name, "PropertyMap": one} for name, one in groups.items()]
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def test_without_anything_the_defaults_hold() -> None:
    assert settings_from({}) == Settings.load({})
    assert settings_from({"PATH": "/bin", "AWS_REGION": "eu-west-1"}) == Settings.load({})


def test_environment_variables() -> None:
    settings = settings_from(
        {
            "WEBLOG_PARSER__FORMAT": "common",
            "WEBLOG_PARSER__MAX_LINE_BYTES": "1000",
            "WEBLOG_GEOIP__DATABASE_PATH": "data/x.mmdb",
            "WEBLOG_TIME__FUTURE_TOLERANCE": "10 min",
            "WEBLOG_LAMBDA__DEAD_LETTER_ARN": QUEUE,
            "WEBLOG_LAMBDA__TIMEOUT_RESERVE": "20 s",
            "WEBLOG_REFERENCE__FILE": "data/pages.csv",
        }
    )

    assert settings.core.parser.format == "common"
    assert settings.core.parser.max_line_bytes == 1000
    assert settings.core.geoip.database_path == Path("data/x.mmdb")
    assert settings.core.time.future_tolerance == timedelta(minutes=10)
    assert settings.function.dead_letter_arn == read_arn(QUEUE)
    assert settings.function.timeout_reserve == timedelta(seconds=20)
    assert settings.reference.file == Path("data/pages.csv")


def test_look_ups_that_are_switched_off_are_no_matter() -> None:
    off = {"weblog.lookups.dns": {"enabled": "false"}, "weblog.lookups.dynamodb": {"table": ""}}
    assert Settings.load(off) == Settings.load({})


def test_a_variable_that_asks_for_a_look_up_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="WEBLOG_LOOKUPS_DNS__ENABLED"):
        settings_from({"WEBLOG_LOOKUPS_DNS__ENABLED": "true"})


def test_every_setting_has_a_variable_of_its_own() -> None:
    declared = function_settings()
    names = [variable_name(one.group, one.key) for one in declared]

    assert len(set(names)) == len(declared)
    groups = read_environment(dict.fromkeys(names, "x"), declared)
    assert {(group, key) for group, keys in groups.items() for key in keys} == {
        (one.group, one.key) for one in declared
    }


def test_the_functions_settings_as_the_page_shows_them() -> None:
    page = (ROOT / "docs" / "lambda.md").read_text("utf-8")
    shown = page.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert shown == table(f"`{FunctionSettings.group}`", FunctionSettings.settings())


def test_the_variable_of_the_salt_is_no_setting() -> None:
    assert settings_from({"WEBLOG_PRIVACY_SALT": "0123456789abcdef"}) == Settings.load({})
    named = {"WEBLOG_PRIVACY__SALT_VARIABLE": "WEBLOG_MINE", "WEBLOG_MINE": "0123456789abcdef"}
    assert settings_from(named).core.privacy.salt_variable == "WEBLOG_MINE"
    with pytest.raises(ConfigurationError) as caught:
        settings_from({"WEBLOG_MINE": "0123456789abcdef"})
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"WEBLOG_PRIVACY__SALT": "0123456789abcdef"},
            "WEBLOG_PRIVACY__SALT: expected the variable of a setting (did you mean WEBLOG_PRIVACY",
        ),
        (
            {"WEBLOG_PRIVACY__SALT_VARIABLE": "MINE", "WEBLOG_PRIVACY_SALT": "0123456789abcdef"},
            "WEBLOG_PRIVACY_SALT: expected the salt in the variable that weblog.privacy: salt.var",
        ),
    ],
)
def test_a_salt_in_the_wrong_variable(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_from(environ)
    assert str(caught.value).startswith(f"environment: {expected}")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    named = property_file(
        tmp_path / "x.json",
        {"weblog.parser": {"format": "common", "max.line.bytes": "1000"}},
    )

    settings = settings_from({FILE_VARIABLE: named, "WEBLOG_PARSER__FORMAT": "vhost_combined"})

    assert settings.core.parser.format == "vhost_combined"
    assert settings.core.parser.max_line_bytes == 1000


def test_the_file_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "application_properties.json"
    property_file(path, {"weblog.parser": {"format": "common"}})
    monkeypatch.setattr(settings_module, "DEFAULT_FILE", path)

    assert settings_from({}).core.parser.format == "common"


def test_the_file_of_the_job_serves_too() -> None:
    path = ROOT / "conf" / "application_properties.json"

    settings = settings_from({FILE_VARIABLE: str(path)})

    assert settings.core.site.internal_hosts == ("semicomplete.com",)
    assert {"weblog.sink.files", "weblog.outputs"} <= set(settings.ignored)
    assert not set(settings.ignored) & set(core_groups())


def test_the_groups_of_the_job_are_known_to_be_its_own() -> None:
    job = {one.group for one in job_settings()} | {OUTPUTS_GROUP}

    shared = set(core_groups()) | {group.group for group in LOOKUP_GROUPS}
    assert job - shared == JOB_GROUPS


def test_the_job_accepts_a_file_with_the_functions_group() -> None:
    groups = load_properties(DEFAULT_FILE)

    extended = {**groups, FunctionSettings.group: {"delivery.attempts": "3"}}
    assert JobSettings.load(extended) == JobSettings.load(groups)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"WEBLOG_PARSER__FORMATT": "common"},
            "environment: WEBLOG_PARSER__FORMATT: expected the variable of a setting (did you mean",
        ),
        (
            {"WEBLOG_X": "1"},
            "environment: WEBLOG_X: expected the variable of a setting (such as WEBLOG_PARSER__FOR",
        ),
        (
            {"WEBLOG_PARSER__FORMAT": "Combined"},
            "weblog.parser: format = 'Combined': expected one of combined, common",
        ),
        (
            {"WEBLOG_LAMBDA__DELIVERY_ATTEMPTS": "0"},
            "weblog.lambda: delivery.attempts = '0': expected a whole number from 1 to 20",
        ),
        (
            {"WEBLOG_LAMBDA__METRICS_NAMESPACE": "a b"},
            "weblog.lambda: metrics.namespace = 'a b': expected 1 to 255 of the characters",
        ),
        (
            {"WEBLOG_LAMBDA__TIMEOUT_RESERVE": "5 s"},
            "weblog.lambda: timeout.reserve = '5 s': expected a duration",
        ),
    ],
)
def test_wrong_variables_are_errors(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_from(environ)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"weblog.parsr": {}}, "weblog.parsr: expected a known group (did you mean 'weblog.par"),
        ({"weblog.lambda": {"x": "1"}}, "weblog.lambda: x: expected a known key: one of"),
        ({"weblog.geoip": {"cache.size": "0"}}, "weblog.geoip: cache.size = '0': expected a whole"),
        (
            {"weblog.lookups.dns": {"enabled": "true"}},
            "weblog.lookups.dns: enabled = 'true': expected false for Lambda: only the job asks",
        ),
        (
            {"weblog.lookups.dynamodb": {"table": "pages"}},
            "weblog.lookups.dynamodb: table = 'pages': expected nothing for Lambda: only the job",
        ),
        (
            {"weblog.pipeline": {"stage": "aggregates"}},
            "weblog.pipeline: stage = 'aggregates': expected all, records, basic or advanced for",
        ),
        (
            {"weblog.pipeline": {"stage": "alerts"}},
            "weblog.pipeline: stage = 'alerts': expected all, records, basic or advanced for",
        ),
        (
            {
                "weblog.deadletters": {"max.bytes": "262145"},
                "weblog.lambda": {"dead.letter.arn": TOPIC},
            },
            "weblog.deadletters: max.bytes = '262145': expected at most 262144 where weblog.lambda",
        ),
        ({"weblog.lookups.dns": {"x": "1"}}, "weblog.lookups.dns: x: expected a known key: one of"),
    ],
)
def test_wrong_files_are_errors(
    groups: dict[str, dict[str, str]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings_from({FILE_VARIABLE: property_file(tmp_path / "x.json", groups)})
    assert str(caught.value).startswith(message)


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a readable file"):
        settings_from({FILE_VARIABLE: str(tmp_path / "absent.json")})


@pytest.mark.parametrize("stage", ["all", "records", "basic", "advanced"])
def test_stages_that_functions_have(stage: str) -> None:
    assert Settings.load({"weblog.pipeline": {"stage": stage}}).core.pipeline.stage == stage


@pytest.mark.parametrize(("arn", "most"), [(TOPIC, 262_144), (QUEUE, 1_000_000)])
@pytest.mark.parametrize("piece", ["a", "\0", "\uffff", "é"])
def test_the_longest_letter_fits(arn: str, most: int, piece: str) -> None:
    settings = Settings.load(
        {"weblog.deadletters": {"max.bytes": str(most)}, "weblog.lambda": {"dead.letter.arn": arn}}
    )
    assert settings.function.dead_letter_arn is not None
    core = Enricher.create(settings.core, lambda: NOW)
    room = most // len(piece.encode())
    for length in (room, room - 400, room // 6):
        message = Message(dead(core, piece * length).json.encode(), 0)
        destination = AwsDestination(settings.function.dead_letter_arn)
        assert message.size <= destination.limits.message_bytes


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dead.letter.arn", STREAM),
        ("output.arn", QUEUE),
    ],
)
def test_arns_of_the_wrong_kind(key: str, value: str) -> None:
    properties: dict[str, Any] = {"weblog.lambda": {key: value}}
    with pytest.raises(ConfigurationError, match="expected the ARN of a "):
        Settings.load(properties)
