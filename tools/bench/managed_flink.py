"""A local cluster with the settings that Managed Flink makes for every application.

They are those of its documentation ("Apache Flink settings", as far as they bear on speed):
state in RocksDB with incremental checkpoints, one a minute, and 3 GB of heap for a KPU. State
on the heap, as a mini-cluster has it by default, is much cheaper and would flatter the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tools.local import cluster

type StateBackend = Literal["rocksdb", "hashmap"]

HEAP_MB = 3072
_CHECKPOINT_INTERVAL_MS = 60_000
_SETTINGS = {
    "execution.checkpointing.min-pause": "5 s",
    "execution.checkpointing.incremental": "true",
}
MANAGED_MEMORY_MB = 256
"""Of each slot, for RocksDB and the windows' buffers. The service does not tell its own figure:
this is what the 1 GB that a KPU has beside the heap leaves."""


def options(
    work_directory: Path,
    *,
    slots: int = 1,
    state: StateBackend = "rocksdb",
    jar: Path | None = None,
    environment: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> cluster.ClusterOptions:
    """Options of a cluster with these settings.

    Args:
        work_directory: Holds checkpoints, state and logs.
        slots: Subtasks of each operator.
        state: Where state is kept.
        jar: The connectors.
        environment: More environment variables of the job's processes.
        extra: More Flink settings.
    """
    return cluster.ClusterOptions(
        work_directory=work_directory,
        parallelism=slots,
        checkpoint_interval_ms=_CHECKPOINT_INTERVAL_MS,
        jar=jar,
        java_options=(f"-Xmx{HEAP_MB}m",),
        environment=environment or {},
        extra={
            **_SETTINGS,
            "state.backend.type": state,
            "taskmanager.memory.managed.size": f"{MANAGED_MEMORY_MB * slots}m",
            **(extra or {}),
        },
    )
