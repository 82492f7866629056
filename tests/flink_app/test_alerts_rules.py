"""Alert rules in the settings, without a cluster."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flink_app.alerts import (
    DEFAULT_RULES,
    METRICS,
    PROBE_PREFIX,
    RULES_GROUP,
    Alerting,
    AlertRule,
    alert_parameters,
    default_rules,
)
from flink_app.settings import JobSettings
from udfs import quality
from udfs.errors import ConfigurationError

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error_rate > 1 %", AlertRule("r", "error_rate", "site", 0.01)),
        ("error_rate>1%", AlertRule("r", "error_rate", "site", 0.01)),
        ("  requests   per host  >  300 ", AlertRule("r", "requests", "host", 300)),
        ("server_error_rate per page > 0.5 %", AlertRule("r", "server_error_rate", "page", 0.005)),
        ("dead_letter_share > 99 %", AlertRule("r", "dead_letter_share", "site", 0.99)),
        (
            "requests per page > 2.5 x baseline",
            AlertRule("r", "requests", "page", 2.5, is_relative=True),
        ),
        (
            "errors > 3, at least 100 requests ,at least 20 lines, for 5 min",
            AlertRule(
                "r",
                "errors",
                "site",
                3,
                minimums=(("requests", 100), ("lines", 20)),
                lasting=5 * MINUTE,
            ),
        ),
    ],
)
def test_rules(text: str, expected: AlertRule) -> None:
    assert AlertRule.parse("r", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "METRIC [per page/host] >"),
        ("error_rate", "METRIC [per page/host] >"),
        ("error_rate < 1 %", "METRIC [per page/host] >"),
        ("error_rate > 1 percent", "METRIC [per page/host] >"),
        ("error_rate > -1 %", "METRIC [per page/host] >"),
        ("requests > 1e3", "METRIC [per page/host] >"),
        ("requests per country > 1", "METRIC [per page/host] >"),
        ("requests > 3 x yesterday", "METRIC [per page/host] >"),
        ("requests > 1, sometimes", "METRIC [per page/host] >"),
        ("requests > 1,", "METRIC [per page/host] >"),
        ("requests > 1, for 2 min, for 3 min", "METRIC [per page/host] >"),
        ("eror_rate > 1 %", "a metric out of requests, errors,"),
        ("error_rate > 1", "a threshold in % for error_rate"),
        ("error_rate > 2 x baseline", "a threshold in % for error_rate"),
        ("error_rate > 100 %", "below 100 %"),
        ("requests > 1 %", "a number, or a number x baseline, for requests"),
        ("dead_letters per page > 1", "dead_letters without 'per'"),
        (
            "requests > 1, at least 2 things",
            "one of requests, errors, server_errors,",
        ),
        ("requests > 1, at least 2 error_rate", "one of requests, errors"),
        ("requests per host > 1, at least 2 lines", "server_errors, probes after 'at least"),
        ("requests > 1, for ever", "whole seconds up to 1 day"),
        ("requests > 1, for 0 s", "whole seconds up to 1 day"),
        ("requests > 1, for 1500 ms", "whole seconds up to 1 day"),
        ("requests > 1, for 25 h", "whole seconds up to 1 day"),
        ("requests > 1; DROP TABLE alerts", "METRIC [per page/host] >"),
    ],
)
def test_what_is_no_rule(text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        AlertRule.parse("r", text)
    assert str(raised.value).startswith(f"{RULES_GROUP}: r = {text!r}: expected ")
    assert expected in str(raised.value)


@pytest.mark.parametrize("name", ["", "Errors", "1st", "a-b", "a'b", "a" * 65])
def test_names(name: str) -> None:
    with pytest.raises(ConfigurationError, match="a name of up to 64"):
        AlertRule.parse(name, "requests > 1")


def rules(given: dict[str, str]) -> dict[str, AlertRule]:
    alerts = Alerting.load({RULES_GROUP: given}, MINUTE)
    return {rule.name: rule for rule in alerts.rules}


def test_without_settings_the_default_rules_are_in_force() -> None:
    assert rules({}) == {rule.name: rule for rule in default_rules()}
    assert list(rules({})) == list(DEFAULT_RULES)


def test_a_rule_takes_the_place_of_a_default_or_stands_beside_it() -> None:
    changed = rules({"host_spike": "requests per host > 7", "mine": "probes > 0"})
    assert changed["host_spike"].threshold == 7
    assert set(changed) == {*DEFAULT_RULES, "mine"}


def test_a_default_rule_can_be_switched_off() -> None:
    assert set(rules({"outage": "off"})) == set(DEFAULT_RULES) - {"outage"}


def test_switching_off_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="a default rule: site_errors"):
        rules({"outages": "off"})


@pytest.mark.parametrize(
    ("given", "size", "expected"),
    [
        ({"quiet.windows": "0"}, MINUTE, "from 1 to 1440"),
        ({"quiet.windows": "1000"}, timedelta(hours=3), "at most 99 days"),
        ({"baseline.windows": "100"}, timedelta(days=1), "at most 99 days"),
        ({"baseline.windows": "5"}, MINUTE, "at most baseline.windows"),
        ({"quiet.window": "5"}, MINUTE, "did you mean 'quiet.windows'"),
    ],
)
def test_what_the_rules_share_is_checked(
    given: dict[str, str], size: timedelta, expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        Alerting.load({"weblog.alerts": given}, size)


def test_all_rules_off_leaves_an_output_without_rows() -> None:
    parameters = alert_parameters(Alerting(rules=()), MINUTE)
    assert parameters["fixed_rules"].endswith("WHERE FALSE")
    assert parameters["relative_rules"].endswith("WHERE FALSE")


def test_texts_of_settings_reach_the_sql_only_as_literals() -> None:
    sql = AlertRule.parse("r", "error_rate per page > 12.5 %, at least 30 requests, for 90 s").sql()
    assert "CAST('r' AS STRING)" in sql
    assert "CAST(0.125 AS DOUBLE)" in sql
    assert "requests >= 30" in sql
    assert "90 " in sql
    assert sql.endswith("FROM page_measures")


def test_the_settings_of_the_job_hold_the_rules() -> None:
    settings = JobSettings.load(
        {
            RULES_GROUP: {"mine": "requests > 5"},
            "weblog.source": {"type": "filesystem", "path": "access.log"},
            "weblog.sink.files": {"type": "filesystem", "path": "out"},
            "weblog.outputs": {"default": "files"},
        }
    )
    assert AlertRule("mine", "requests", "site", 5) in settings.alerts.rules
    assert settings.outputs["alerts"] == "files"


def test_probes_are_known_by_their_prefix() -> None:
    starting = {code for code in quality.STATUSES if code.startswith(PROBE_PREFIX)}
    assert starting == set(quality.PROBES)
    assert not [code for code in quality.STATUSES if PROBE_PREFIX in code[1:]]


def test_every_metric_can_stand_in_a_rule() -> None:
    for name, metric in METRICS.items():
        threshold = "50 %" if metric.is_share else "50"
        assert AlertRule.parse("r", f"{name} > {threshold}").metric == name
