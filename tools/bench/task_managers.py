"""The job on a standalone cluster: a JobManager, and for each subtask a TaskManager of its own.

In a mini-cluster all slots share one JVM, and with it, in thread mode, one Python interpreter
and its lock: a second slot gains nothing there. TaskManagers with one slot each have an
interpreter each, as they do on a cluster of that layout.
"""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen
from time import monotonic, sleep
from typing import Self

from tools.bench.managed_flink import HEAP_MB, MANAGED_MEMORY_MB
from tools.local import cluster, ports
from tools.local.job import JobError, RunningJob
from tools.local.progress import JobProgress

_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_CLIENT = "org.apache.flink.client.cli.CliFrontend"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.2
_ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})

# A TaskManager that no shell script starts wants every size by name. These add up to the 4 GB
# of one KPU of Managed Flink.
_FRAMEWORK_HEAP_MB = 128
_MEMORY = {
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": f"{_FRAMEWORK_HEAP_MB}m",
    "taskmanager.memory.task.heap.size": f"{HEAP_MB - _FRAMEWORK_HEAP_MB}m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.off-heap.size": "0",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.managed.size": f"{MANAGED_MEMORY_MB}m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "256m",
    "taskmanager.memory.jvm-overhead.max": "256m",
}


class TaskManagers(RunningJob):
    """The job from its start to the end of the cluster; its first process is the JobManager.

    Args:
        options: As for a mini-cluster; its parallelism is the number of TaskManagers.
        properties_file: The job's settings.
        main: The script that builds the job.
    """

    def __init__(self, options: cluster.ClusterOptions, properties_file: Path, main: Path) -> None:
        alone = {
            "taskmanager.numberOfTaskSlots": "1",
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": "0",
            "jobmanager.bind-host": "127.0.0.1",
            "taskmanager.host": "127.0.0.1",
            "taskmanager.bind-host": "127.0.0.1",
        }
        options = replace(options, extra={**options.extra, **alone})
        super().__init__(options, properties_file, main)
        self._environment = cluster.environment(options, properties_file)
        self._state: str | None = None

    def __enter__(self) -> Self:
        """Starts all processes and the job.

        Raises:
            JobError: They did not come up, or the job was refused.
        """
        super().__enter__()
        try:
            self._submit()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    @property
    def running(self) -> bool:
        """Whether the job has not ended; the cluster stays when it has."""
        return self._state not in _ENDED and super().running

    def progress(self) -> JobProgress | None:
        """The job's state, or None while it is not known."""
        progress = super().progress()
        if progress is not None:
            self._state = progress.state
        return progress

    def stop(self) -> None:
        """Ends every process."""
        try:
            self._end_all(signal.SIGTERM)
        finally:
            self._end_all(signal.SIGKILL)

    def _end_all(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)
        self.wait(_STOP_SECONDS)

    def check(self) -> None:
        """Looks at how the job ended.

        Raises:
            JobError: It failed.
        """
        if self._state != "FINISHED":
            raise self._error(None)

    def _start(self) -> Popen[bytes]:
        self._options.log_file.parent.mkdir(parents=True, exist_ok=True)
        settings = cluster.cluster_configuration(self._options)
        return self._java("job-manager", _JOB_MANAGER, _dynamic(settings), group=0)

    def _submit(self) -> None:
        settings = cluster.cluster_configuration(self._options) | self._await_ports()
        for number in range(self._options.parallelism):
            name = f"task-manager-{number}"
            self._java(name, _TASK_MANAGER, _dynamic(settings | _MEMORY), group=self.pid)
        self._await_slots()
        given = [f"-D{key}={value}" for key, value in settings.items()]
        submit = ["run", "--target", "remote", "--detached", *given, "--python", str(self._main)]
        # Named as in a mini-cluster: the account of a failure is looked for there.
        client = self._java(self._options.log_file.stem, _CLIENT, submit, group=self.pid)
        self._await_job(client)

    def _java(
        self, name: str, main_class: str, arguments: list[str], *, group: int
    ) -> Popen[bytes]:
        log = self._log(name)
        jvm = cluster.jvm(self._options, cluster.flink_jars())
        with log.with_suffix(".out").open("wb") as printed:
            return Popen(
                [*jvm, f"-Dlog.file={log}", main_class, *arguments],
                stdin=DEVNULL,
                stdout=printed,
                stderr=STDOUT,
                env=self._environment,
                cwd=self._options.work_directory,
                # One group, led by the first: it is measured and ended as a whole.
                process_group=group,
            )

    def _log(self, name: str) -> Path:
        return self._options.log_file.with_name(f"{name}.log")

    @property
    def _rest_log(self) -> Path:
        return self._log("job-manager")

    def _await_ports(self) -> dict[str, str]:
        """The settings with which other processes reach the JobManager."""
        deadline = monotonic() + _START_SECONDS
        while self.running and monotonic() < deadline:
            rpc, rest = ports.rpc_port(self._rest_log), self.rest_port
            if rpc is not None and rest is not None:
                return {"jobmanager.rpc.port": str(rpc), "rest.port": str(rest)}
            sleep(_POLL_SECONDS)
        raise JobError(f"the JobManager did not come up (log: {self._rest_log})")

    def _await_slots(self) -> None:
        deadline = monotonic() + _START_SECONDS
        address = f"http://127.0.0.1:{self.rest_port}/overview"
        while monotonic() < deadline:
            with suppress(urllib.error.URLError, TimeoutError, ConnectionError):
                with urllib.request.urlopen(address, timeout=2) as answer:
                    slots = json.load(answer)["slots-total"]
                if slots >= self._options.parallelism:
                    return
            sleep(_POLL_SECONDS)
        raise JobError(f"the TaskManagers did not come up (logs: {self._log('task-manager-0')})")

    def _await_job(self, client: Popen[bytes]) -> None:
        # A script that waits for its job keeps the client until the job's end.
        deadline = monotonic() + _START_SECONDS
        while self.progress() is None:
            if client.poll() or monotonic() > deadline:
                raise self._error(client.poll())
            sleep(_POLL_SECONDS)


def _dynamic(settings: dict[str, str]) -> list[str]:
    given = [part for key, value in settings.items() for part in ("-D", f"{key}={value}")]
    return ["--configDir", str(cluster.flink_home() / "conf"), *given]
