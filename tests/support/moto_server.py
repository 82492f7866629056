"""A server of emulated AWS services inside the test process."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer


@contextmanager
def moto_server() -> Iterator[str]:
    """Runs a server with the block, and yields its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def reset(address: str) -> None:
    """Empties the server's services."""
    urllib.request.urlopen(f"{address}/moto-api/reset", data=b"").close()  # noqa: S310 - http
