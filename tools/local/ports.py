"""Ports of a local Flink, as its log names them.

Flink chooses them itself: a port that was free before Flink started may be another program's
when Flink asks for it.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path


def rest_port(log_file: Path) -> int | None:
    """The port of Flink's REST interface on the loopback address.

    Args:
        log_file: The log of the JVM that serves it.

    Returns:
        None until Flink listens.
    """
    return _logged_port(log_file, "Rest endpoint listening at ")


def rpc_port(log_file: Path) -> int | None:
    """The port of a JobManager for its TaskManagers; None until it listens."""
    return _logged_port(log_file, "Actor system started at pekko.tcp://flink@")


def metrics_port(log_file: Path) -> int | None:
    """The port of the metrics for Prometheus; None until Flink's reporter listens."""
    return _logged_port(log_file, "Started PrometheusReporter HTTP server on port ")


def _logged_port(log_file: Path, message: str) -> int | None:
    if not log_file.exists():
        return None
    match = re.search(rf" {message}(?:\S+:)?(\d+)\.?\n", log_file.read_text("utf-8", "replace"))
    return int(match[1]) if match else None


def is_free(port: int) -> bool:
    """Whether a server could listen at a TCP port of this machine now."""
    with socket.socket() as probe:
        # As Java's servers do it: connections that just ended are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except (OSError, OverflowError):
            return False
    return port > 0
