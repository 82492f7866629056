"""A name server on the loopback address, whose answers a test makes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dnslib import PTR, QTYPE, RCODE, RR, DNSLabel, DNSRecord

SILENCE = "silence"
UNKNOWN = "NXDOMAIN"
FAILURE = "SERVFAIL"

type Answer = Callable[[str], tuple[float, str | bytes]]
"""Returns a delay in seconds, and one of the above or a name, for an IPv4 address."""


def usual_name(address: str) -> str:
    return f"host-{address.replace('.', '-')}.example.net"


@dataclass
class NameServer:
    answer: Answer
    port: int = 0
    questions: Counter[str] = field(default_factory=Counter)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        labels = str(question.q.qname).split(".")[:4]
        address = ".".join(reversed(labels))
        self._server.questions[address] += 1
        delay, kind = self._server.answer(address)
        if kind == SILENCE:
            return
        reply = question.reply()
        if kind in {UNKNOWN, FAILURE}:
            reply.header.rcode = getattr(RCODE, str(kind))
        else:
            # Labels are bytes, as names may hold any byte.
            text = kind if isinstance(kind, bytes) else kind.encode()
            name = DNSLabel(tuple(text.split(b".")))
            reply.add_answer(RR(question.q.qname, QTYPE.PTR, rdata=PTR(name), ttl=60))
        loop = asyncio.get_running_loop()
        loop.call_later(delay, self._transport.sendto, reply.pack(), addr)


@contextmanager
def name_server(answer: Answer) -> Iterator[NameServer]:
    server = NameServer(answer)
    loop = asyncio.new_event_loop()
    transport, _ = loop.run_until_complete(
        loop.create_datagram_endpoint(lambda: _Protocol(server), local_addr=("127.0.0.1", 0))
    )
    # The questions of many look-ups come in one burst, which must fit.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    server.port = transport.get_extra_info("sockname")[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(transport.close)
        # Closing takes another turn of the loop.
        loop.call_soon_threadsafe(loop.call_soon, loop.stop)
        thread.join()
        loop.close()
