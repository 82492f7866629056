"""The table environment, with the only settings that this code puts on it.

Managed Flink fails a job whose code sets a key that is not on its allow list
("Programmatic Flink configuration properties" in the service's documentation), so the
job sets these few and leaves the rest (parallelism, checkpoints, restarts, state
backend, Python executable) to the cluster's own configuration: the service's on
Managed Flink, `tools/local/cluster.py` in a local run.
"""

from __future__ import annotations

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from flink_app.settings import JobSettings
from flink_app.sql_files import milliseconds


def flink_configuration(settings: JobSettings) -> dict[str, str]:
    """Returns every Flink key that the job's code sets, with its value."""
    return {
        "pipeline.name": settings.job.name,
        "python.execution-mode": settings.job.execution_mode,
        # Rows are not kept or changed by any operator of this topology, so they need
        # no defensive copy between chained operators.
        "pipeline.object-reuse": "true",
        # window_start and window_end are UTC whatever the machine's time zone.
        "table.local-time-zone": "UTC",
        # Several outputs read the views `page_windows` and `host_windows`. By default the
        # planner plans each output by itself, cuts from the view what it does not need, finds
        # nothing equal any more and runs the windows once for each.
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
        # The one column that takes no null is that of packed lines (flink_app/sinks/packing.py):
        # there a null is a line that another row has.
        "table.exec.sink.not-null-enforcer": "DROP",
        # A subtask whose shard is idle, or that has none, must not hold back windows.
        "table.exec.source.idle-timeout": f"{milliseconds(settings.windows.idle_timeout)} ms",
    }


def create_table_environment(
    settings: JobSettings, environment: StreamExecutionEnvironment | None = None
) -> StreamTableEnvironment:
    """Returns a table environment with the job's settings.

    Args:
        settings: Checked settings of the job.
        environment: What it runs in; None is what the job was started in.
    """
    table_environment = StreamTableEnvironment.create(
        environment or StreamExecutionEnvironment.get_execution_environment()
    )
    for key, value in flink_configuration(settings).items():
        table_environment.get_config().set(key, value)
    return table_environment


def runs_locally(t_env: StreamTableEnvironment) -> bool:
    """Returns whether the job runs in a mini-cluster inside this process's JVM."""
    target: str = t_env.get_config().get("execution.target", "local")
    return target == "local"
