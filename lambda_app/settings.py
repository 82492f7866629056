"""Settings of the functions: the core's, and a group of their own.

They come from the same property file as the job's, then from environment variables, which win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self

from aws.arn import Arn, arn
from aws.destinations import TOPIC_BYTES
from udfs.config.core import CoreSettings, PrivacySettings, core_groups, core_settings
from udfs.config.environment import check_environment, read_environment
from udfs.config.file import (
    DEFAULT_FILE,
    FILE_VARIABLE,
    PropertyGroups,
    load_properties,
)
from udfs.config.properties import (
    Group,
    Properties,
    Setting,
    check_groups,
    choice,
    duration,
    integer,
    pattern,
    setting,
)
from udfs.config.root import ROOT
from udfs.enrich.reference import ReferenceSettings
from udfs.errors import ConfigurationError
from udfs.lookups.settings import LOOKUP_GROUPS, LookupSettings

# The job's own groups mean nothing here, but one file may serve both. The start's log line names
# the groups of the file that are ignored.
JOB_GROUPS = frozenset(
    {
        "weblog.alerts",
        "weblog.alerts.rules",
        "weblog.job",
        "weblog.outputs",
        "weblog.windows",
    }
)
_JOB_GROUP_PREFIXES = ("kinesis.analytics.", "weblog.sink.")

type PartitionBy = Literal["none", "date", "hour"]


@dataclass(frozen=True, slots=True)
class FunctionSettings(Group, name="weblog.lambda"):
    """How the functions run."""

    dead_letter_arn: Arn | None = setting(
        arn("sqs", "sns"),
        "",
        "Where bad lines go; without it a Firehose record with a bad line is ProcessingFailed.",
    )
    output_arn: Arn | None = setting(
        arn("kinesis", "firehose"), "", "Where the Kinesis consumer writes enriched records."
    )
    partition_by: PartitionBy = choice(
        "none",
        "Partition keys for Firehose: event_date=2025-10-28 and event_hour=10 (or only the date) "
        "by event time in UTC.",
    )
    timeout_reserve: timedelta = setting(
        duration("6 s", "5 min"),
        "10 s",
        "No further record is begun when less of the function's timeout is left.",
    )
    delivery_attempts: int = setting(
        integer(1, 20),
        "6",
        "How often a message is sent, with growing random pauses, before it counts as failed.",
    )
    outage_minimum_lines: int = setting(
        integer(0, 1_000_000),
        "10",
        "A batch of only bad lines is an outage from this number of lines on; 0: never.",
    )
    gzip_maximum_bytes: int = setting(
        integer(65_536, 134_217_728),
        "16777216",
        "A compressed record that holds more becomes a dead letter (gzip_too_large).",
    )
    metrics_namespace: str = setting(
        pattern(r"[A-Za-z0-9_./#:-]{1,255}", "1 to 255 of the characters A-Z a-z 0-9 _ . / # : -"),
        "WebLog/Lambda",
        "CloudWatch namespace of the metrics.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a function.

    Attributes:
        core: Settings of the core.
        function: The function's own.
        reference: A file with attributes of pages or clients.
        ignored: Groups that only the job reads.
    """

    core: CoreSettings
    function: FunctionSettings
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    ignored: tuple[str, ...] = ()

    @classmethod
    def load(cls, properties: Properties) -> Self:
        """Reads and checks all property groups.

        Raises:
            ConfigurationError: An unknown group or key, an unacceptable value, or something that
                only the job can do.
        """
        known = {
            *core_groups(),
            *(group.group for group in LOOKUP_GROUPS),
            FunctionSettings.group,
        }
        check_groups(properties, (*known, *JOB_GROUPS), ignored_prefixes=_JOB_GROUP_PREFIXES)
        core = CoreSettings.load(properties)
        lookups = LookupSettings.load(properties, core)
        function = FunctionSettings.load(properties)
        _check(core, lookups, function)
        return cls(
            core=core,
            function=function,
            reference=lookups.reference,
            ignored=tuple(sorted(properties.keys() - known)),
        )


def _check(core: CoreSettings, lookups: LookupSettings, function: FunctionSettings) -> None:
    """Refuses what only the job does; leaving it out without a word would give other records.

    Raises:
        ConfigurationError: Something is asked for that functions do not do.
    """
    if core.pipeline.stage in {"aggregates", "alerts"}:
        expected = "all, records, basic or advanced for Lambda: only the job has windows and alerts"
        raise core.pipeline.error("stage", core.pipeline.stage, expected)
    # A function that waits for a service is paid for, and forgets the answers with each
    # environment.
    dns, table = lookups.dns, lookups.dynamodb
    if dns.enabled:
        raise dns.error("enabled", "true", "false for Lambda: only the job asks name servers")
    if table.table:
        raise table.error("table", table.table, "nothing for Lambda: only the job asks DynamoDB")
    # The record of a letter that is too large for the topic would fail for ever.
    arn, most = function.dead_letter_arn, core.dead_letters.max_bytes
    if arn is not None and arn.service == "sns" and most > TOPIC_BYTES:
        expected = f"at most {TOPIC_BYTES} where weblog.lambda: dead.letter.arn is a topic"
        raise core.dead_letters.error("max.bytes", str(most), expected)


def function_settings() -> tuple[Setting, ...]:
    """Returns every setting that the functions know."""
    return (*core_settings(), *ReferenceSettings.settings(), *FunctionSettings.settings())


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Returns the settings of this process: the package's or the named file, then the environment.

    Raises:
        ConfigurationError: The file cannot be used, or a setting is unknown or unacceptable.
    """
    groups = _file_groups(environ)
    declared = function_settings()
    for group, properties in read_environment(environ, declared).items():
        groups.setdefault(group, {}).update(properties)
    settings = Settings.load(groups)
    salt, usual = settings.core.privacy.salt_variable, PrivacySettings().salt_variable
    if usual in environ and salt != usual:
        expected = "the salt in the variable that weblog.privacy: salt.variable names"
        raise ConfigurationError("environment", usual, None, expected)
    check_environment(environ, declared, (FILE_VARIABLE, salt))
    return settings


def _file_groups(environ: Mapping[str, str]) -> PropertyGroups:
    named = environ.get(FILE_VARIABLE)
    if named:
        # As with other paths: relative ones are meant from the folder of the code.
        return load_properties(ROOT / named)
    return load_properties(DEFAULT_FILE) if DEFAULT_FILE.exists() else {}
