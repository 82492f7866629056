"""Rules that hide personal data, field by field.

The order on a line is always the same: values of named parameters and e-mail addresses inside
texts, then every repetition of the authenticated user, then every repetition of the client's
address, and at last what a field's own action does to the field as a whole. What is derived from a
field (page, referring site, ...) is derived after the masking inside texts; the place of the client
is looked up with the address as the log has it.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from udfs.config.core import DeadLetterSettings, PrivacySettings
from udfs.enrich.user_agent import parse_user_agent
from udfs.parse.access_log import LogLine, unescape
from udfs.parse.client import addresses_in, parse_address
from udfs.parse.request import split_request
from udfs.privacy.identities import Identity, client_identity, name_identity, without_identities
from udfs.privacy.text import MASK, Replacer, TextMasker

type Action = Literal["keep", "drop", "mask", "truncate", "hash"]
type LetterForm = Literal["raw", "masked", "omitted"]

MINIMUM_SALT_BYTES = 16

_NOTHING = "-"
"""The absent value in a log."""

# No name in DNS is longer, and no address.
_LONGEST_HOST = 255

_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
_PROTOCOLS = frozenset({None, "HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/3.0"})


@dataclass(frozen=True, slots=True)
class PrivacyRules:
    """The action for each kind of personal data."""

    client: Action
    user: Action
    referer: Action
    agent: Action
    query_values: Action
    emails: Action
    dead_letters: LetterForm

    @property
    def hides_anything(self) -> bool:
        """Returns whether a record shows less than its line."""
        actions = (
            self.client, self.user, self.referer, self.agent, self.query_values, self.emails,
        )  # fmt: skip
        return any(action != "keep" for action in actions)


PROFILES = {
    "off": PrivacyRules("keep", "keep", "keep", "keep", "keep", "keep", "raw"),
    "standard": PrivacyRules("truncate", "drop", "keep", "keep", "mask", "mask", "masked"),
    "strict": PrivacyRules("hash", "drop", "truncate", "truncate", "mask", "mask", "masked"),
}
"""The presets; single settings override them."""


def privacy_rules(privacy: PrivacySettings, letters: DeadLetterSettings) -> PrivacyRules:
    """Returns the profile's rules with the settings that override it.

    Raises:
        ConfigurationError: Dead letters are to be masked and nothing is hidden.
    """
    profile = PROFILES[privacy.profile]

    def chosen(setting: str, preset: str) -> Action:
        return cast("Action", preset if setting == "profile" else setting)

    rules = PrivacyRules(
        client=chosen(privacy.client_address, profile.client),
        user=chosen(privacy.auth_user, profile.user),
        referer=chosen(privacy.referer, profile.referer),
        agent=chosen(privacy.agent, profile.agent),
        query_values=chosen(privacy.query_values, profile.query_values),
        emails=chosen(privacy.emails, profile.emails),
        dead_letters=cast("LetterForm", chosen(letters.privacy, profile.dead_letters)),
    )
    if rules.dead_letters == "masked" and not rules.hides_anything:
        # Their lines would be called masked and show everything.
        expected = "raw or omitted where weblog.privacy hides nothing"
        raise letters.error("privacy", letters.privacy, expected)
    return rules


class Privacy:
    """The rules in force, as functions of a field's text as the log has it.

    Attributes:
        rules: What they do.
        event_key: Key of event ids. An id is a hash of the line; without a key, whoever knows the
            rest of a line could try all addresses until the id fits.
        masker: Hides what is personal inside texts; None when there is nothing to hide.
    """

    def __init__(
        self, settings: PrivacySettings, letters: DeadLetterSettings, salt: bytes | None
    ) -> None:
        """Checks that there is a salt where one is needed.

        Args:
            settings: What to hide.
            letters: What dead letters hold.
            salt: The secret; None when there is none.

        Raises:
            ConfigurationError: Something is hidden and there is no salt, or a short one.
        """
        self.rules = privacy_rules(settings, letters)
        if not self.rules.hides_anything:
            salt = None
        elif salt is None or len(salt) < MINIMUM_SALT_BYTES:
            raise _salt_error(settings)
        self._salt = salt
        self.event_key = b"" if salt is None else _derived(salt, "event-id")
        value, email = self._replacer("query_values"), self._replacer("emails")
        self.masker = (
            TextMasker(settings.query_parameters, value, email) if value or email else None
        )
        self._contact_masker = None if self.masker is None else self.masker.without_emails()
        # Keyed by the address: worked out once for each client.
        self._identity_of = lru_cache(8192)(client_identity)

    @property
    def hides_user(self) -> bool:
        """Returns whether repetitions of the authenticated user are hidden."""
        return self.rules.user != "keep"

    @property
    def hides_client(self) -> bool:
        """Returns whether repetitions of the client's address are hidden."""
        return self.rules.client != "keep"

    @property
    def hides_quoted(self) -> bool:
        """Returns whether referrers or user agents are hidden, be it in part."""
        return self.rules.referer != "keep" or self.rules.agent != "keep"

    # --- inside texts --------------------------------------------------------------------------

    def text(self, field: str, *, is_cut: bool = False) -> str:
        """Returns a referrer or any other text without personal values and e-mail addresses.

        Args:
            field: The text.
            is_cut: It may end in the middle of an address.
        """
        return field if self.masker is None else self.masker.mask(field, is_cut=is_cut)

    def request(self, field: str) -> str:
        """Returns the same for a request line, whose target may hold blanks."""
        if self.masker is None:
            return field
        method, target, protocol = split_request(field)
        if target is None or protocol not in _PROTOCOLS:
            return self.masker.mask(field)
        masked = self.masker.mask(target)
        if masked is target:
            return field
        return f"{method} {masked}" if protocol is None else f"{method} {masked} {protocol}"

    @staticmethod
    def request_without_identities(field: str, identities: Sequence[Identity]) -> str:
        """Returns a request line without repetitions of its user and its client.

        Anybody may say that his name is GET or HTTP: what every request holds names nobody.
        """
        method, target, protocol = split_request(field)
        if target is None or method not in _METHODS or protocol not in _PROTOCOLS:
            return without_identities(field, identities)
        hidden = without_identities(target, identities)
        return f"{method} {hidden}" if protocol is None else f"{method} {hidden} {protocol}"

    def agent(self, field: str, *, is_bot: bool) -> str:
        """Returns the same for a user agent; the contact address of a bot stays."""
        masker = self._contact_masker if is_bot else self.masker
        return field if masker is None else masker.mask(field)

    def texts(self, line: LogLine) -> LogLine:
        """Returns a line without personal values and e-mail addresses in its texts."""
        referer, agent, vhost, extra = line.referer, line.agent, line.vhost, line.extra
        if agent is not None:
            agent = self.agent(agent, is_bot=parse_user_agent(unescape(agent)).is_bot)
        if extra is not None:
            extra = {
                name: None if value is None else self.text(value) for name, value in extra.items()
            }
        return line._replace(
            vhost=None if vhost is None else self.text(vhost),
            request=self.request(line.request),
            referer=None if referer is None else self.text(referer),
            agent=agent,
            extra=extra,
        )

    def identities(self, line: LogLine, *, with_client: bool = True) -> list[Identity]:
        """Returns the identities that are hidden wherever a line repeats them, in their order.

        Args:
            line: The line, with the address of the log or with the client behind it.
            with_client: The client's addresses as well.
        """
        hidden = [self.user_identity(name) for name in (line.user, line.ident) if name != _NOTHING]
        if with_client:
            hidden.append(self.client_identity(line.host))
            # A header may name the client where the log's address is a proxy's, or the other way.
            if line.proxy is not None:
                hidden.append(self.client_identity(line.proxy))
            if line.forwarded_for is not None:
                hidden += map(self.client_identity, addresses_in(line.forwarded_for))
        return [identity for identity in hidden if identity is not None]

    def user_identity(self, user: str) -> Identity | None:
        """Returns the identity of a user, given as the log has it, if it is hidden."""
        if user == _NOTHING or not self.hides_user:
            return None
        return name_identity(user)

    def client_identity(self, host: str) -> Identity | None:
        """Returns the identity of a client, if it is hidden."""
        if not self.hides_client:
            return None
        if len(host) > _LONGEST_HOST:
            # Not kept: a few thousand of them would fill the memory.
            return client_identity(host)
        return self._identity_of(host)

    # --- whole fields --------------------------------------------------------------------------

    def shown_client(self, host: str) -> str | None:
        """Returns the client as a record shows it; None when it is left out."""
        return self._shown(host, self.rules.client, "client", _truncated_client, _canonical)

    def shown_referer(self, field: str) -> str | None:
        """Returns the referrer as a record shows it."""
        return self._shown(field, self.rules.referer, "referer", _truncated_referer)

    def shown_agent(self, field: str) -> str | None:
        """Returns the user agent as a record shows it."""
        return self._shown(field, self.rules.agent, "agent", _truncated_agent)

    def shown_user(self, user: str) -> str | None:
        """Returns the authenticated user as a masked dead letter shows it."""
        return self._shown(user, self.rules.user, "user", lambda _: MASK)

    def hashed(self, kind: str, text: str) -> str:
        """Returns HMAC-SHA-256 of a text, cut to 128 bits, in hexadecimal."""
        assert self._salt is not None, "rules that hash need a salt"  # noqa: S101
        # With the kind in it, hashes of one text in two fields cannot be linked.
        return _derived(self._salt, kind, text.encode()).hex()[:32]

    def _shown(
        self,
        field: str,
        action: Action,
        kind: str,
        truncate: Callable[[str], str],
        canonical: Callable[[str], str] = str,
    ) -> str | None:
        if field == _NOTHING:
            return field
        match action:
            case "keep":
                return field
            case "drop":
                return None
            case "mask":
                return MASK
            case "truncate":
                return truncate(field)
            case "hash":
                return self.hashed(kind, canonical(field))

    def _replacer(self, rule: Literal["query_values", "emails"]) -> Replacer | None:
        action: Action = getattr(self.rules, rule)
        match action:
            case "keep":
                return None
            case "drop":
                return lambda _: ""
            case "hash":
                return lambda value: self.hashed(rule, value.decode("utf-8", "replace"))
            case _:
                return lambda _: MASK


def _derived(salt: bytes, kind: str, text: bytes = b"") -> bytes:
    return hmac.digest(salt, kind.encode() + b"\0" + text, "sha256")


def _salt_error(settings: PrivacySettings) -> Exception:
    salt = (
        f"with a salt of at least {MINIMUM_SALT_BYTES} bytes, because hashes and event ids of "
        "hidden data can be guessed without one"
    )
    if settings.salt_secret_arn:
        return settings.error("salt.secret.arn", settings.salt_secret_arn, f"a secret {salt}")
    name = settings.salt_variable
    # In the place of another name the salt itself may have been put.
    shown = name if name == PrivacySettings().salt_variable else None
    return settings.error("salt.variable", shown, f"the name of an environment variable {salt}")


# --- truncation --------------------------------------------------------------------------------

_IPV4_BITS = 24
_IPV6_BITS = 48
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]+\.)+([A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*\.[A-Za-z]{2,})\.?")


def _canonical(host: str) -> str:
    """Returns one spelling of an address or name, so that one client has one hash."""
    address = parse_address(host)
    return host.lower() if address is None else str(address)


def _truncated_client(host: str) -> str:
    """Returns the network of an address, or the domain of a host name; else the mask."""
    address = parse_address(host)
    if address is None:
        # For a long label the pattern takes time in proportion to the square of its length.
        match = _DOMAIN.fullmatch(host) if len(host) <= _LONGEST_HOST else None
        return MASK if match is None else match[1].lower()
    bits = _IPV4_BITS if address.version == 4 else _IPV6_BITS
    network = ipaddress.ip_network((address, bits), strict=False)
    return str(network.network_address)


def _truncated_referer(field: str) -> str:
    return re.split(r"[?#;]", field, maxsplit=1)[0]


_VERSION = re.compile(r"(?<![A-Za-z0-9@._-])([0-9]++)(?:[._][0-9]++)++")


def _truncated_agent(field: str) -> str:
    """Returns major versions only, as browsers reduce their own user agents."""
    return _VERSION.sub(r"\1", field)


def logged(shown: str | None) -> str:
    """Returns a shown value as it stands in a log line."""
    return _NOTHING if shown is None else shown
