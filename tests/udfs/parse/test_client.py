"""The texts that are a client, and the choice between several addresses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import combined, dead, enriched, enricher, grows_linearly
from udfs.parse.client import (
    LOOPBACK_NETWORKS,
    PRIVATE_NETWORKS,
    ResolvedClient,
    Trust,
    addresses_in,
    client_of,
    is_odd_client,
    is_shifted,
    parse_address,
)


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:51234", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("crawl-66-249.googlebot.com", "crawl-66-249.googlebot.com"),
        ("example.com.", "example.com."),
        ("my_host", "my_host"),
        ("localhost", "localhost"),
        ("300.1.1.1", "300.1.1.1"),
        ("-", None),
        ("", None),
        ("<190>Nov", None),
        ("2025-11-01T00:00:00.000Z", None),
        ("192.0.2.1,", None),
        ("192.0.2.1:port", None),
        ("[192.0.2.1", None),
        ("unix:", None),
        ("-a.example", None),
        ("a..b", None),
        ("a" * 64, None),
        ("a." * 127, None),
        ("münchen.example", None),
        ("fe80::1%<script>", None),
        ("1:2", None),
    ],
)
def test_clients(text: str, client: str | None) -> None:
    assert client_of(text) == client
    if " " not in text and text:
        line = combined(host=text)
        if client is None:
            assert dead(enricher(), line).letter.reason == "bad_client"
        else:
            assert enriched(enricher(), line).host == client


@pytest.mark.parametrize("client", ["300.1.1.1", "1.2.3", "12", "010.1.1.1", "1.2.3.4.5"])
def test_odd_clients_are_flagged(client: str) -> None:
    assert is_odd_client(client)
    assert "odd_client" in enriched(enricher(), combined(host=client)).issues


@pytest.mark.parametrize("client", ["192.0.2.1", "::1", "::ffff:192.0.2.1", "a1.example", "a1"])
def test_others_are_not(client: str) -> None:
    assert not is_odd_client(client)


@pytest.mark.parametrize(
    ("ident", "user", "shifted"),
    [
        ("-", "-", False),
        ("-", "frank", False),
        ("-", "frank the second", False),
        ("-", "a - b", False),
        ("nginx:", "192.0.2.1 - -", True),
        ("11", "00:00:00 web1 nginx: 192.0.2.1 - -", True),
        ("nginx:", "192.0.2.1 - frank", True),
        ("b,", "192.0.2.1 - frank", True),
        ("x", "2001:db8::1 - frank", True),
        ("x", "client.example.com - -", True),
        ("|", "frank", True),
    ],
)
def test_lines_that_are_some_fields_off(ident: str, user: str, *, shifted: bool) -> None:
    assert is_shifted(ident, user) is shifted


# --- who sent a request through proxies ----------------------------------------------------------

CLIENT, EDGE, PEER = "203.0.113.7", "10.1.1.1", "10.0.0.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "resolved"),
    [
        (PEER, None, ResolvedClient(PEER, None)),
        (PEER, "-", ResolvedClient(PEER, None)),
        (PEER, CLIENT, ResolvedClient(CLIENT, PEER)),
        (PEER, f"{CLIENT}, {EDGE}", ResolvedClient(CLIENT, PEER)),
        # What the client itself wrote stands further left.
        (PEER, f"8.8.8.8, {CLIENT}, {EDGE}", ResolvedClient(CLIENT, PEER)),
        # A peer that is no proxy of ours can write what it wants.
        ("198.51.100.1", CLIENT, ResolvedClient("198.51.100.1", None)),
        (PEER, f"10.0.0.7, {EDGE}", ResolvedClient("10.0.0.7", PEER)),
        (PEER, "unknown", ResolvedClient(PEER, None)),
        (PEER, f"{CLIENT}, unknown, {EDGE}", ResolvedClient(EDGE, PEER)),
        (PEER, f"{CLIENT}, _hidden", ResolvedClient(PEER, None)),
        (PEER, f"{CLIENT}:4711", ResolvedClient(CLIENT, PEER)),
        (PEER, "[2001:db8::7]:4711", ResolvedClient("2001:db8::7", PEER)),
        (PEER, f",, {CLIENT} ,,", ResolvedClient(CLIENT, PEER)),
        (PEER, ",", ResolvedClient(PEER, None)),
        ("unix:", CLIENT, ResolvedClient(CLIENT, "unix:")),
        ("127.0.0.1", CLIENT, ResolvedClient(CLIENT, "127.0.0.1")),
        (PEER, f"for={CLIENT}", ResolvedClient(CLIENT, PEER)),
        (
            PEER,
            f'for="[2001:db8::7]:4711";proto=https, for={EDGE}',
            ResolvedClient("2001:db8::7", PEER),
        ),
        (PEER, r"for=\"[2001:db8::7]\"", ResolvedClient("2001:db8::7", PEER)),
        (PEER, "for=unknown, for=_SEVKISEK", ResolvedClient(PEER, None)),
        (PEER, "<script>alert(1)</script>", ResolvedClient(PEER, None)),
    ],
)
def test_ways(peer: str, forwarded: str | None, resolved: ResolvedClient) -> None:
    assert Trust().resolver().resolve(peer, forwarded) == resolved


def test_hops_in_place_of_networks() -> None:
    assert Trust(hops=1).resolver().resolve("198.51.100.1", CLIENT) == ResolvedClient(
        CLIENT, "198.51.100.1"
    )
    two = Trust(hops=2).resolver()
    assert two.resolve("198.51.100.1", f"8.8.8.8, {CLIENT}, 198.51.100.2").client == CLIENT
    # A chain shorter than the setting says has its first hop as the client.
    assert two.resolve("198.51.100.1", CLIENT).client == CLIENT


def test_networks_of_one_s_own() -> None:
    trust = Trust(PRIVATE_NETWORKS + LOOPBACK_NETWORKS)
    assert trust == Trust()
    assert Trust(()).resolver().resolve(PEER, CLIENT) == ResolvedClient(PEER, None)


headers = st.lists(
    st.sampled_from([CLIENT, EDGE, PEER, "unknown", "", "for=1.1.1.1", '"', "::1", "[", "x" * 300]),
    max_size=6,
).map(", ".join)


@given(st.sampled_from([PEER, CLIENT, "unix:", "h.example"]), headers | st.text(max_size=60))
def test_the_client_is_the_peer_or_an_address_of_the_header(peer: str, header: str) -> None:
    client, proxy = Trust().resolver().resolve(peer, header)
    assert client == peer or client in addresses_in(header)
    assert client == peer or parse_address(client) is not None
    assert proxy in {None, peer}


@pytest.mark.parametrize("piece", [",", "1.1.1.1,", "10.0.0.1, ", "for=", ':",', "a"])
def test_headers_take_time_in_proportion_to_their_length(piece: str) -> None:
    resolver = Trust().resolver()
    assert grows_linearly(lambda text: resolver.resolve(PEER, text), lambda n: piece * n, 5_000)
    assert grows_linearly(lambda text: is_shifted("x", text), lambda n: f"a {piece}" * n, 5_000)


@pytest.mark.parametrize(
    ("start", "client", "proxy"),
    [
        ("172.31.20.1 (203.0.113.7, 172.31.20.9) - - ", "203.0.113.7", "172.31.20.1"),
        ("172.31.20.1 (-) - - ", "172.31.20.1", None),
        ("203.0.113.7, 172.31.20.9 - - ", "203.0.113.7", "172.31.20.9"),
        ("8.8.8.8, 203.0.113.7, 172.31.20.9 - frank ", "203.0.113.7", "172.31.20.9"),
    ],
)
def test_a_list_in_the_client_s_place(start: str, client: str, proxy: str | None) -> None:
    using = enricher({"weblog.client": {"source": "forwarded"}})
    line = start + combined().partition("- - ")[2]
    record = json.loads(enriched(using, line).json)
    assert (record["host"], record["proxy"]) == (client, proxy)
    # Without the setting the client is the address nearest to the server.
    plain = json.loads(enriched(enricher(), line).json)
    assert plain["host"] in {"172.31.20.1", "172.31.20.9"}
    assert plain["proxy"] is None


def test_the_proxy_is_hidden_as_the_client_is() -> None:
    using = enricher(
        {
            "weblog.client": {"source": "forwarded"},
            "weblog.parser": {"format": "combined_xff"},
            "weblog.privacy": {"profile": "standard"},
        }
    )
    request = f"GET /?from={CLIENT}&by={PEER} HTTP/1.1"
    line = f'{combined(host=PEER, request=request)} "{CLIENT}"'
    record = json.loads(enriched(using, line).json)
    assert (record["host"], record["proxy"]) == ("203.0.113.0", "10.0.0.0")
    assert CLIENT not in json.dumps(record)
    assert PEER not in json.dumps(record)
