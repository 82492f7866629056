"""Host names of client addresses, from the domain name system.

dnspython asks without a thread for each question and honours a time limit; the standard
library's resolver does neither. A name is what the owner of the address says: it is not
confirmed by asking for its address in turn, which would double the questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename
import orjson

from flink_app.lookups.service import NOTHING
from udfs.errors import TransientError
from udfs.lookups.settings import DnsSettings

MAX_NAME = 253
"""Characters of the longest name that DNS allows."""

# Letters, digits, hyphens and, as many names have it, underscores: whoever owns an address may
# put anything else into its name, control characters included.
_NAME = re.compile(r"(?=.*[a-z])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*+")


class ReverseDns:
    """Asks name servers; see `flink_app.lookups.service.Backend`."""

    largest_call = 1

    def __init__(self, settings: DnsSettings) -> None:
        """Prepares to ask.

        Raises:
            ConfigurationError: No server is named and the machine knows none.
        """
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not settings.servers)
        except dns.resolver.NoResolverConfiguration as error:
            raise settings.error(
                "servers", "", "addresses of name servers (the machine has none configured)"
            ) from error
        if settings.servers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(host, port) for host, port in settings.servers
            ]
        seconds = settings.timeout.total_seconds()
        self._resolver.lifetime = seconds
        # A datagram may get lost: within the time limit the question is put twice.
        self._resolver.timeout = seconds / 2

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Asks for the name of one address.

        Raises:
            TransientError: No server answered in time.
        """
        (address,) = keys
        question = dns.reversename.from_address(address)
        try:
            answer = await self._resolver.resolve(question, dns.rdatatype.PTR)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return {address: NOTHING}
        except dns.resolver.NoNameservers:
            # The servers did answer: only the zone of this address fails.
            return {address: None}
        except dns.exception.DNSException as error:
            raise TransientError("enrich", "dns", type(error).__name__) from error
        name = host_name(str(answer[0].target))
        return {address: NOTHING if name is None else orjson.dumps(name).decode()}

    def close(self) -> None:
        """Does nothing: it holds nothing between questions."""


def host_name(text: str) -> str | None:
    """Returns a name as a record shows it, in lower case; None for what is no host name."""
    name = text.rstrip(".").lower()
    return name if len(name) <= MAX_NAME and _NAME.fullmatch(name) else None
