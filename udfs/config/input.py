"""Settings of the input: what is wrapped around lines, their format, and who the client is."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal, Self

from udfs.config.properties import (
    Group,
    Parser,
    Properties,
    choice,
    integer,
    pattern_list,
    setting,
    text,
    text_list,
)
from udfs.parse import alb, cloudfront, json_lines
from udfs.parse.client import LOOPBACK_NETWORKS, PRIVATE_NETWORKS, Network, Trust
from udfs.parse.formats import Format, Preset, own_format, preset
from udfs.parse.log_format import FormatError

ENVELOPE_KEY = "envelope"
"""The one key of `weblog.source` that the core reads."""

type Envelope = Literal["auto", "none"]
type Prefix = Literal["auto", "none"]
type ClientSource = Literal["log", "forwarded"]

_MEMBER = "=(?:[^\\s=,]+)"
_PAIRS = pattern_list(
    f"(?:{'|'.join(json_lines.SETTABLE)}){_MEMBER}",
    "a comma-separated list such as client=ip, time=ts, status=code with the fields "
    + ", ".join(json_lines.SETTABLE),
)
_NETWORK_WORDS = {"private": PRIVATE_NETWORKS, "loopback": LOOPBACK_NETWORKS}


def networks() -> Parser[tuple[Network, ...]]:
    """Reads addresses, networks, and the words `private` and `loopback`."""

    def read(value: str) -> tuple[Network, ...]:
        read_networks: list[Network] = []
        for item in filter(None, map(str.strip, value.split(","))):
            read_networks += _NETWORK_WORDS.get(item.lower()) or (ipaddress.ip_network(item),)
        return tuple(read_networks)

    return Parser(
        read, "a comma-separated list of addresses, networks such as 10.0.0.0/8, private, loopback"
    )


@dataclass(frozen=True, slots=True)
class EnvelopeSettings(Group, name="weblog.source"):
    """The envelope around lines; the group's other keys are the job's source."""

    envelope: Envelope = choice(
        "auto",
        "Unwrap what producers put around lines (KPL, gzip, CloudWatch Logs, JSON of log "
        "shippers); none: a record holds bare lines.",
    )

    @classmethod
    def load(cls, properties: Properties) -> Self:
        """Reads the one key; the others belong to the kind of source.

        Raises:
            ConfigurationError: The value is not acceptable.
        """
        configured = properties.get(cls.group, {})
        own = {key: value for key, value in configured.items() if key == ENVELOPE_KEY}
        # Without arguments: dataclass(slots=True) makes the class again.
        return super(EnvelopeSettings, cls).load({cls.group: own})


@dataclass(frozen=True, slots=True)
class ParserSettings(Group, name="weblog.parser"):
    """How lines are read."""

    format: Preset = choice("combined", "Log format in force; combined_xff is also nginx's main.")
    pattern: str = setting(
        text(),
        "",
        "A format of your own, written as Apache's LogFormat or nginx's log_format; it takes the "
        "place of format.",
    )
    prefix: Prefix = choice(
        "auto",
        "Take off what shippers put in front of a line (syslog, CRI, Docker Compose, Heroku) "
        "where the line can't be read with it.",
    )
    fields: tuple[str, ...] = setting(
        text_list(),
        "",
        "For cloudfront_realtime: the fields of its configuration in their order; empty: all.",
    )
    json_fields: tuple[str, ...] = setting(
        _PAIRS,
        "",
        "For json: the member for each field, with dots into inner objects; empty: the names of "
        "nginx, Caddy, Traefik and Envoy.",
    )
    extra_fields: tuple[str, ...] = setting(
        text_list(),
        "",
        "Names of headers, variables, fields or members that a record holds under extra.",
    )
    max_line_bytes: int = setting(
        integer(256, 10_485_760),
        "65536",
        "Longer lines become dead letters (reason line_too_long).",
    )

    def log_format(self) -> Format:
        """Returns the format that the settings name.

        Raises:
            ConfigurationError: A pattern that can't be used, or settings that do not go together.
        """
        if self.pattern:
            if self.format != "combined":
                raise self.error("format", self.format, "nothing where pattern is set")
            try:
                return own_format(self.pattern, self.extra_fields)
            except FormatError as error:
                key = "extra.fields" if error.is_extra else "pattern"
                value = ", ".join(self.extra_fields) if error.is_extra else self.pattern
                raise self.error(key, value, error.problem) from error
        self._check_fields()
        self._check_extra_fields()
        members = dict(pair.partition("=")[::2] for pair in self.json_fields)
        return preset(self.format, fields=self.fields, members=members, extra=self.extra_fields)

    def _check_fields(self) -> None:
        shown = ", ".join(self.fields)
        if self.fields and self.format != "cloudfront_realtime":
            raise self.error("fields", shown, "nothing where format is not cloudfront_realtime")
        needed = {*cloudfront.NEEDED, "timestamp"}
        if self.fields and not needed <= set(self.fields):
            missing = ", ".join(sorted(needed - set(self.fields)))
            raise self.error("fields", shown, f"a list with {missing}")
        if self.json_fields and self.format != "json":
            pairs = ", ".join(self.json_fields)
            raise self.error("json.fields", pairs, "nothing where format is not json")
        named = {pair.partition("=")[0] for pair in self.json_fields}
        if self.json_fields and not {"client", "time", "status"} <= named:
            pairs = ", ".join(self.json_fields)
            raise self.error("json.fields", pairs, "a list with client, time and status")

    def _check_extra_fields(self) -> None:
        known: tuple[str, ...]
        match self.format:
            case "json":
                return
            case "alb":
                known = alb.FIELDS
            case "cloudfront":
                known = cloudfront.STANDARD_FIELDS
            case "cloudfront_realtime":
                known = self.fields or cloudfront.REALTIME_FIELDS
            case _:
                known = ()
        unknown = [name for name in self.extra_fields if name not in known]
        if unknown:
            expected = (
                f"fields of the format {self.format}: {', '.join(known) or 'it has no others'}"
            )
            raise self.error("extra.fields", unknown[0], expected)


@dataclass(frozen=True, slots=True)
class ClientSettings(Group, name="weblog.client"):
    """The client of a request that came through proxies."""

    source: ClientSource = choice(
        "log",
        "The client is the address in the log, or the last one in X-Forwarded-For that is no "
        "trusted proxy.",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        networks(),
        "private, loopback",
        "Addresses and networks of the proxies in front of the server; private and loopback "
        "stand for those networks.",
    )
    trusted_hops: int = setting(
        integer(0, 16),
        "0",
        "Number of proxies to trust, counted from the server; 0: trust proxies by their address.",
    )

    def trust(self) -> Trust | None:
        """Returns which hops are trusted; None where the log's address is the client."""
        if self.source == "log":
            return None
        return Trust(self.trusted_proxies, self.trusted_hops)
