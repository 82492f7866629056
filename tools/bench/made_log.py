"""A made access log of any size, with the variety of a busy site's own.

What a log costs to process depends on how much repeats in it, so this one is made of visits.
Clients, user agents and addresses of pages are drawn by rank from large populations in which few
are frequent and most are rare (Zipf-Mandelbrot), and some values never come twice. A client keeps
its user agent, and a page's address comes again as the referrer of its assets. The first 10,000
lines are as varied as the bundled log's or more (tests/tools/bench/test_inputs.py), and so is each
part of a longer log. The same seed gives the same lines, and a shorter log is the start of a
longer one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address
from itertools import count, islice
from random import Random

import numpy as np
from numpy.typing import NDArray

from tools.bench.agents import agent, unseen_agent
from tools.bench.mixing import mix
from tools.bench.visits import Hit, visit

_START = datetime(2025, 3, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Population, slope and shift of a Zipf-Mandelbrot law.
_CLIENTS = (1_000_000, 1.25, 300)
_AGENTS = (6_000, 1.1, 10)
# A client with several devices, or several clients behind one address.
_OTHER_AGENT = 0.06
_UNSEEN_AGENTS = 0.006
# Only decides how many visits go on at once.
_LINES_A_VISIT = 3.3

# Servers write a line when the answer is out, so lines come behind their time stamps: most
# by a moment, a few by up to the watermark's 60 s, and hardly any by more.
_MEAN_DELAY_S = 1.0
_LONGEST_DELAY_S = 55.0
_LATE = 0.0005
_MALFORMED = 0.0002

type Shares = NDArray[np.float64]


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
        draw = Random(self._seed)  # noqa: S311 - no secret hangs on it
        for number, (client, user_agent, hit) in enumerate(islice(self._hits(draw), self._records)):
            time = _time(int(number / self._rate - _delay(draw)))
            size = "-" if hit.status == 304 else _size(draw)
            line = (
                f"{_client(client)} - {'-' if client % 97 else f'user{client}'} [{time}] "
                f'"{hit.request}" {hit.status} {size} "{hit.referrer}" "{user_agent}"'
            )
            if draw.random() < _MALFORMED:
                line = line[: len(line) // 2]
            yield line.encode() + b"\n"

    def _hits(self, draw: Random) -> Iterator[tuple[int, str, Hit]]:
        """Requests of all visits in their order, with client and user agent."""
        waiting: list[tuple[float, int, int, str, Hit]] = []
        numbers = count()
        for start in count(step=_LINES_A_VISIT / self._rate):
            while waiting and waiting[0][0] < start:
                yield heappop(waiting)[2:]
            client = _rank(draw.random(), _CLIENTS)
            user_agent = _agent(draw, client)
            person = user_agent.startswith("Mozilla") and "compatible" not in user_agent
            for hit in visit(draw, client, person=person):
                heappush(waiting, (start + hit.at, next(numbers), client, user_agent, hit))


@lru_cache(maxsize=2)
def _zipf(population: int, slope: float, shift: float) -> Shares:
    """Chances that a rank is at most so high; rank k has the weight 1 / (k + shift) ** slope."""
    sums = np.cumsum(1.0 / (np.arange(population) + shift) ** slope)
    shares: Shares = sums / sums[-1]
    return shares


def _rank(chance: float, law: tuple[int, float, float]) -> int:
    return int(_zipf(*law).searchsorted(chance))


def _agent(draw: Random, client: int) -> str:
    if draw.random() < _UNSEEN_AGENTS:
        return unseen_agent(draw.getrandbits(48))
    other = draw.random() < _OTHER_AGENT
    chance = draw.random() if other else mix(client, 4) / 2**64
    return agent(_rank(chance, _AGENTS))


def _delay(draw: Random) -> float:
    delay = min(draw.expovariate(1 / _MEAN_DELAY_S), _LONGEST_DELAY_S)
    return delay + draw.uniform(180, 3600) if draw.random() < _LATE else delay


def _size(draw: Random) -> int:
    # From 200 bytes to 1 MB, evenly in powers.
    return int(200 * 5_000 ** draw.random())


@lru_cache(maxsize=_CLIENTS[0])
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
