"""Jobs in mini-clusters.

The tests of a process share one cluster. A test that kills its cluster, or changes a setting of
the cluster, starts another.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.support.rows import Row
from tests.support.streams import ENVIRONMENT
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tools.local.cluster import MAIN, ClusterOptions, cluster_configuration, start
from tools.local.ports import metrics_port, rest_address
from udfs.config.file import dump_properties
from udfs.config.properties import Properties

SALT = "a salt that no log may show"

SHARED_MAIN = Path(__file__).with_name("mains") / "cluster_main.py"
# Three jobs run at once, or one job with four subtasks.
SLOTS = 8
SHARED_SETTINGS = {
    "taskmanager.numberOfTaskSlots": str(SLOTS),
    # A slot has as much memory as in a cluster of one slot.
    "taskmanager.memory.managed.size": f"{SLOTS * 128}m",
    "taskmanager.memory.network.min": "256m",
    "taskmanager.memory.network.max": "256m",
    "web.checkpoints.history": "1000",
}
# Below the ephemeral ports, from which the system may give any to a program.
METRICS_PORTS = "20000-29999"
OF_THE_CLUSTER = ("metrics.", "rest.", "taskmanager.", "web.")
DEFAULTS: dict[str, Any] = {"checkpoint_interval_ms": 1000}


class OwnCluster:
    """A job in a cluster of its own, as the service starts it."""

    def __init__(self, options: ClusterOptions, properties: Path, main: Path) -> None:
        self.process = start(options, properties, main)
        self._options = options

    def printed(self) -> str:
        return self._options.log_file.with_name("job.out").read_text("utf-8", "replace")

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for a condition while the job runs."""
        wait_until(condition, what, lambda: self.process.poll() is None, self.printed)

    def finish(self) -> None:
        """Waits for the end of the job, which must succeed."""
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.printed()[-3000:]

    def kill(self) -> None:
        """Kills everything at once: the JVM, main.py and the Python workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def checkpoints(self) -> list[Path]:
        """Returns the completed checkpoints that still exist, oldest first."""
        found = self._options.work_directory.glob("checkpoints/*/chk-*/_metadata")
        return sorted((path.parent for path in found), key=lambda path: int(path.name[4:]))


@contextmanager
def own_cluster(
    work: Path, properties: Properties, main: Path = MAIN, **options: Any
) -> Iterator[OwnCluster]:
    """Starts a job in a cluster of its own, and ends all its processes with the block."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / "application_properties.json"
    dump_properties({group: dict(values) for group, values in properties.items()}, file)
    job = OwnCluster(ClusterOptions(work_directory=work, **DEFAULTS | options), file, main)
    try:
        yield job
    finally:
        job.kill()


class SubmittedJob:
    """A job in the shared cluster."""

    def __init__(self, work: Path, url: str) -> None:
        self.work = work
        self.url = url
        self.id = url.rpartition("/")[2]

    @property
    def state(self) -> str:
        state: str = self.get("")["state"]
        return state

    @property
    def running(self) -> bool:
        return self.state not in {"FINISHED", "FAILED", "CANCELED"}

    def get(self, path: str) -> Any:
        """Returns Flink's answer; `path` starts after the job's id."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def metric(self, name: str) -> int:
        """Returns the sum of the metrics whose names end in `name`, over operators and subtasks."""
        total = 0
        for vertex in self.get("")["vertices"]:
            path = f"/vertices/{vertex['id']}/subtasks/metrics"
            names = [one["id"] for one in self.get(path) if one["id"].endswith(name)]
            if names:
                values = self.get(f"{path}?get={','.join(names)}&agg=sum")
                total += sum(int(value["sum"]) for value in values)
        return total

    def account(self) -> str:
        failures = self.get("/exceptions")["exceptionHistory"]["entries"]
        return "\n".join([self.state, *(one["stacktrace"] for one in failures)])[:5000]

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for a condition while the job runs."""
        wait_until(condition, what, lambda: self.running, self.account)

    def finish(self) -> None:
        """Waits for the end of the job, which must succeed."""
        wait_until(lambda: not self.running, "the end of the job")
        assert self.state == "FINISHED", self.account()

    def cancel(self) -> None:
        """Ends the job, if it has not ended."""
        request = urllib.request.Request(self.url, method="PATCH")  # noqa: S310 - loopback
        with suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310
        wait_until(lambda: not self.running, "the end of a cancelled job")


class SharedCluster:
    """The cluster to which jobs are submitted."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path, control: IO[str]) -> None:
        self.pid = process.pid
        self.log_file = log_file
        self._control = control

    @contextmanager
    def job(
        self, work: Path, properties: Properties, *, topology: str = "build", **options: Any
    ) -> Iterator[SubmittedJob]:
        """Submits a job, and cancels it with the block.

        Args:
            work: The folder for its checkpoints.
            properties: Its settings.
            topology: A function of `tests.support.topologies`.
            options: More of the job's `ClusterOptions`.
        """
        settings = cluster_configuration(ClusterOptions(work_directory=work, **DEFAULTS | options))
        answer = self._ask(properties, topology=topology, settings=settings)
        job = SubmittedJob(work, f"http://{rest_address(self.log_file)}/jobs/{answer['job']}")
        try:
            yield job
        finally:
            job.cancel()

    def plans(self, properties: Properties) -> Row:
        """Returns the optimised plans of a job by name, and the kinds of its operators."""
        return self._ask(properties, topology="build", settings={}, explain=True)

    def metrics(self) -> str:
        """Returns the answer of the Prometheus reporter."""
        address = f"http://127.0.0.1:{metrics_port(self.log_file)}/metrics"
        with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:
            text: str = answer.read().decode()
        return text

    def _ask(self, properties: Properties, *, settings: Mapping[str, str], **request: Any) -> Row:
        of_job = {k: v for k, v in settings.items() if not k.startswith(OF_THE_CLUSTER)}
        if not any(group.get("type") in {"kinesis", "firehose"} for group in properties.values()):
            # Flink would load the connectors' jar again for each job.
            of_job["pipeline.jars"] = ""
        request |= {"properties": properties, "configuration": of_job}
        print(json.dumps(request), file=self._control, flush=True)
        line = self._control.readline()
        assert line, f"the cluster has ended (log: {self.log_file})"
        answer: Row = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer


@contextmanager
def shared_cluster(work: Path, jar: Path | None) -> Iterator[SharedCluster]:
    """Starts a cluster that takes jobs; `jar` holds the connectors."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        port = str(server.getsockname()[1])
        options = ClusterOptions(
            work_directory=work,
            metrics_port=METRICS_PORTS,
            jar=jar,
            environment={**ENVIRONMENT, "WEBLOG_PRIVACY_SALT": SALT, "TEST_CONTROL_PORT": port},
            extra=SHARED_SETTINGS,
        )
        process = start(options, work / "unused.json", SHARED_MAIN)
        try:
            connection, _ = server.accept()
            with connection, connection.makefile("rw", encoding="utf-8") as control:
                yield SharedCluster(process, options.log_file, control)
            process.wait(PATIENCE_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)
