"""What one visit to the made site asks for: pages, what they are made of, where they were found.

Most visitors load a page or a few, each with its assets, whose referrer is that page. Crawlers
load pages alone, without a referrer. A few look for ways to break in.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random
from typing import NamedTuple

from tools.bench.mixing import mix, one_of

SITE = "https://www.example.com"

_PRODUCTS, _ARTICLES, _ASSETS, _PAGES, _WORDS = 500_000, 20_000, 600, 60, 3_000
_SITES = 20_000
_USERS = 5_000_000

# As in the bundled log: half of all visits are a single line, and the mean is three.
_SINGLE_LINE = 0.6
_MEAN_PAGES = 1.4
_ASSETS_OF_ALL_PAGES = 4
_ASSETS_OF_A_PAGE = 1
_API_CALL = 0.25
_MEAN_CRAWLED = 1.6
_PROBING, _MEAN_PROBES = 0.004, 8
_GARBAGE_SHARE = 0.001

_MEAN_READING_S = 40.0
_LOADING_S = 2.0

_ASSET_KINDS = ("css", "js", "png", "jpg", "svg", "woff2", "webp")
_PROBES = ("/wp-login.php", "/.env", "/xmlrpc.php", "/.git/config", "/phpmyadmin/index.php")
_GARBAGE = ("-", r"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
_SEARCH_ENGINES = (
    "https://www.google.com/",
    "https://www.google.de/",
    "https://www.bing.com/search?q=shop",
    "https://duckduckgo.com/",
)
_SOCIAL_NETWORKS = ("https://t.co/", "https://www.facebook.com/", "https://www.reddit.com/r/shop/")
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
_SYLLABLES = (
    "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
    "we", "xi", "yo", "zu",
)  # fmt: skip


class Hit(NamedTuple):
    """One request of a visit.

    Attributes:
        at: Seconds after the visit's start.
        request: The request line.
        status: The answer's status.
        referrer: As the log has it, `-` for none.
    """

    at: float
    request: str
    status: int
    referrer: str = "-"


def visit(draw: Random, client: int, *, person: bool) -> Iterator[Hit]:
    """The requests of one visit.

    Args:
        draw: Where chance comes from.
        client: Number of the client: a client is always the same user.
        person: Whether a browser visits, and not a crawler.
    """
    kind = draw.random()
    if kind < _GARBAGE_SHARE:
        return iter([Hit(0.0, one_of(_GARBAGE, client), 400)])
    if kind < _GARBAGE_SHARE + _PROBING:
        return _probes(draw)
    return _pages_with_assets(draw, client) if person else _crawled(draw)


def _pages_with_assets(draw: Random, client: int) -> Iterator[Hit]:
    at, found_at = 0.0, _elsewhere(draw)
    if draw.random() < _SINGLE_LINE:
        yield Hit(at, f"GET {_page(draw)} HTTP/1.1", _status(draw), found_at)
        return
    site_assets = _ASSETS_OF_ALL_PAGES
    for _ in range(_at_least_one(draw, _MEAN_PAGES)):
        page = _page(draw)
        yield Hit(at, f"GET {page} HTTP/1.1", _status(draw), found_at)
        found_at = SITE + page
        # A browser keeps what all pages have in common.
        assets = [*range(site_assets), *(_rank(draw, _ASSETS) for _ in range(_ASSETS_OF_A_PAGE))]
        site_assets = 0
        for asset in assets:
            loading = at + draw.random() * _LOADING_S
            yield Hit(loading, f"GET {_asset(asset)} HTTP/1.1", _status(draw), found_at)
        if draw.random() < _API_CALL:
            method = "POST" if draw.random() < 0.2 else "GET"
            orders = f"/api/v2/users/{mix(client, 13) % _USERS}/orders?page={draw.randint(1, 9)}"
            yield Hit(at + _LOADING_S, f"{method} {orders} HTTP/1.1", _status(draw), found_at)
        at += _LOADING_S + draw.expovariate(1 / _MEAN_READING_S)


def _crawled(draw: Random) -> Iterator[Hit]:
    at = 0.0
    for _ in range(_at_least_one(draw, _MEAN_CRAWLED)):
        yield Hit(at, f"GET {_page(draw)} HTTP/1.1", _status(draw))
        at += draw.expovariate(1 / _MEAN_READING_S)


def _probes(draw: Random) -> Iterator[Hit]:
    for number in range(_at_least_one(draw, _MEAN_PROBES)):
        yield Hit(number * 0.5, f"GET {draw.choice(_PROBES)} HTTP/1.1", 404)


def _at_least_one(draw: Random, mean: float) -> int:
    """A number from 1 whose chances fall off geometrically."""
    return 1 + int(draw.expovariate(-log(1 - 1 / mean)))


def _rank(draw: Random, population: int) -> int:
    """A rank from 0, from a curve that needs no table: a Zipf law of slope 1."""
    return int((population + 1) ** draw.random()) - 1


def _word(number: int) -> str:
    mixed = mix(number, 11)
    return "".join(one_of(_SYLLABLES, mixed >> shift) for shift in (0, 8, 16))


def _asset(rank: int) -> str:
    return f"/assets/{_word(rank)}-{mix(rank, 12):08x}.{one_of(_ASSET_KINDS, rank)}"


def _page(draw: Random) -> str:
    kind = draw.random()
    if kind < 0.45:
        return f"/shop/product.php?id={_rank(draw, _PRODUCTS) + 1}"
    if kind < 0.70:
        article = _rank(draw, _ARTICLES)
        month = f"{2019 + article % 6}/{1 + article % 12:02}"
        return f"/blog/{month}/{_word(article)}-{_word(article + 1)}-{article}/"
    if kind < 0.80:
        words = f"{_word(_rank(draw, _WORDS))}+{_word(_rank(draw, _WORDS))}"
        return f"/search?q={words}&lang=en"
    if kind < 0.81:
        mail = f"{_word(draw.getrandbits(32))}%40example.org"
        return f"/account/reset?email={mail}&token={draw.getrandbits(64):016x}"
    page = _rank(draw, _PAGES)
    return f"/{_word(page)}.html" if page else "/"


def _status(draw: Random) -> int:
    chance = draw.random()
    return next(status for limit, status in _STATUSES if chance < limit)


def _elsewhere(draw: Random) -> str:
    """Where a visitor comes from."""
    kind = draw.random()
    if kind < 0.7:
        return "-"
    if kind < 0.84:
        return draw.choice(_SEARCH_ENGINES)
    if kind < 0.9:
        return draw.choice(_SOCIAL_NETWORKS)
    site = _rank(draw, _SITES)
    return f"https://{_word(site)}.example.org/{_word(site + 7)}?ref={draw.randrange(1000)}"
