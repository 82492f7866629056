"""Latency: from the moment a line is due on a socket to its record at the sink.

Lines go out one by one at a fixed rate and carry the time at which they were due, not the
time at which the socket took them: a job that holds the writer back is charged for it. The
job notes the time in front of its sink, by the same clock of the same machine.
"""

from __future__ import annotations

import re
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from tools.bench import managed_flink
from tools.bench.core import Metrics
from tools.bench.jobs import YARDSTICK_MAIN, fresh_folder
from tools.bench.setup import Setup, job_properties, read_lines, write_properties
from tools.bench.yardstick_job import ARRIVALS_VARIABLE, KIND_VARIABLE, PORT_VARIABLE
from tools.local.job import RunningJob
from tools.local.summary import data_files

_WARM_UP_S = 5.0
_LINES = 20_000
_CONNECT_S = 120
_POLL_S = 0.25
# The job's clock shows whole milliseconds, the rest is cut off: so no latency is told too short.
_CLOCK_MS = 1.0
_DUE = re.compile(r'^(\S+ \S+) .*?"path":"[^"]*[?&]due=(\d+)')
_REQUEST = re.compile(rb'("[A-Z]+ [^ "]*)( HTTP)')


def latency(setup: Setup, *, mode: str) -> Metrics:
    """Milliseconds from due to sink at a steady rate, all outputs on.

    Args:
        setup: What is measured on.
        mode: `process` or `thread`.
    """
    with fresh_folder(setup) as folder:
        return _measure(setup, mode, folder)


def _measure(setup: Setup, mode: str, folder: Path) -> Metrics:
    lines = [line for line in read_lines(setup.made, _LINES) if _REQUEST.search(line)]
    arrivals = folder / "arrivals"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_CONNECT_S)
        options = managed_flink.options(
            folder,
            environment={
                KIND_VARIABLE: "latency",
                PORT_VARIABLE: str(server.getsockname()[1]),
                ARRIVALS_VARIABLE: str(arrivals),
            },
        )
        properties = job_properties(
            setup, path=setup.made.whole, mode=mode, outputs="all", sink=str(folder / "results")
        )
        with RunningJob(options, write_properties(properties, folder), YARDSTICK_MAIN) as job:
            writer = threading.Thread(
                target=_write,
                args=(server, lines, setup.latency_rate, setup.latency_seconds),
                # An interrupted measurement does not wait for a job that never connects.
                daemon=True,
            )
            writer.start()
            while job.running:
                job.wait(_POLL_S)
            writer.join()
        job.check()
    return _metrics(_latencies(arrivals), setup)


def _write(server: socket.socket, lines: list[bytes], rate: float, seconds: float) -> None:
    try:
        connection, _ = server.accept()
    except TimeoutError:
        return  # the job has failed, which its own check tells
    with connection:
        send_paced(connection.sendall, cycle(lines), rate, int((seconds + _WARM_UP_S) * rate))


def send_paced(
    send: Callable[[bytes], object], lines: Iterable[bytes], rate: float, count: int
) -> None:
    """Sends lines, each when it is due and with the microsecond in which it was."""
    start = time.time()
    for number, line in zip(range(count), lines, strict=False):
        due = start + number / rate
        wait = due - time.time()
        if wait > 0:
            time.sleep(wait)
        try:
            send(_stamped(line, int(due * 1e6)))
        except OSError:
            return  # the job has ended


def _stamped(line: bytes, due_us: int) -> bytes:
    def add(found: re.Match[bytes]) -> bytes:
        mark = b"&" if b"?" in found[1] else b"?"
        return b"%b%bdue=%d%b" % (found[1], mark, due_us, found[2])

    return _REQUEST.sub(add, line, count=1) + b"\n"


def _latencies(arrivals: Path) -> list[tuple[float, float]]:
    """When each record was due (in seconds), and how many milliseconds later it was there."""
    found = []
    for path in data_files(arrivals):
        for row in path.read_text("utf-8").splitlines():
            match = _DUE.match(row)
            if match is not None:
                arrived = datetime.fromisoformat(match[1].rstrip("Z")).replace(tzinfo=UTC)
                due = int(match[2]) / 1e6
                found.append((due, (arrived.timestamp() - due) * 1000 + _CLOCK_MS))
    return sorted(found)


def _metrics(latencies: list[tuple[float, float]], setup: Setup) -> Metrics:
    begin = latencies[0][0] + _WARM_UP_S
    steady = sorted(value for due, value in latencies if due >= begin)
    cuts = statistics.quantiles(steady, n=100)
    return {
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
        "max_ms": steady[-1],
        "records": float(len(steady)),
        "sent_per_s": setup.latency_rate,
    }
