"""Alert rules: how they are written in the settings, and the SQL that is made of them.

A rule is one property of the group `weblog.alerts.rules`, for example

    page_errors = error_rate per page > 1 %, at least 100 requests, for 3 min

The queries are in `sql/outputs/alerts/alerts.sql`; a rule fills in `sql/alerts/rule.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self

from flink_app.sql_files import SQL_DIRECTORY, interval, statements, string_literal
from udfs.config.properties import (
    Group,
    Parser,
    Properties,
    Setting,
    integer,
    read_duration,
    setting,
)
from udfs.errors import ConfigurationError

RULES_GROUP = "weblog.alerts.rules"
RULE_OFF = "off"
PROBE_PREFIX = "probe_"
"""The start of the issue codes of attempts to break in (`udfs/quality.py`)."""

type Subject = Literal["site", "page", "host"]

_RULE_SQL = SQL_DIRECTORY / "alerts" / "rule.sql"
_LONGEST_DURATION = timedelta(days=1)
_LONGEST_INTERVAL = timedelta(days=99)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CONDITION = re.compile(
    r"(?P<metric>[a-z_]+)(?: per (?P<subject>page|host))? ?"
    r"> ?(?P<number>[0-9]{1,12}(?:\.[0-9]{1,6})?) ?(?P<unit>%|x baseline)?"
)
_MINIMUM = re.compile(r"at least (?P<number>[0-9]{1,12}) (?P<metric>[a-z_]+)")
_DURATION = re.compile(r"for (?P<duration>.+)")
_FORM = (
    "METRIC [per page/host] > NUMBER [%/x baseline][, at least NUMBER METRIC]...[, for DURATION], "
    f"or {RULE_OFF}"
)


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity that a rule can look at.

    Attributes:
        sql: Its value from the columns of a measures view; NULL where there is none.
        is_share: A share from 0 to 1, else a count of a window's lines.
        is_of_site: It exists only for the whole site: what it counts has no page and no host.
    """

    sql: str
    is_share: bool = False
    is_of_site: bool = False


def _share(part: str, whole: str) -> str:
    return f"CAST({part} AS DOUBLE) / NULLIF({whole}, 0)"


METRICS = {
    "requests": Metric("requests"),
    "errors": Metric("errors"),
    "server_errors": Metric("server_errors"),
    "error_rate": Metric(_share("errors", "requests"), is_share=True),
    "server_error_rate": Metric(_share("server_errors", "requests"), is_share=True),
    "probes": Metric("probes"),
    "lines": Metric("lines", is_of_site=True),
    "dead_letters": Metric("dead_letters", is_of_site=True),
    "dead_letter_share": Metric(_share("dead_letters", "lines"), is_share=True, is_of_site=True),
}
"""Metrics by the name that rules use."""

DEFAULT_RULES = {
    "site_errors": (
        "error_rate > 1 %, at least 100 requests, at least 10 errors",
        "Share of 4xx and 5xx among all requests.",
    ),
    "page_errors": (
        "error_rate per page > 1 %, at least 50 requests, at least 10 errors",
        "The same for each page.",
    ),
    "traffic_spike": (
        "requests > 3 x baseline, at least 300 requests",
        "The site's traffic against its own recent past.",
    ),
    "host_spike": ("requests per host > 100", "Many requests of one client."),
    "probe_activity": ("probes per host > 4", "Attempts of one client to break in."),
    "outage": (
        "dead_letter_share > 20 %, at least 20 lines",
        "Lines that cannot be processed: a fault of the feed or of the job.",
    ),
}
"""Text and meaning of the rules that are in force unless the settings say otherwise."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert rule.

    Attributes:
        name: Name of its alerts.
        metric: Key of `METRICS`.
        subject: What is watched: the whole site, each page or each host.
        threshold: The metric has to exceed it; a share from 0 to 1, or a count, or how
            many times the baseline.
        is_relative: The threshold is a multiple of the baseline.
        minimums: Counts that a window needs to be judged at all: metric and number.
        lasting: How long windows in a row have to exceed the threshold; 0 for one window.
    """

    name: str
    metric: str
    subject: Subject
    threshold: float
    is_relative: bool = False
    minimums: tuple[tuple[str, int], ...] = ()
    lasting: timedelta = timedelta()

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """Reads a rule as the settings have it.

        Raises:
            ConfigurationError: It is not a rule; the error says what is expected instead.
        """
        if _NAME.fullmatch(name) is None:
            expected = "a name of up to 64 lower-case letters, digits and _, a letter first"
            raise ConfigurationError(RULES_GROUP, name, text, expected)
        try:
            condition, *clauses = (" ".join(part.split()) for part in text.split(","))
            metric, subject, threshold, is_relative = _read_condition(condition)
            minimums, lasting = _read_clauses(clauses, subject)
        except _RuleError as error:
            raise ConfigurationError(RULES_GROUP, name, text, str(error)) from None
        return cls(name, metric, subject, threshold, is_relative, minimums, lasting)

    def sql(self) -> str:
        """Returns a query that gives each window of the rule's subject with the metric's value."""
        enough = " AND ".join(f"{METRICS[name].sql} >= {number}" for name, number in self.minimums)
        parameters = {
            "name": string_literal(self.name),
            "metric": string_literal(self.metric),
            "subject_type": string_literal(self.subject),
            "metric_value": METRICS[self.metric].sql,
            "threshold": repr(self.threshold),
            "is_enough": enough or "TRUE",
            "lasting_seconds": str(int(self.lasting.total_seconds())),
            "measures": f"{self.subject}_measures",
        }
        (query,) = statements(_RULE_SQL, parameters)
        return query.removesuffix(";")


class _RuleError(ValueError):
    """Not a rule; the message completes "expected ..."."""


def _read_condition(text: str) -> tuple[str, Subject, float, bool]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise _RuleError(_FORM)
    name, unit = match["metric"], match["unit"]
    subject: Subject = match["subject"] or "site"  # type: ignore[assignment] # by the pattern
    metric = METRICS.get(name)
    if metric is None:
        raise _RuleError(f"a metric out of {', '.join(METRICS)}")
    if metric.is_of_site and subject != "site":
        raise _RuleError(f"{name} without 'per': it is known only of the whole site")
    if metric.is_share != (unit == "%"):
        wanted = "a threshold in %" if metric.is_share else "a number, or a number x baseline,"
        raise _RuleError(f"{wanted} for {name}")
    threshold = float(match["number"])
    if metric.is_share:
        threshold /= 100
        if threshold >= 1:
            raise _RuleError("a threshold below 100 %: no share exceeds that")
    return name, subject, threshold, unit == "x baseline"


def _read_clauses(
    clauses: Iterable[str], subject: Subject
) -> tuple[tuple[tuple[str, int], ...], timedelta]:
    minimums: list[tuple[str, int]] = []
    lasting = timedelta()
    for clause in clauses:
        if (minimum := _MINIMUM.fullmatch(clause)) is not None:
            counts = [
                name
                for name, metric in METRICS.items()
                if not metric.is_share and (subject == "site" or not metric.is_of_site)
            ]
            if minimum["metric"] not in counts:
                raise _RuleError(f"one of {', '.join(counts)} after 'at least NUMBER'")
            minimums.append((minimum["metric"], int(minimum["number"])))
        elif (duration := _DURATION.fullmatch(clause)) is not None and not lasting:
            lasting = _read_lasting(duration["duration"])
        else:
            raise _RuleError(_FORM)
    return tuple(minimums), lasting


def _read_lasting(text: str) -> timedelta:
    try:
        duration = read_duration(text)
    except ValueError:
        duration = timedelta()
    if not duration or duration.microseconds or duration > _LONGEST_DURATION:
        raise _RuleError("whole seconds up to 1 day, such as '3 min', after 'for'")
    return duration


@dataclass(frozen=True, slots=True)
class AlertSettings(Group, name="weblog.alerts"):
    """Settings that all alert rules share. Windows are the tumbling windows."""

    quiet_windows: int = setting(
        integer(1, 1440), "5", "Windows in a row without a breach that end an alert."
    )
    baseline_windows: int = setting(
        integer(1, 10_080),
        "60",
        "Windows that a baseline looks back on; it is the mean of those with traffic.",
    )
    baseline_minimum_windows: int = setting(
        integer(1, 10_080), "10", "With fewer windows of traffic there is no baseline yet."
    )

    def check(self, window_size: timedelta) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: More windows than fit, or than there can be.
        """
        for key, windows in (
            ("quiet.windows", self.quiet_windows),
            ("baseline.windows", self.baseline_windows),
        ):
            if windows * window_size > _LONGEST_INTERVAL:
                raise self.error(key, str(windows), "at most 99 days of windows")
        if self.baseline_minimum_windows > self.baseline_windows:
            minimum = str(self.baseline_minimum_windows)
            raise self.error("baseline.minimum.windows", minimum, "at most baseline.windows")


def default_rules() -> tuple[AlertRule, ...]:
    """Returns the rules that are in force without settings."""
    return tuple(AlertRule.parse(name, text) for name, (text, _) in DEFAULT_RULES.items())


@dataclass(frozen=True, slots=True)
class Alerting:
    """All about alerts.

    Attributes:
        settings: What the rules share.
        rules: The rules in force.
    """

    settings: AlertSettings = field(default_factory=AlertSettings)
    rules: tuple[AlertRule, ...] = field(default_factory=default_rules)

    @classmethod
    def load(cls, properties: Properties, window_size: timedelta) -> Self:
        """Reads both groups; a rule of a default's name takes its place.

        Raises:
            ConfigurationError: A rule that is none, or settings that do not fit.
        """
        settings = AlertSettings.load(properties)
        settings.check(window_size)
        configured = properties.get(RULES_GROUP, {})
        texts = {name: text for name, (text, _) in DEFAULT_RULES.items()}
        for name, text in configured.items():
            if text.strip() == RULE_OFF and name not in texts:
                known = ", ".join(texts)
                raise ConfigurationError(RULES_GROUP, name, text, f"a default rule: {known}")
            texts[name] = text
        rules = (
            AlertRule.parse(name, text) for name, text in texts.items() if text.strip() != RULE_OFF
        )
        return cls(settings, tuple(rules))


def rule_settings() -> tuple[Setting, ...]:
    """Returns the default rules as settings, for documentation."""
    return tuple(
        Setting(RULES_GROUP, name, Parser(str, f"a rule, or {RULE_OFF}"), text, meaning)
        for name, (text, meaning) in DEFAULT_RULES.items()
    )


def alert_parameters(alerts: Alerting, window_size: timedelta) -> dict[str, str]:
    """Returns the parameters of the queries about alerts, by name."""
    settings = alerts.settings
    longest = max((rule.lasting for rule in alerts.rules), default=timedelta())
    return {
        "probe_prefix": string_literal(PROBE_PREFIX),
        "fixed_rules": _union(rule for rule in alerts.rules if not rule.is_relative),
        "relative_rules": _union(rule for rule in alerts.rules if rule.is_relative),
        "baseline": interval(settings.baseline_windows * window_size),
        "baseline_minimum_windows": str(settings.baseline_minimum_windows),
        "longest_rule": interval(max(longest, window_size)),
        "quiet": interval(settings.quiet_windows * window_size),
    }


def _union(rules: Iterable[AlertRule]) -> str:
    queries = [rule.sql() for rule in rules]
    if not queries:
        # The planner drops a branch that can have no rows, and what depends only on it.
        none = AlertRule(name="none", metric="requests", subject="site", threshold=0)
        return f"{none.sql()} WHERE FALSE"
    return "\nUNION ALL\n".join(queries)
