"""User agents of a made log: a few frequent ones, many rare, and ones never seen before.

The forms are those of the browsers and crawlers themselves, whose versions, builds and
devices vary.
"""

from __future__ import annotations

from functools import lru_cache

from tools.bench.mixing import mix, one_of

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_IOS_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IOS_END = "Version/{safari} Mobile/15E148 Safari/604.1"
# With their weights in hundredths.
_FORMS = (
    (26, f"{_WINDOWS} {_WEBKIT} Chrome/{{chrome}} Safari/537.36"),
    (
        22,
        (
            f"Mozilla/5.0 (Linux; Android {{android}}; {{device}}) {_WEBKIT} "
            "Chrome/{chrome} Mobile Safari/537.36"
        ),
    ),
    (14, f"Mozilla/5.0 (iPhone; CPU iPhone OS {{ios}} like Mac OS X) {_IOS_WEBKIT} {_IOS_END}"),
    (9, f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/{{chrome}}"),
    (6, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{firefox}) Gecko/20100101 Firefox/{firefox}"),
    (5, f"{_WINDOWS} {_WEBKIT} Chrome/{{chrome}} Safari/537.36 Edg/{{chrome}}"),
    (3, "Mozilla/5.0 (X11; Linux x86_64; rv:{firefox}) Gecko/20100101 Firefox/{firefox}"),
    (3, f"Mozilla/5.0 (iPad; CPU OS {{ios}} like Mac OS X) {_IOS_WEBKIT} {_IOS_END}"),
    (
        3,
        (
            f"Mozilla/5.0 (Linux; Android {{android}}; SAMSUNG {{device}}) {_WEBKIT} "
            "SamsungBrowser/{samsung} Chrome/{chrome} Mobile Safari/537.36"
        ),
    ),
    (4, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (2, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    (1, "Mozilla/5.0 (compatible; AhrefsBot/{patch}.0; +http://ahrefs.com/robot/)"),
    (1, "python-requests/2.{patch}.{android}"),
    (1, "-"),
)
_DEVICES = (
    "SM-G991B", "SM-A525F", "SM-S918B", "Pixel 7", "Pixel 8 Pro", "M2101K6G", "CPH2449", "RMX3085",
    "moto g(60)", "Redmi Note 11", "VOG-L29", "ONEPLUS A6013", "K",
)  # fmt: skip
_BY_WEIGHT = tuple(form for weight, form in _FORMS for _ in range(weight))


@lru_cache(maxsize=32_768)
def agent(rank: int) -> str:
    """The user agent of a rank."""
    return _filled(mix(rank, 21))


def unseen_agent(number: int) -> str:
    """A user agent for one line alone."""
    return f"{_filled(mix(number, 22))} build/{number:x}"


def _filled(number: int) -> str:
    # Chrome itself hides its build; what embeds it often does not.
    build = "0.0" if number >> 20 & 7 else f"{5000 + (number >> 24) % 2000}.{(number >> 36) % 200}"
    return one_of(_BY_WEIGHT, number).format(
        chrome=f"{100 + (number >> 8) % 40}.0.{build}",
        firefox=f"{90 + (number >> 8) % 50}.0",
        android=8 + (number >> 8) % 8,
        ios=f"{14 + (number >> 8) % 5}_{(number >> 12) % 8}",
        safari=f"{14 + (number >> 8) % 5}.{(number >> 12) % 8}",
        samsung=f"{16 + (number >> 12) % 10}.0",
        device=one_of(_DEVICES, number >> 40),
        patch=(number >> 12) % 30,
    )
