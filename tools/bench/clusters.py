"""Local clusters with the settings that Managed Flink makes for every application.

They are those of its documentation ("Apache Flink settings") that bear on speed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen
from time import monotonic, sleep

from tools.local import cluster, ports
from tools.local.job import JobError, RunningJob

HEAP_MB = 3072
MANAGED_MEMORY_MB = 256
"""Of each slot. The service does not say its own figure: this is what the 1 GB that a KPU has
beside the heap leaves."""
MANAGED_FLINK = {
    "execution.checkpointing.interval": "60 s",
    "execution.checkpointing.min-pause": "5 s",
    "execution.checkpointing.incremental": "true",
}
"""The service's settings of each job, beside its memory."""

_JOB_MANAGER = (
    "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint",
    "--job-classname", "org.apache.flink.client.python.PythonDriver",
)  # fmt: skip
_TASK_MANAGER = ("org.apache.flink.runtime.taskexecutor.TaskManagerRunner",)
_STANDALONE = {
    "taskmanager.numberOfTaskSlots": "1",
    "jobmanager.rpc.address": "localhost",
    "jobmanager.rpc.port": "0",
    "jobmanager.bind-host": "127.0.0.1",
    "taskmanager.host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    # A TaskManager that no shell script starts wants every size by name. These add up to the 4 GB
    # of one KPU of Managed Flink.
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.task.heap.size": f"{HEAP_MB - 128}m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.off-heap.size": "0",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.managed.size": f"{MANAGED_MEMORY_MB}m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "256m",
    "taskmanager.memory.jvm-overhead.max": "256m",
}
_START_S, _STOP_S = 60.0, 10.0


class TaskManagers(RunningJob):
    """The job on a standalone cluster: a JobManager, and for each subtask a TaskManager.

    In a mini-cluster all slots share one JVM, and in thread mode one Python interpreter and its
    lock. The job's script runs in the JobManager, which ends with the job.
    """

    _managers: tuple[Popen[bytes], ...] = ()

    def stop(self) -> None:
        """Ends every process."""
        try:
            super().stop()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            for manager in self._managers:
                manager.wait(_STOP_S)

    def _start(self) -> Popen[bytes]:
        cluster.make_folders(self._options)
        log = self._options.log_file
        first = self._java(log, _JOB_MANAGER, "--python", str(self._main))
        try:
            to_first = ("-D", f"jobmanager.rpc.port={self._rpc_port(first)}")
            # One group, led by the first: it is measured and ended as a whole.
            self._managers = tuple(
                self._java(
                    log.with_name(f"task-manager-{number}.log"),
                    _TASK_MANAGER,
                    *to_first,
                    group=first.pid,
                )
                for number in range(self._options.parallelism)
            )
        except BaseException:
            os.killpg(first.pid, signal.SIGKILL)
            raise
        return first

    def _rpc_port(self, job_manager: Popen[bytes]) -> str:
        """Returns the port that Flink has chosen for the JobManager."""
        log = self._options.log_file
        deadline = monotonic() + _START_S
        while not (port := ports.rpc_port(log)):
            if monotonic() > deadline or job_manager.poll() is not None:
                raise JobError(f"the JobManager did not come up (log: {log})")
            sleep(0.1)
        return str(port)

    def _java(self, log: Path, main: Sequence[str], *more: str, group: int = 0) -> Popen[bytes]:
        settings = cluster.cluster_configuration(self._options) | _STANDALONE
        command = [*cluster.jvm(self._options, cluster.flink_jars()), f"-Dlog.file={log}", *main]
        command += ["--configDir", str(cluster.flink_home() / "conf")]
        command += [part for key, value in settings.items() for part in ("-D", f"{key}={value}")]
        with log.with_suffix(".out").open("wb") as printed:
            return Popen(
                [*command, *more],
                stdin=DEVNULL,
                stdout=printed,
                stderr=STDOUT,
                env=cluster.environment(self._options, self._properties_file),
                cwd=self._options.work_directory,
                process_group=group,
            )
