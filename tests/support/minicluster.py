"""A job started as the service starts it, for tests that look inside or kill it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.local import cluster, ports
from udfs.config.file import dump_properties

TIME_LIMIT_SECONDS = 120
_PAUSE_SECONDS = 0.1


class MiniCluster:
    """One job in a mini-cluster of its own."""

    def __init__(self, process: subprocess.Popen[bytes], options: cluster.ClusterOptions) -> None:
        self.process = process
        self.options = options

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def printed(self) -> str:
        log = self.options.log_file.with_name("job.out")
        return log.read_text("utf-8", "replace") if log.exists() else ""

    def get(self, path: str) -> Any:
        """Flink's REST answer for the only job; `path` starts after the job's id."""
        port = ports.rest_port(self.options.log_file)
        if port is None:
            raise ConnectionRefusedError("Flink does not listen yet")
        base = f"http://127.0.0.1:{port}/jobs"
        with urllib.request.urlopen(base, timeout=5) as answer:
            job = json.load(answer)["jobs"][0]["id"]
        with urllib.request.urlopen(f"{base}/{job}{path}", timeout=5) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def metric(self, name: str) -> int:
        """Sum of all metrics whose name ends so, over all operators and subtasks."""
        total = 0
        for vertex in self.get("")["vertices"]:
            path = f"/vertices/{vertex['id']}/subtasks/metrics"
            names = [one["id"] for one in self.get(path) if one["id"].endswith(name)]
            if names:
                values = self.get(f"{path}?get={','.join(names)}&agg=sum")
                total += sum(int(value["sum"]) for value in values)
        return total

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits for a condition while the job runs."""
        deadline = time.monotonic() + TIME_LIMIT_SECONDS
        while not condition():
            assert self.running, f"the job ended before {what}:\n{self.printed()[-2000:]}"
            assert time.monotonic() < deadline, f"not in time: {what}"
            time.sleep(_PAUSE_SECONDS)

    def wait_for_end(self) -> int:
        return self.process.wait(TIME_LIMIT_SECONDS)

    def kill(self) -> None:
        """Takes everything away at once: the JVM, main.py, the Python workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIME_LIMIT_SECONDS)

    def checkpoints(self) -> list[Path]:
        """Completed checkpoints that are still there, oldest first."""
        found = self.options.work_directory.glob("checkpoints/*/chk-*/_metadata")
        return sorted((path.parent for path in found), key=lambda path: int(path.name[4:]))


@contextmanager
def started(
    work: Path,
    properties: Mapping[str, Mapping[str, str]],
    *,
    extra: Mapping[str, str] | None = None,
    parallelism: int = 1,
    jar: Path | None = None,
    environment: Mapping[str, str] | None = None,
    checkpoint_interval_ms: int = 1000,
    restart_attempts: int = 0,
    metrics_port: str | None = None,
    main: Path = cluster.MAIN,
) -> Iterator[MiniCluster]:
    """Starts a job; whatever happens, none of its processes is left."""
    work.mkdir(parents=True, exist_ok=True)
    properties_file = work / "application_properties.json"
    dump_properties({group: dict(values) for group, values in properties.items()}, properties_file)
    options = cluster.ClusterOptions(
        work_directory=work,
        parallelism=parallelism,
        checkpoint_interval_ms=checkpoint_interval_ms,
        restart_attempts=restart_attempts,
        metrics_port=metrics_port,
        jar=jar,
        environment=environment or {},
        extra={
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            **(extra or {}),
        },
    )
    running = MiniCluster(cluster.start(options, properties_file, main), options)
    try:
        yield running
    finally:
        if running.running:
            running.kill()
