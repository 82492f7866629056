"""Do slow look-ups keep up? `python -m tools.bench.lookups [--rate 500] [--delay-ms 200]`.

Records come at a fixed rate in bundles of a second, as Flink hands them to a Python function, and
go through the core with reverse DNS behind it. A name server on this machine answers each question
after the delay. Hosts follow Zipf's law, with a share that was never seen before; the worst case
has new hosts only. The figures are those of one subtask.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flink_app.lookups.batch import BatchEnricher
from udfs.config.core import CoreSettings
from udfs.enrichment import Enricher
from udfs.lookups.settings import LookupSettings
from udfs.outcomes import Enriched

BUNDLE = 1000
"""Most records of a bundle, Flink's default, which Managed Flink keeps."""

_HOSTS = 20_000
_NEW_SHARE = 0.02
_SEED = 7


class Figure(NamedTuple):
    """One measured case."""

    case: str
    records: int
    offered_per_second: float
    """0: as many as it takes."""
    done_per_second: float
    longest_bundle_ms: float
    cache_hit_percent: float
    failed: int


class _Responder(asyncio.DatagramProtocol):
    """Answers every question with the same name, after a delay."""

    # The question's own name, PTR, IN, a minute, `host.example.net`.
    _NAME = b"\x04host\x07example\x03net\x00"
    _ANSWER = b"\xc0\x0c" + struct.pack(">HHIH", 12, 1, 60, len(_NAME)) + _NAME

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the socket."""
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101 - for the type checker
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers one question, however it came."""
        end = data.index(b"\x00", 12) + 5
        reply = data[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + data[12:end] + self._ANSWER
        asyncio.get_running_loop().call_later(self._delay, self._transport.sendto, reply, addr)


@contextlib.contextmanager
def _name_server(delay: float) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    transport, _ = loop.run_until_complete(
        loop.create_datagram_endpoint(lambda: _Responder(delay), local_addr=("127.0.0.1", 0))
    )
    udp: socket.socket = transport.get_extra_info("socket")
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield udp.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(transport.close)
        # Closing takes another turn of the loop.
        loop.call_soon_threadsafe(loop.call_soon, loop.stop)
        thread.join()
        loop.close()


def _new_hosts() -> Iterator[str]:
    return (f"11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count())


def _usual_hosts() -> Iterator[str]:
    chance = random.Random(_SEED)  # noqa: S311 - made data
    new = _new_hosts()
    hosts = [f"12.0.{n >> 8 & 255}.{n & 255}" for n in range(_HOSTS)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, _HOSTS + 1)))
    while True:
        if chance.random() < _NEW_SHARE:
            yield next(new)
        else:
            yield chance.choices(hosts, cum_weights=weights)[0]


def _lines(hosts: Iterator[str], count: int) -> list[bytes]:
    return [
        f'{host} - - [28/Oct/2025:10:15:30 +0000] "GET /{n % 50} HTTP/1.1" 200 9 "-" "-"'.encode()
        for n, host in enumerate(itertools.islice(hosts, count))
    ]


def _measure(
    case: str, hosts: Iterator[str], count: int, rate: float, settings: LookupSettings
) -> Figure:
    core = CoreSettings()
    enricher = BatchEnricher.open(Enricher.create(core, client_address=True), settings)
    lines = _lines(hosts, count)
    failed = done = 0
    longest = 0.0
    started = time.perf_counter()
    try:
        while done < count:
            if rate:
                # What has come by now, but no more than a bundle; a bundle lasts a second.
                due = started + (done + min(rate, BUNDLE, count - done)) / rate
                time.sleep(max(0.0, due - time.perf_counter()))
                come = int((time.perf_counter() - started) * rate + 0.5)
                bundle = lines[done : min(come, done + BUNDLE)]
            else:
                bundle = lines[done : done + BUNDLE]
            began = time.perf_counter()
            outcomes = enricher.process(bundle)
            longest = max(longest, time.perf_counter() - began)
            done += len(bundle)
            failed += sum(
                "lookup_failed" in one.issues
                for group in outcomes
                for one in group
                if isinstance(one, Enriched)
            )
        seconds = time.perf_counter() - started
        use = enricher.services["hostname"].use()
    finally:
        enricher.close()
    hits = 100 * (1 - use.misses / count)  # look-ups saved, also by a bundle's own repetitions
    return Figure(case, count, rate, count / seconds, longest * 1000, hits, failed)


def measure(rate: float, delay_ms: float, seconds: int, concurrency: int) -> list[Figure]:
    """All cases, one after the other.

    Args:
        rate: records/s that come.
        delay_ms: what each look-up takes.
        seconds: length of the case at a rate.
        concurrency: look-ups at a time.
    """
    with _name_server(delay_ms / 1000) as port:
        properties = {
            "enabled": "true",
            "servers": f"127.0.0.1:{port}",
            "concurrency": str(concurrency),
            "patience": "30 s",
        }
        settings = LookupSettings.load({"weblog.lookups.dns": properties}, CoreSettings())
        count = int(rate * seconds)
        return [
            _measure("usual mix", _usual_hosts(), count, rate, settings),
            _measure("new hosts only", _new_hosts(), count, rate, settings),
            _measure("usual mix, all at once", _usual_hosts(), 20 * BUNDLE, 0, settings),
            _measure("new hosts only, all at once", _new_hosts(), 5 * BUNDLE, 0, settings),
            _measure("one host, all at once", itertools.repeat("12.0.0.1"), 100_000, 0, settings),
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures as a table or as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--delay-ms", type=float, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    figures = measure(options.rate, options.delay_ms, options.seconds, options.concurrency)
    if options.json:
        print(json.dumps([one._asdict() for one in figures], indent=2))
        return 0
    print(f"each look-up {options.delay_ms:g} ms, {options.concurrency} at a time, one subtask\n")
    print("| case | records/s offered | done | longest bundle | hits | failed |")
    print("|---|---|---|---|---|---|")
    for one in figures:
        offered = f"{one.offered_per_second:,.0f}" if one.offered_per_second else "all"
        print(
            f"| {one.case} | {offered} | {one.done_per_second:,.0f} "
            f"| {one.longest_bundle_ms:,.0f} ms | {one.cache_hit_percent:.1f} % | {one.failed} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
