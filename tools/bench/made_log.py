"""A made access log of any size, with the variety of a busy site's own.

What a log costs to process depends on how much repeats in it, so this one is made of visits.
Clients, user agents and pages are drawn by rank from large populations in which few are frequent
and most are rare (Zipf-Mandelbrot), and some values never come twice. A client keeps its user
agent, and a page comes again as the referrer of its assets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address
from itertools import count, islice
from math import log
from random import Random

import numpy as np
from numpy.typing import NDArray

SITE = "https://www.example.com"

_START = datetime(2025, 3, 1, tzinfo=UTC)
_LINES_A_VISIT, _MEAN_READING_S, _LOADING_S = 3.3, 40.0, 2.0
# Population, slope and shift of a Zipf-Mandelbrot law.
_CLIENTS, _AGENTS = (1_000_000, 1.25, 300), (6_000, 1.1, 10)
_ASSET_KINDS = ("css", "js", "png", "jpg", "svg", "woff2", "webp")
_PROBES = ("/wp-login.php", "/.env", "/xmlrpc.php", "/.git/config", "/phpmyadmin/index.php")
_GARBAGE = ("-", r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
_SEARCH_ENGINES = (
    "https://www.google.com/", "https://www.google.de/", "https://www.bing.com/search?q=shop",
    "https://duckduckgo.com/",
)  # fmt: skip
_SOCIAL_NETWORKS = ("https://t.co/", "https://www.facebook.com/", "https://www.reddit.com/r/shop/")
_STATUSES = (200, 304, 301, 302, 404, 403, 206, 500, 503)
# The share of all requests that each status or one before it answers.
_CUMULATIVE = (0.840, 0.925, 0.945, 0.960, 0.990, 0.993, 0.995, 0.998, 1.0)
_SYLLABLES = "bacedifoguhajekilomunaperisotuvawexiyozu"

# User agents in the forms of browsers and crawlers, with weights; versions and devices vary.
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64"
_ANDROID = "Mozilla/5.0 (Linux; Android {android};"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_FIREFOX = "rv:{firefox}) Gecko/20100101 Firefox/{firefox}"
_IOS = "OS {ios} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_SAFARI = "Version/{safari} Mobile/15E148 Safari/604.1"
_MOBILE = "Chrome/{chrome} Mobile Safari/537.36"
_AGENT_FORMS = (
    (26, f"{_WINDOWS}) {_WEBKIT} Chrome/{{chrome}} Safari/537.36"),
    (22, f"{_ANDROID} {{device}}) {_WEBKIT} {_MOBILE}"),
    (14, f"Mozilla/5.0 (iPhone; CPU iPhone {_IOS} {_SAFARI}"),
    (9, f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/{{chrome}}"),
    (6, f"{_WINDOWS}; {_FIREFOX}"),
    (5, f"{_WINDOWS}) {_WEBKIT} Chrome/{{chrome}} Safari/537.36 Edg/{{chrome}}"),
    (3, f"Mozilla/5.0 (X11; Linux x86_64; {_FIREFOX}"),
    (3, f"Mozilla/5.0 (iPad; CPU {_IOS} {_SAFARI}"),
    (3, f"{_ANDROID} SAMSUNG {{device}}) {_WEBKIT} SamsungBrowser/{{samsung}} {_MOBILE}"),
    (4, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (2, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    (1, "Mozilla/5.0 (compatible; AhrefsBot/{patch}.0; +http://ahrefs.com/robot/)"),
    (1, "python-requests/2.{patch}.{android}"),
    (1, "-"),
)
_BY_WEIGHT = tuple(form for weight, form in _AGENT_FORMS for _ in range(weight))
_DEVICES = (
    "SM-G991B", "SM-A525F", "SM-S918B", "Pixel 7", "Pixel 8 Pro", "M2101K6G", "CPH2449", "RMX3085",
    "moto g(60)", "Redmi Note 11", "VOG-L29", "ONEPLUS A6013", "K",
)  # fmt: skip

type _Hit = tuple[float, str, int, str]
"""Seconds after the visit's start, request line, status, and referrer (`-` for none)."""


def made_log(records: int, seed: int = 7, rate: float = 500.0) -> Iterator[bytes]:
    """Yields lines with their line breaks; a shorter log is the start of a longer one.

    Args:
        records: Number of lines.
        seed: Another seed is another log.
        rate: Lines a second of event time.
    """
    draw = Random(seed)  # noqa: S311 - no secret hangs on it
    for number, (client, agent, hit) in enumerate(islice(_hits(draw, rate), records)):
        _, request, status, referrer = hit
        # Lines are written when the answer is out: most a moment later, hardly any after the
        # watermark's 60 s.
        delay = min(draw.expovariate(), 55.0)
        if draw.random() < 0.0005:
            delay += draw.uniform(180, 3600)
        time = _time(int(number / rate - delay))
        # From 200 bytes to 1 MB, evenly in powers.
        size = "-" if status == 304 else int(200 * 5_000 ** draw.random())
        user = "-" if client % 97 else f"user{client}"
        line = (
            f'{_address(client)} - {user} [{time}] "{request}" {status} {size} '
            f'"{referrer}" "{agent}"'
        )
        malformed = draw.random() < 0.0002
        yield (line[: len(line) // 2] if malformed else line).encode() + b"\n"


def _hits(draw: Random, rate: float) -> Iterator[tuple[int, str, _Hit]]:
    """Yields requests of all visits in their order, with client and user agent."""
    waiting: list[tuple[float, int, int, str, _Hit]] = []
    numbers = count()
    for start in count(step=_LINES_A_VISIT / rate):
        while waiting and waiting[0][0] < start:
            yield heappop(waiting)[2:]
        client = _rank(draw.random(), _CLIENTS)
        agent = _agent(draw, client)
        person = agent.startswith("Mozilla") and "compatible" not in agent
        for hit in _visit(draw, client, person=person):
            heappush(waiting, (start + hit[0], next(numbers), client, agent, hit))


def _visit(draw: Random, client: int, *, person: bool) -> Iterator[_Hit]:
    """Yields the requests of one visit: garbage, a burglar's, a browser's or a crawler's."""
    kind, at = draw.random(), 0.0
    if kind < 0.001:
        yield at, _one_of(_GARBAGE, client), 400, "-"
    elif kind < 0.005:
        for number in _at_least_one(draw, mean=8):
            yield number * 0.5, f"GET {draw.choice(_PROBES)} HTTP/1.1", 404, "-"
    elif person:
        yield from _pages_with_assets(draw, client)
    else:
        for _ in _at_least_one(draw, mean=1.6):
            yield _hit(draw, at, _page(draw), "-")
            at += draw.expovariate(1 / _MEAN_READING_S)


def _pages_with_assets(draw: Random, client: int) -> Iterator[_Hit]:
    at, found_at = 0.0, _elsewhere(draw)
    # As in the bundled log half of all visits are a single line.
    if draw.random() < 0.6:
        yield _hit(draw, at, _page(draw), found_at)
        return
    site_assets = range(4)
    for _ in _at_least_one(draw, mean=1.4):
        page = _page(draw)
        yield _hit(draw, at, page, found_at)
        found_at = SITE + page
        for asset in (*site_assets, _low_rank(draw, 600)):
            loading = at + draw.random() * _LOADING_S
            kind = _one_of(_ASSET_KINDS, asset)
            path = f"/assets/{_word(asset)}-{mix(asset, 12):08x}.{kind}"
            yield _hit(draw, loading, path, found_at)
        # A browser keeps what all pages have in common.
        site_assets = range(0)
        if draw.random() < 0.25:
            method = "POST" if draw.random() < 0.2 else "GET"
            user = mix(client, 13) % 5_000_000
            orders = f"/api/v2/users/{user}/orders?page={draw.randint(1, 9)}"
            yield _hit(draw, at + _LOADING_S, orders, found_at, method)
        at += _LOADING_S + draw.expovariate(1 / _MEAN_READING_S)


def _hit(draw: Random, at: float, path: str, found_at: str, method: str = "GET") -> _Hit:
    (status,) = draw.choices(_STATUSES, cum_weights=_CUMULATIVE)
    return at, f"{method} {path} HTTP/1.1", status, found_at


def _page(draw: Random) -> str:
    kind = draw.random()
    if kind < 0.45:
        return f"/shop/product.php?id={_low_rank(draw, 500_000) + 1}"
    if kind < 0.70:
        article = _low_rank(draw, 20_000)
        month = f"{2019 + article % 6}/{1 + article % 12:02}"
        return f"/blog/{month}/{_word(article)}-{_word(article + 1)}-{article}/"
    if kind < 0.80:
        words = [_word(_low_rank(draw, 3_000)) for _ in range(2)]
        return f"/search?q={'+'.join(words)}&lang=en"
    if kind < 0.81:
        mail = f"{_word(draw.getrandbits(32))}%40example.org"
        return f"/account/reset?email={mail}&token={draw.getrandbits(64):016x}"
    page = _low_rank(draw, 60)
    return f"/{_word(page)}.html" if page else "/"


def _elsewhere(draw: Random) -> str:
    """Returns where a visitor comes from."""
    kind = draw.random()
    if kind < 0.7:
        return "-"
    if kind < 0.9:
        return draw.choice(_SEARCH_ENGINES if kind < 0.84 else _SOCIAL_NETWORKS)
    site = _low_rank(draw, 20_000)
    return f"https://{_word(site)}.example.org/{_word(site + 7)}?ref={draw.randrange(1000)}"


def _word(number: int) -> str:
    starts = ((mix(number, 11) >> shift) % 20 * 2 for shift in (0, 8, 16))
    return "".join(_SYLLABLES[start : start + 2] for start in starts)


def _agent(draw: Random, client: int) -> str:
    if draw.random() < 0.006:
        number = draw.getrandbits(48)
        return f"{_filled(mix(number, 22))} build/{number:x}"
    # A client with several devices, or several clients behind one address.
    other = draw.random() < 0.06
    chance = draw.random() if other else mix(client, 4) / 2**64
    return _filled(mix(_rank(chance, _AGENTS), 21))


@lru_cache(maxsize=32_768)
def _filled(number: int) -> str:
    # Chrome itself hides its build; what embeds it often does not.
    build = "0.0" if number >> 20 & 7 else f"{5000 + (number >> 24) % 2000}.{(number >> 36) % 200}"
    major, minor = number >> 8, number >> 12
    return _one_of(_BY_WEIGHT, number).format(
        chrome=f"{100 + major % 40}.0.{build}", firefox=f"{90 + major % 50}.0",
        android=8 + major % 8, ios=f"{14 + major % 5}_{minor % 8}",
        safari=f"{14 + major % 5}.{minor % 8}", samsung=f"{16 + minor % 10}.0",
        patch=minor % 30, device=_one_of(_DEVICES, number >> 40),
    )  # fmt: skip


@lru_cache(maxsize=_CLIENTS[0])
def _address(rank: int) -> str:
    """Returns the address of a client: most in IPv4, some in IPv6, a few private or by name."""
    number = mix(rank, 1)
    kind = number % 1000
    if kind < 50:
        return str(IPv6Address((0x2A00 << 112) | (mix(rank, 2) << 64 & (1 << 112) - 1) | number))
    if kind < 60:
        return f"10.{number >> 16 & 255}.{number >> 24 & 255}.{number >> 32 & 255}"
    if kind < 65:
        return f"host-{number >> 16 & 0xFFFF}.dyn.example.net"
    addresses = (IPv4Address(mix(rank, salt) & 0xFFFFFFFF) for salt in count(3))
    return str(next(ip for ip in addresses if ip.is_global and not ip.is_multicast))


@lru_cache(maxsize=4096)
def _time(second: int) -> str:
    return f"{_START + timedelta(seconds=second):%d/%b/%Y:%H:%M:%S} +0000"


def _at_least_one(draw: Random, mean: float) -> range:
    return range(1 + int(draw.expovariate(-log(1 - 1 / mean))))


def _low_rank(draw: Random, population: int) -> int:
    """Returns a rank from 0, from a curve that needs no table: a Zipf law of slope 1."""
    return int((population + 1) ** draw.random()) - 1


def _rank(chance: float, law: tuple[int, float, float]) -> int:
    return int(_zipf(*law).searchsorted(chance))


@lru_cache
def _zipf(population: int, slope: float, shift: float) -> NDArray[np.float64]:
    """Returns chances that a rank is at most so high; rank k weighs 1 / (k + shift) ** slope."""
    sums = np.cumsum(1.0 / (np.arange(population) + shift) ** slope)
    return np.asarray(sums / sums[-1])


def mix(number: int, salt: int) -> int:
    """Returns 64 well mixed bits, always the same for the same number (SplitMix64's finalizer)."""
    mask = (1 << 64) - 1
    value = (number + salt * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & mask
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & mask
    return value ^ value >> 31


def _one_of[T](choices: Sequence[T], number: int) -> T:
    return choices[number % len(choices)]
