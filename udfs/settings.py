"""Settings of the core: what each property group holds and how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

from udfs.access_log import LogFormat
from udfs.properties import (
    Group,
    Properties,
    Setting,
    choice,
    duration,
    integer,
    path,
    setting,
    text_list,
)


@dataclass(frozen=True, slots=True)
class ParserSettings(Group, name="weblog.parser"):
    """How lines are read."""

    format: LogFormat = setting(
        "format",
        choice("combined", "common", "vhost_combined", "combined_xff"),
        "combined",
        "Log format in force.",
    )
    max_line_bytes: int = setting(
        "max.line.bytes",
        integer(256, 10_485_760),
        "65536",
        "Longer lines become dead letters (reason line_too_long).",
    )


@dataclass(frozen=True, slots=True)
class TimeSettings(Group, name="weblog.time"):
    """How event time is judged."""

    future_tolerance: timedelta = setting(
        "future.tolerance",
        duration("0 s", "3650 d"),
        "5 min",
        "Lines dated further ahead of the clock become dead letters (timestamp_in_future).",
    )


@dataclass(frozen=True, slots=True)
class GeoIpSettings(Group, name="weblog.geoip"):
    """Where client addresses are looked up."""

    database_path: Path | None = setting(
        "database.path", path(), "", "City-schema MaxMind DB file; empty: geo fields are null."
    )
    database_max_age_days: int = setting(
        "database.max.age.days", integer(1, 36_500), "60", "An older database is a warning."
    )
    cache_size: int = setting(
        "cache.size", integer(1, 10_000_000), "65536", "Client addresses kept in memory."
    )


@dataclass(frozen=True, slots=True)
class UserAgentSettings(Group, name="weblog.useragent"):
    """How user agents are parsed."""

    cache_size: int = setting(
        "cache.size", integer(1, 10_000_000), "16384", "Parsed user agents kept in memory."
    )


@dataclass(frozen=True, slots=True)
class SiteSettings(Group, name="weblog.site"):
    """What belongs to the site itself."""

    internal_hosts: tuple[str, ...] = setting(
        "internal.hosts",
        text_list(lower=True),
        "",
        "A referrer on one of these hosts, or below it, is internal.",
    )


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """All groups the core reads."""

    parser: ParserSettings = field(default_factory=ParserSettings)
    time: TimeSettings = field(default_factory=TimeSettings)
    geoip: GeoIpSettings = field(default_factory=GeoIpSettings)
    useragent: UserAgentSettings = field(default_factory=UserAgentSettings)
    site: SiteSettings = field(default_factory=SiteSettings)

    @classmethod
    def load(cls, properties: Properties) -> Self:
        """Read the core's groups; others are left to :func:`udfs.properties.check_groups`.

        Raises:
            ConfigurationError: an unknown key or an unacceptable value.
        """
        return cls(
            parser=ParserSettings.load(properties),
            time=TimeSettings.load(properties),
            geoip=GeoIpSettings.load(properties),
            useragent=UserAgentSettings.load(properties),
            site=SiteSettings.load(properties),
        )


_GROUPS: tuple[type[Group], ...] = (
    ParserSettings,
    TimeSettings,
    GeoIpSettings,
    UserAgentSettings,
    SiteSettings,
)


def core_groups() -> tuple[str, ...]:
    """Names of the property groups that :class:`CoreSettings` reads."""
    return tuple(group.group for group in _GROUPS)


def core_settings() -> tuple[Setting, ...]:
    """Every setting of the core, for documentation and checks."""
    return tuple(one for group in _GROUPS for one in group.settings())
