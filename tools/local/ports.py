"""Addresses and ports of a local Flink, as its log names them.

Flink chooses ports itself: one that was free before Flink started may be another program's when
Flink asks for it.
"""

from __future__ import annotations

import re
import secrets
import socket
from ipaddress import IPv4Address
from pathlib import Path

_LOOPBACK = IPv4Address("127.0.0.1")
_LOOPBACK_ADDRESSES = 1 << 24


def loopback_address() -> str:
    """Returns an address of this machine that a page of the web cannot guess, where there is one.

    Flink's REST interface has no login and answers any Host and Origin. On 127.0.0.1 a page could
    try all ports, and after DNS rebinding read logs and cancel the job. All addresses that start
    with 127 lead to this machine, but not every system takes them without a setting.
    """
    address = str(_LOOPBACK + secrets.randbelow(_LOOPBACK_ADDRESSES - 2))
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return str(_LOOPBACK)
    return address


def rest_address(log_file: Path) -> str | None:
    """Returns where Flink's REST interface is, as `address:port`.

    Args:
        log_file: The log of the JVM that serves it.

    Returns:
        None until Flink listens.
    """
    return _logged(log_file, r"Rest endpoint listening at (\S+:\d+)")


def newest_rest_address(log_file: Path) -> str | None:
    """Returns the same of the newest of several clusters in one JVM."""
    logged = _all_logged(log_file, r"Rest endpoint listening at (localhost:\d+)")
    return logged[-1] if logged else None


def rpc_port(log_file: Path) -> int | None:
    """Returns the port of a JobManager for its TaskManagers; None until it listens."""
    return _logged_port(log_file, r"Actor system started at pekko\.tcp://flink@\S+:")


def metrics_port(log_file: Path) -> int | None:
    """Returns the port of the metrics for Prometheus; None until Flink's reporter listens."""
    return _logged_port(log_file, "Started PrometheusReporter HTTP server on port ")


def _logged_port(log_file: Path, message: str) -> int | None:
    port = _logged(log_file, rf"{message}(\d+)")
    return None if port is None else int(port)


def _logged(log_file: Path, message: str) -> str | None:
    logged = _all_logged(log_file, message)
    return logged[0] if logged else None


def _all_logged(log_file: Path, message: str) -> list[str]:
    if not log_file.exists():
        return []
    return re.findall(rf" {message}\.?\n", log_file.read_text("utf-8", "replace"))


def is_free(port: int) -> bool:
    """Returns whether a server could listen at a TCP port of this machine now."""
    with socket.socket() as probe:
        # As Java's servers do it: connections that just ended are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except (OSError, OverflowError):
            return False
    return port > 0
