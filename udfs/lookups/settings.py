"""Settings of look-ups. Everything is off unless named, and then costs nothing."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Self

from udfs.config.core import CoreSettings
from udfs.config.properties import (
    Group,
    Parser,
    Properties,
    Setting,
    boolean,
    choice,
    duration,
    endpoint,
    integer,
    pattern,
    setting,
)
from udfs.enrich.reference import KeyField, ReferenceSettings
from udfs.privacy.rules import privacy_rules

DNS_PORT = 53
_HIGHEST_PORT = 65535


def name_servers() -> Parser[tuple[tuple[str, int], ...]]:
    """Reads addresses, each with a port or not: `192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:53`."""

    def read_server(text: str) -> tuple[str, int]:
        host, port = text, str(DNS_PORT)
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise ValueError
            port = rest[1:] if rest else port
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
            raise ValueError
        return str(ipaddress.ip_address(host)), int(port)

    def read(value: str) -> tuple[tuple[str, int], ...]:
        return tuple(read_server(server.strip()) for server in value.split(",") if server.strip())

    return Parser(read, "addresses of name servers, such as 192.0.2.1, 192.0.2.1:5353")


@dataclass(frozen=True, slots=True)
class LookupPolicy(Group):
    """How a service is asked, the same for each."""

    timeout: timedelta = setting(
        duration("1 ms", "1 min"), "2 s", "Longest wait for one answer of the service."
    )
    patience: timedelta = setting(
        duration("1 ms", "5 min"),
        "3 s",
        "Longest wait of a record for its look-ups. They go on and serve later records.",
    )
    concurrency: int = setting(integer(1, 1000), "256", "Most calls at a time, for each subtask.")
    attempts: int = setting(
        integer(1, 10), "1", "Calls before a look-up counts as failed, with growing pauses."
    )
    cache_size: int = setting(integer(1, 10_000_000), "65536", "Answers kept in memory.")
    cache_ttl: timedelta = setting(duration("1 s", "30 d"), "1 h", "How long an answer is kept.")
    cache_negative_ttl: timedelta = setting(
        duration("1 s", "30 d"),
        "10 min",
        "How long the answer that there is nothing is kept; a failure is kept 30 s at most.",
    )
    breaker_failures: int = setting(
        integer(1, 100_000), "50", "Failures in a row after which the service is left alone."
    )
    breaker_pause: timedelta = setting(
        duration("1 ms", "1 h"), "30 s", "How long it is left alone; then one call tries it."
    )
    on_failure: Literal["continue", "dead_letter"] = choice(
        "continue",
        "A record without an answer goes on with the issue lookup_failed, or is a dead letter.",
    )


@dataclass(frozen=True, slots=True)
class DnsSettings(LookupPolicy, name="weblog.lookups.dns"):
    """Reverse DNS: records get `hostname`."""

    enabled: bool = setting(boolean(), "false", "Look up the host names of client addresses.")
    servers: tuple[tuple[str, int], ...] = setting(
        name_servers(), "", "Name servers; empty: those of the machine."
    )


_TABLE = "[A-Za-z0-9_.-]{3,255}"
_TABLE_ARN = "arn:aws[a-z-]*:dynamodb:[a-z]{2}[a-z0-9-]+:[0-9]{12}:table/"


@dataclass(frozen=True, slots=True)
class DynamoDbSettings(LookupPolicy, name="weblog.lookups.dynamodb"):
    """Reference data in a DynamoDB table: records get `reference`."""

    table: str = setting(
        pattern(f"|{_TABLE}|{_TABLE_ARN}{_TABLE}", "a table's name or ARN"),
        "",
        "The table; empty: no look-ups.",
    )
    region: str = setting(
        pattern("|[a-z]{2}[a-z0-9-]+", "a region such as eu-west-1"),
        "",
        "Region of the table; empty: that of its ARN, else the job's.",
    )
    endpoint: str = setting(endpoint(), "", "Another endpoint than the region's.")
    key: str = setting(
        pattern(".{1,255}", "an attribute's name"),
        "webpage",
        "The table's partition key, a string.",
    )
    field: KeyField = choice("webpage", "Field of the record that is looked up in the table.")
    concurrency: int = setting(
        integer(1, 64),
        "16",
        "Most calls at a time, for each subtask; each is a thread and asks for up to 100 keys.",
    )

    @property
    def table_region(self) -> str:
        """Returns where the table is; empty: the region that the job runs in."""
        return self.table.split(":")[3] if ":" in self.table else self.region


@dataclass(frozen=True, slots=True)
class LookupSettings:
    """All look-ups."""

    dns: DnsSettings = field(default_factory=DnsSettings)
    dynamodb: DynamoDbSettings = field(default_factory=DynamoDbSettings)
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)

    @property
    def any(self) -> bool:
        """Returns whether any is switched on."""
        return self.dns.enabled or bool(self.dynamodb.table) or self.reference.file is not None

    @classmethod
    def load(cls, properties: Properties, core: CoreSettings) -> Self:
        """Reads and checks the groups.

        Raises:
            ConfigurationError: An unknown key, an unacceptable value, or look-ups that do
                not go together with each other or with the privacy settings.
        """
        loaded = cls(
            DnsSettings.load(properties),
            DynamoDbSettings.load(properties),
            ReferenceSettings.load(properties),
        )
        loaded.check(core)
        return loaded

    def check(self, core: CoreSettings) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: They do not go together.
        """
        hides_client = privacy_rules(core.privacy, core.dead_letters).client != "keep"
        if self.dns.enabled and hides_client:
            # Names of hosts are made of their addresses, or name a person's connection.
            expected = "false while weblog.privacy hides the client's address"
            raise self.dns.error("enabled", "true", expected)
        region = self.dynamodb.table_region
        if self.dynamodb.region not in {"", region}:
            expected = f"{region}, where the table's ARN has it, or nothing"
            raise self.dynamodb.error("region", self.dynamodb.region, expected)
        if self.dynamodb.table and self.reference.file is not None:
            expected = "nothing while weblog.lookups.dynamodb has a table"
            raise self.reference.error("file", str(self.reference.file), expected)


LOOKUP_GROUPS: tuple[type[Group], ...] = (DnsSettings, DynamoDbSettings, ReferenceSettings)


def lookup_settings() -> tuple[Setting, ...]:
    """Returns every setting of look-ups, for documentation and checks."""
    return tuple(setting for group in LOOKUP_GROUPS for setting in group.settings())
