"""Clients: what looks like one, and which of the addresses on a request's way is the client.

A client is an IP address, one with a port (`192.0.2.1:443`, `[2001:db8::1]:443`), or a host name as
RFC 1123 has it, with `_` allowed. Nothing else is: a line whose client is another word was written
in another format, and a record made of it would look good and be wrong.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Without leading zeros, which some take for octal numbers.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
_IPV4_WITH_PORT = re.compile(rf"((?:{_OCTET}\.){{3}}{_OCTET}):[0-9]{{1,5}}")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?)\](?::[0-9]{1,5})?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?")
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+\.?")
_MAX_HOST_NAME = 253

UNIX_SOCKET = "unix:"
"""The client that nginx logs for a peer on a socket of its own machine."""


def parse_address(host: str) -> Address | None:
    """Returns the address that a host is: IPv4 inside IPv6 as IPv4, without a zone; else None."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            # The zone has a meaning on the server only, and databases do not take it.
            return ipaddress.IPv6Address(int(address))
    return address


def client_of(text: str) -> str | None:
    """Returns the address or host name in a client's field, without port and brackets.

    Args:
        text: The field, or one address of a list.

    Returns:
        The client; None when the text does not look like one.
    """
    if IPV4.fullmatch(text):
        return text
    match = _IPV4_WITH_PORT.fullmatch(text) or _BRACKETED.fullmatch(text)
    bare = text if match is None else match[1]
    if ":" in bare:
        return bare if _IPV6.fullmatch(bare) and parse_address(bare) is not None else None
    if match is not None:
        return bare if IPV4.fullmatch(bare) else None
    if len(text) <= _MAX_HOST_NAME and _HOST_NAME.fullmatch(text):
        return text
    return None


def is_odd_client(client: str) -> bool:
    """Tells whether a client has the form of a host name that no host has: `300.1.1.1`, `12`."""
    last = client.rstrip(".").rpartition(".")[2]
    return last.isdigit() and ":" not in client and IPV4.fullmatch(client) is None


_ADDRESS_BEFORE_DASH = re.compile(
    rf"(?<![0-9A-Za-z_.:-])(?:(?:{_OCTET}\.){{3}}{_OCTET}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*+)"
    r"(?::[0-9]{1,5})? - "
)


def is_shifted(ident: str, user: str) -> bool:
    """Tells whether the two fields before the time stamp hold the start of the real line.

    A shipper's prefix (`web1 nginx: 192.0.2.1 - - [...`) has as many words as a client, an
    identity and a user with blanks.

    Args:
        ident: The second field.
        user: The third field, with all its words.
    """
    if ident.endswith((":", "|")):
        return True
    following = f"{user} "
    return " - - " in following or _ADDRESS_BEFORE_DASH.search(following) is not None


class ResolvedClient(NamedTuple):
    """The client of a request, and the proxy that handed it on."""

    client: str
    proxy: str | None
    """The address in the log where it is not the client."""


PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
            "fc00::/7", "fe80::/10",
        ),
    )
)  # fmt: skip
LOOPBACK_NETWORKS: tuple[Network, ...] = tuple(
    map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128"))
)

_ELEMENTS = 64
"""Addresses of a header that are looked at, from the right. Real proxies write a handful."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Which hops of a request are the site's own.

    Attributes:
        networks: Networks of trusted proxies; not used where `hops` is set.
        hops: Number of trusted proxies, counted from the server; 0: by network.
    """

    networks: tuple[Network, ...] = PRIVATE_NETWORKS + LOOPBACK_NETWORKS
    hops: int = 0

    def resolver(self) -> Resolver:
        """Returns a resolver with a cache of its own."""
        return Resolver(self)

    def trusts(self, client: str, hop: int) -> bool:
        """Tells whether a hop is trusted.

        Args:
            client: The address.
            hop: Its position, 0 for the one that the server saw.
        """
        if self.hops:
            return hop < self.hops
        if client == UNIX_SOCKET:
            return True
        address = parse_address(client)
        return address is not None and any(
            address.version == network.version and address in network for network in self.networks
        )


class Resolver:
    """Finds the client of a request from the address in the log and from X-Forwarded-For.

    Hops are taken from the right, where the site's own proxies have written; what stands left of
    the first hop that is not trusted is the client's own word.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        # A proxy's clients come again and again, each with its own header.
        self._kept = lru_cache(maxsize=8192)(self._resolved)

    def resolve(self, peer: str, forwarded: str | None) -> ResolvedClient:
        """Returns who sent a request.

        Args:
            peer: The address in the log; empty when the log has only the header.
            forwarded: X-Forwarded-For or Forwarded as the log has it; None or `-`: there is none.
        """
        if forwarded is None or forwarded in {"", "-"}:
            return ResolvedClient(peer, None)
        if len(forwarded) > 256:
            # Only hostile ones are longer; a few thousand of them would fill the memory.
            return self._resolved(peer, forwarded)
        return self._kept(peer, forwarded)

    def _resolved(self, peer: str, forwarded: str) -> ResolvedClient:
        nearest = peer if peer == UNIX_SOCKET else client_of(peer)
        client, hop = nearest, 0
        elements = _elements(forwarded)
        if client is None:
            client = next(elements, None)
            if client is None:
                return ResolvedClient(peer, None)
        while self._trust.trusts(client, hop):
            behind = next(elements, None)
            if behind is None:
                break
            client, hop = behind, hop + 1
        if hop == 0 and client == nearest:
            return ResolvedClient(peer, None)
        return ResolvedClient(client, None if nearest is None or client == nearest else nearest)


def _elements(header: str) -> Iterator[str]:
    """Gives the addresses of a header from right to left, up to one that is no address.

    `unknown` and `_hidden` are words of a proxy that did not know or tell: what stands left of
    them is nobody's word.
    """
    read = _forwarded_for if "=" in header else _address_of
    rest = header
    for _ in range(_ELEMENTS):
        rest, comma, element = rest.rpartition(",")
        element = element.strip()
        if element:
            client = read(element)
            if client is None:
                return
            yield client
        if not comma:
            return


def addresses_in(header: str) -> list[str]:
    """Returns the addresses that a header names, the last ones if there are very many."""
    read = _forwarded_for if "=" in header else _address_of
    elements = header.rsplit(",", _ELEMENTS)[-_ELEMENTS:]
    return [address for element in elements if (address := read(element.strip())) is not None]


_FOR = re.compile(r"(?:^|;)\s*for\s*=\s*(\"[^\"]*+\"|[^\s;]++)", re.IGNORECASE)


def _forwarded_for(element: str) -> str | None:
    """Returns the address in an element of the header Forwarded (RFC 7239)."""
    # The log may have escaped the quotation marks.
    match = _FOR.search(element.replace('\\"', '"').replace("\\x22", '"'))
    return None if match is None else _address_of(match[1].strip('"'))


def _address_of(element: str) -> str | None:
    """Returns the address in an element of a list; proxies write no host names there."""
    client = client_of(element)
    return None if client is None or parse_address(client) is None else client
