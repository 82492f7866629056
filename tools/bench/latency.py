"""Latency: from the moment a line is due on a socket to its record at the sink.

Lines go out one by one at a fixed rate and carry the time at which they were due, not the
time at which the socket took them: a job that holds the writer back is charged for it. The
job notes the time in front of its sink, by the same clock of the same machine.
"""

from __future__ import annotations

import gzip
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from itertools import cycle, islice
from math import inf
from pathlib import Path

from tools.bench.core import Metrics
from tools.bench.inputs import Setup
from tools.bench.jobs import Job
from tools.bench.yardstick_job import ARRIVALS_VARIABLE, PORT_VARIABLE
from tools.local.summary import data_files

_RATE, _WARM_UP_S, _LINES, _CONNECT_S = 1000.0, 5.0, 20_000, 120
# The job's clock cuts off fractions of a millisecond: with this no latency is shown too short.
_CLOCK_MS = 1.0
_DUE = re.compile(r'^(\S+ \S+) .*?"path":"[^"]*[?&]due=(\d+)')


def latency(setup: Setup, job: Job) -> Metrics:
    """Returns the milliseconds from due to sink at a steady rate, for a job of kind `latency`."""
    with gzip.open(setup.log()) as stream:
        lines = [line for line in islice(stream, _LINES) if b" HTTP/" in line]
    count = int((setup.latency_seconds + _WARM_UP_S) * _RATE)
    with setup.folder() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_CONNECT_S)
        port, arrivals = server.getsockname()[1], folder / "arrivals"
        environment = {PORT_VARIABLE: str(port), ARRIVALS_VARIABLE: str(arrivals)}
        with job.runner(folder, job.properties(setup, folder), environment) as running:
            # An interrupted measurement does not wait for a job that never connects.
            writer = threading.Thread(target=_write, args=(server, lines, count), daemon=True)
            writer.start()
            running.wait(inf)
            writer.join()
        running.check()
        latencies = _latencies(arrivals)
    begin = latencies[0][0] + _WARM_UP_S
    steady = [value for due, value in latencies if due >= begin]
    cuts = statistics.quantiles(steady, n=100)
    values = {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(steady)}
    return values | {"measured_records": len(steady)}


def _write(server: socket.socket, lines: list[bytes], count: int) -> None:
    # A job that does not connect, or ends before its lines do, has failed: its check says why.
    with suppress(OSError), server.accept()[0] as connection:
        send_paced(connection.sendall, islice(cycle(lines), count), _RATE)


def send_paced(send: Callable[[bytes], object], lines: Iterable[bytes], rate: float) -> None:
    """Sends lines, each when it is due and with the microsecond in which it was."""
    start = time.time()
    for number, line in enumerate(lines):
        due = start + number / rate
        path, protocol, rest = line.partition(b" HTTP/")
        mark = b"&" if b"?" in path else b"?"
        time.sleep(max(0.0, due - time.time()))
        send(b"%b%bdue=%d%b%b" % (path, mark, due * 1e6, protocol, rest))


def _latencies(arrivals: Path) -> list[tuple[float, float]]:
    """Returns when each record was due (in seconds), and its delay in milliseconds."""
    rows = (row for path in data_files(arrivals) for row in path.read_text("utf-8").splitlines())
    latencies = []
    for match in filter(None, map(_DUE.match, rows)):
        arrived = datetime.fromisoformat(f"{match[1].rstrip('Z')}Z").timestamp()
        due = int(match[2]) / 1e6
        latencies.append((due, (arrived - due) * 1000 + _CLOCK_MS))
    return sorted(latencies)
