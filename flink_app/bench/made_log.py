"""A made access log of any size, with the variety of a busy site's own.

What a log costs to process depends on how much repeats in it. So clients, user agents and
addresses of pages are drawn by rank from large populations in which few are frequent and
most are rare (Zipf-Mandelbrot), and some values never come twice. The same seed gives the
same lines, and a shorter log is the start of a longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import numpy as np
from numpy.typing import NDArray

from flink_app.bench.agents import agent, unseen_agent
from flink_app.bench.mixing import mix, one_of

# Changes with every change of what the same seed gives.
VERSION = 1

_CHUNK = 10_000
_START = datetime(2025, 3, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_CLIENTS, _CLIENT_SLOPE = 1_000_000, 1.25
_AGENTS, _AGENT_SLOPE = 6_000, 1.3
_UNSEEN_AGENTS = 0.002
_PRODUCTS, _ARTICLES, _ASSETS, _PAGES, _WORDS = 500_000, 20_000, 600, 60, 3_000
_SITES = 20_000

# Servers write a line when the answer is out, so lines come behind their time stamps: most
# by a moment, a few by up to the watermark's 60 s, and hardly any by more.
_MEAN_DELAY_S = 1.0
_LONGEST_DELAY_S = 55.0
_LATE = 0.0005
_MALFORMED = 0.0002

type Numbers = NDArray[np.float64]


class MadeLog:
    """The lines of a made log.

    Args:
        records: Number of lines.
        seed: Another seed is another log.
        rate: Lines a second of event time.
    """

    def __init__(self, records: int, seed: int = 7, rate: float = 500.0) -> None:
        self._records = records
        self._seed = seed
        self._rate = rate

    def __iter__(self) -> Iterator[bytes]:
        """All lines in the order of a log, each with its line break."""
        for chunk in range(-(-self._records // _CHUNK)):
            first = chunk * _CHUNK
            yield from self._lines(chunk, first)[: self._records - first]

    def _lines(self, chunk: int, first: int) -> list[bytes]:
        draw = np.random.Generator(np.random.PCG64([self._seed, chunk]))
        uniform = draw.random((9, _CHUNK))
        clients = _CLIENT_RANKS(uniform[0])
        agents = _AGENT_RANKS(uniform[1])
        unseen = draw.random(_CHUNK) < _UNSEEN_AGENTS
        seconds = (first + np.arange(_CHUNK)) / self._rate - _delays(draw)
        return [
            self._line(first + index, *values)
            for index, values in enumerate(
                zip(
                    clients.tolist(),
                    agents.tolist(),
                    unseen.tolist(),
                    seconds.astype(np.int64).tolist(),
                    uniform[2:].T.tolist(),
                    strict=True,
                )
            )
        ]

    def _line(  # noqa: PLR0917 - the columns of the draw above
        self,
        number: int,
        client: int,
        agent_rank: int,
        unseen: bool,
        second: int,
        chances: list[float],
    ) -> bytes:
        kind, first, second_chance, answer, size, referrer, rare = chances
        method, target = _request(kind, first, second_chance, number)
        status = _status(answer, probe=kind > _FIRST_PROBE)
        request = f"{method} {target} HTTP/1.1" if method else target
        user_agent = unseen_agent(number) if unseen else agent(agent_rank)
        line = (
            f"{_client(client)} - {'-' if client % 97 else f'user{client}'} [{_time(second)}] "
            f'"{request}" {status} {_size(status, size)} "{_referrer(referrer, first)}" '
            f'"{user_agent}"'
        )
        if rare < _MALFORMED:
            line = line[: len(line) // 2]
        return line.encode() + b"\n"


def _zipf(population: int, slope: float, shift: float) -> Callable[[Numbers], NDArray[np.int64]]:
    """Gives ranks from 0 for even chances; rank k has the weight 1 / (k + shift) ** slope."""

    @lru_cache(maxsize=1)
    def sums() -> Numbers:
        added = np.cumsum(1.0 / (np.arange(population) + shift) ** slope)
        shares: Numbers = added / added[-1]
        return shares

    def ranks(chances: Numbers) -> NDArray[np.int64]:
        return np.searchsorted(sums(), chances).astype(np.int64)

    return ranks


_CLIENT_RANKS = _zipf(_CLIENTS, _CLIENT_SLOPE, 20)
_AGENT_RANKS = _zipf(_AGENTS, _AGENT_SLOPE, 5)


def _rank(chance: float, population: int) -> int:
    """One rank, from a curve that needs no table: a Zipf law of slope 1."""
    return int((population + 1) ** chance) - 1


def _delays(draw: np.random.Generator) -> Numbers:
    delays = np.minimum(draw.exponential(_MEAN_DELAY_S, _CHUNK), _LONGEST_DELAY_S)
    late = draw.random(_CHUNK) < _LATE
    behind: Numbers = delays + late * draw.uniform(180, 3600, _CHUNK)
    return behind


@lru_cache(maxsize=_CLIENTS)
def _client(rank: int) -> str:
    """The address of a client: most in IPv4, some in IPv6, a few private or by name."""
    number = mix(rank, 1)
    kind = number % 1000
    if kind < 50:
        return str(IPv6Address((0x2A00 << 112) | (mix(rank, 2) << 64 & (1 << 112) - 1) | number))
    if kind < 60:
        return f"10.{number >> 16 & 255}.{number >> 24 & 255}.{number >> 32 & 255}"
    if kind < 65:
        return f"host-{number >> 16 & 0xFFFF}.dyn.example.net"
    attempt = 0
    while True:
        address = IPv4Address(mix(rank, 3 + attempt) & 0xFFFFFFFF)
        if address.is_global and not address.is_multicast:
            return str(address)
        attempt += 1


@lru_cache(maxsize=4096)
def _time(second: int) -> str:
    when = _START + timedelta(seconds=second)
    return f"{when:%d}/{_MONTHS[when.month - 1]}/{when:%Y:%H:%M:%S} +0000"


_SYLLABLES = (
    "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
    "we", "xi", "yo", "zu",
)  # fmt: skip


def _word(number: int) -> str:
    mixed = mix(number, 11)
    return "".join(one_of(_SYLLABLES, mixed >> shift) for shift in (0, 8, 16))


_ASSET_KINDS = ("css", "js", "png", "jpg", "svg", "woff2", "webp")
_PROBES = ("/wp-login.php", "/.env", "/xmlrpc.php", "/.git/config", "/phpmyadmin/index.php")
_GARBAGE = ("-", r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
_FIRST_PROBE = 0.99


def _request(  # noqa: PLR0911 - a table in all but name
    kind: float, first: float, second: float, number: int
) -> tuple[str, str]:
    """Method and target; no method where the request is no HTTP."""
    if kind < 0.34:
        name = _rank(first, _ASSETS)
        return "GET", f"/assets/{_word(name)}-{mix(name, 12):08x}.{one_of(_ASSET_KINDS, name)}"
    if kind < 0.56:
        return "GET", f"/shop/product.php?id={_rank(first, _PRODUCTS) + 1}"
    if kind < 0.68:
        article = _rank(first, _ARTICLES)
        month = f"{2019 + article % 6}/{1 + article % 12:02}"
        return "GET", f"/blog/{month}/{_word(article)}-{_word(article + 1)}-{article}/"
    if kind < 0.80:
        method = "POST" if second < 0.2 else "GET"
        return (
            method,
            f"/api/v2/users/{mix(number, 13) % 5_000_000}/orders?page={1 + int(second * 9)}",
        )
    if kind < 0.86:
        words = f"{_word(_rank(first, _WORDS))}+{_word(_rank(second, _WORDS))}"
        return "GET", f"/search?q={words}&lang=en"
    if kind < 0.865:
        mail = f"{_word(number)}%40example.org"
        return "GET", f"/account/reset?email={mail}&token={mix(number, 14):016x}"
    if kind < _FIRST_PROBE:
        page = _rank(first, _PAGES)
        return "GET", "/" if page == 0 else f"/{_word(page)}.html"
    if kind < 0.9995:
        return "GET", one_of(_PROBES, number)
    return "", one_of(_GARBAGE, number)


_STATUSES = (
    (0.840, 200),
    (0.925, 304),
    (0.945, 301),
    (0.960, 302),
    (0.990, 404),
    (0.993, 403),
    (0.995, 206),
    (0.998, 500),
    (1.0, 503),
)


def _status(chance: float, *, probe: bool) -> int:
    if probe:
        return 404
    return next(status for limit, status in _STATUSES if chance < limit)


def _size(status: int, chance: float) -> str:
    # From 200 bytes to 1 MB, evenly in powers.
    return "-" if status == 304 else str(int(200 * 5_000**chance))


_SEARCH_ENGINES = (
    "https://www.google.com/",
    "https://www.google.de/",
    "https://www.bing.com/search?q=shop",
    "https://duckduckgo.com/",
)
_SOCIAL_NETWORKS = ("https://t.co/", "https://www.facebook.com/", "https://www.reddit.com/r/shop/")


def _referrer(chance: float, first: float) -> str:
    if chance < 0.38:
        return "-"
    if chance < 0.60:
        page = _rank(first, _PAGES)
        return f"https://www.example.com/{_word(page)}.html" if page else "https://www.example.com/"
    if chance < 0.80:
        return f"https://www.example.com/shop/product.php?id={_rank(first, _PRODUCTS) + 1}"
    if chance < 0.91:
        return one_of(_SEARCH_ENGINES, int(chance * 1e6))
    if chance < 0.95:
        return one_of(_SOCIAL_NETWORKS, int(chance * 1e6))
    site = _rank((chance - 0.95) * 20, _SITES)
    return f"https://{_word(site)}.example.org/{_word(site + 7)}?ref={int(first * 1000)}"
