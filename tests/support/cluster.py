"""Jobs in mini-clusters: one cluster that the tests of a process share, and clusters for tests
that kill theirs or change what belongs to a cluster.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tests.support.rows import Row
from tests.support.streams import ENVIRONMENT
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tools.local import cluster
from tools.local.ports import metrics_port, rest_port
from udfs.config.file import dump_properties
from udfs.config.properties import Properties

SALT = "a salt that no log may show"

# Three jobs run at once, or one with four subtasks.
_SLOTS = 8
_SHARED_SETTINGS = {
    "taskmanager.numberOfTaskSlots": str(_SLOTS),
    # A slot has as much as in a cluster of one slot.
    "taskmanager.memory.managed.size": f"{_SLOTS * 128}m",
    "taskmanager.memory.network.min": "256m",
    "taskmanager.memory.network.max": "256m",
    "web.checkpoints.history": "1000",
}
# Below the ports that systems give to programs which ask for any.
_METRICS_PORTS = "20000-29999"
_OF_THE_CLUSTER = ("metrics.", "rest.", "taskmanager.", "web.")
_OF_CONNECTORS = {"kinesis", "firehose"}
_ENDED = {"FINISHED", "FAILED", "CANCELED"}


class Job(ABC):
    """A job that was started.

    Args:
        work: The folder of its checkpoints.
        log_file: The log of its cluster.
    """

    def __init__(self, work: Path, log_file: Path) -> None:
        self.work = work
        self.log_file = log_file

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether the job has not ended."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The job in Flink's REST interface; raises OSError while there is none."""

    @abstractmethod
    def account(self) -> str:
        """How the job fared, for the message of a test that fails."""

    @abstractmethod
    def finish(self) -> None:
        """Waits for the end of the job, which has to be a success."""

    def get(self, path: str) -> Any:
        """Flink's answer; `path` starts after the job's id."""
        return _read(self.url + path)

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

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for a condition while the job runs."""
        wait_until(condition, what, lambda: self.running, self.account)

    def checkpoints(self) -> list[Path]:
        """Completed checkpoints that are still there, oldest first."""
        found = self.work.glob("checkpoints/*/chk-*/_metadata")
        return sorted((path.parent for path in found), key=lambda path: int(path.name[4:]))


class OwnCluster(Job):
    """A job in a cluster of its own, as the service starts it."""

    def __init__(self, options: cluster.ClusterOptions, properties: Path, main: Path) -> None:
        super().__init__(options.work_directory, options.log_file)
        self.process = cluster.start(options, properties, main)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def url(self) -> str:
        port = rest_port(self.log_file)
        if port is None:
            raise ConnectionRefusedError("Flink does not listen yet")
        jobs = f"http://127.0.0.1:{port}/jobs"
        started = _read(jobs)["jobs"]
        if not started:
            raise ConnectionRefusedError("there is no job yet")
        return f"{jobs}/{started[0]['id']}"

    def printed(self) -> str:
        return self.log_file.with_name("job.out").read_text("utf-8", "replace")

    def account(self) -> str:
        return self.printed()[-3000:]

    def finish(self) -> None:
        assert self.process.wait(PATIENCE_SECONDS) == 0, self.account()

    def kill(self) -> None:
        """Takes everything away at once: the JVM, main.py, the Python workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)


class SharedCluster:
    """The cluster to which jobs are submitted."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path, control: IO[str]) -> None:
        self.pid = process.pid
        self.log_file = work / "logs" / "job.log"
        self._control = control

    @contextmanager
    def job(
        self,
        work: Path,
        properties: Properties,
        *,
        topology: str = "build",
        parallelism: int = 1,
        checkpoint_interval_ms: int = 1000,
        restart_attempts: int = 0,
        extra: Mapping[str, str] | None = None,
    ) -> Iterator[SubmittedJob]:
        """Submits a job; it is cancelled when the block is left.

        Args:
            work: The folder for its checkpoints.
            properties: Its settings.
            topology: A function of `tests.support.topologies`.
            parallelism: Subtasks of each operator.
            checkpoint_interval_ms: Milliseconds between checkpoints.
            restart_attempts: How often Flink may restart it.
            extra: More Flink settings of the job.
        """
        options = cluster.ClusterOptions(
            work_directory=work,
            parallelism=parallelism,
            checkpoint_interval_ms=checkpoint_interval_ms,
            restart_attempts=restart_attempts,
            extra=extra or {},
        )
        answer = self._ask(properties, topology, options)
        job = SubmittedJob(self, work, answer["job"])
        try:
            yield job
        finally:
            job.cancel()

    def plans(self, properties: Properties) -> Row:
        """The optimised plans of a job by name, and the kinds of its operators."""
        return self._ask(properties, "build", explain=True)

    def metrics(self) -> str:
        """What the Prometheus reporter answers."""
        address = f"http://127.0.0.1:{metrics_port(self.log_file)}/metrics"
        with urllib.request.urlopen(address, timeout=60) as answer:
            text: str = answer.read().decode()
        return text

    def _ask(
        self,
        properties: Properties,
        topology: str,
        options: cluster.ClusterOptions | None = None,
        *,
        explain: bool = False,
    ) -> Row:
        given = {} if options is None else cluster.cluster_configuration(options)
        settings = {k: v for k, v in given.items() if not k.startswith(_OF_THE_CLUSTER)}
        if not any(group.get("type") in _OF_CONNECTORS for group in properties.values()):
            # Flink would load their jar anew for each job.
            settings["pipeline.jars"] = ""
        request = {
            "properties": properties,
            "topology": topology,
            "configuration": settings,
            "explain": explain,
        }
        print(json.dumps(request), file=self._control, flush=True)
        line = self._control.readline()
        assert line, f"the cluster has ended (log: {self.log_file})"
        answer: Row = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer


class SubmittedJob(Job):
    """A job in the shared cluster."""

    def __init__(self, shared: SharedCluster, work: Path, identifier: str) -> None:
        super().__init__(work, shared.log_file)
        self.id = identifier
        self._url = f"http://127.0.0.1:{rest_port(shared.log_file)}/jobs/{identifier}"

    @property
    def running(self) -> bool:
        return self._state() not in _ENDED

    @property
    def url(self) -> str:
        return self._url

    def account(self) -> str:
        entries = self.get("/exceptions")["exceptionHistory"]["entries"]
        return "\n".join([self._state(), *(one["stacktrace"] for one in entries)])[:5000]

    def finish(self) -> None:
        wait_until(lambda: not self.running, "the end of the job")
        assert self._state() == "FINISHED", self.account()

    def cancel(self) -> None:
        """Ends the job, if it has not ended."""
        request = urllib.request.Request(self.url, method="PATCH")  # noqa: S310 - loopback
        with suppress(urllib.error.HTTPError):  # It has ended.
            urllib.request.urlopen(request, timeout=60).close()  # noqa: S310
        wait_until(lambda: not self.running, "the end of a cancelled job")

    def _state(self) -> str:
        state: str = self.get("")["state"]
        return state


def _read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
        return json.load(answer)


@contextmanager
def shared_cluster(work: Path, jar: Path | None) -> Iterator[SharedCluster]:
    """Starts a cluster for jobs that are submitted to it.

    Args:
        work: Holds its logs.
        jar: The connectors, if they are there.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        options = cluster.ClusterOptions(
            work_directory=work,
            metrics_port=_METRICS_PORTS,
            jar=jar,
            environment={
                **ENVIRONMENT,
                "WEBLOG_PRIVACY_SALT": SALT,
                "TEST_CONTROL_PORT": str(server.getsockname()[1]),
            },
            extra=_SHARED_SETTINGS,
        )
        main = Path(__file__).with_name("mains") / "cluster_main.py"
        process = cluster.start(options, work / "unused.json", main)
        try:
            connection, _ = server.accept()
            with connection, connection.makefile("rw", encoding="utf-8") as control:
                yield SharedCluster(process, work, control)
            process.wait(PATIENCE_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)


@contextmanager
def own_cluster(
    work: Path,
    properties: Properties,
    *,
    main: Path = cluster.MAIN,
    checkpoint_interval_ms: int = 1000,
    jar: Path | None = None,
    environment: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> Iterator[OwnCluster]:
    """Starts a job in a cluster of its own; whatever happens, none of its processes is left."""
    work.mkdir(parents=True, exist_ok=True)
    properties_file = work / "application_properties.json"
    dump_properties({group: dict(values) for group, values in properties.items()}, properties_file)
    options = cluster.ClusterOptions(
        work_directory=work,
        checkpoint_interval_ms=checkpoint_interval_ms,
        jar=jar,
        environment=environment or {},
        extra={
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            **(extra or {}),
        },
    )
    job = OwnCluster(options, properties_file, main)
    try:
        yield job
    finally:
        job.kill()
