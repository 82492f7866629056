"""A mini-cluster that many jobs share, in one JVM with the Python that plans them.

Started in place of `flink_app/main.py`. It takes requests from the test process, one at a time,
and ends with it. What costs most of a short job is done once then: the start of Flink, loading
its classes, and the planner's first steps.
"""

from __future__ import annotations

import json
import os
import socket
import traceback
from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StatementSet, StreamTableEnvironment

from flink_app.environment import create_table_environment
from flink_app.settings import JobSettings
from tests.support import topologies

PORT_VARIABLE = "TEST_CONTROL_PORT"


def main() -> None:
    """Serves until the connection to the test process ends."""
    cluster = start_cluster()
    where = {
        "execution.target": "remote",
        "rest.port": str(cluster.getRestAddress().get().getPort()),
    }
    with (
        socket.create_connection(("127.0.0.1", int(os.environ[PORT_VARIABLE]))) as connection,
        connection.makefile("rw", encoding="utf-8") as control,
    ):
        for line in control:
            print(json.dumps(answer(json.loads(line), where)), file=control, flush=True)
    cluster.close()


def start_cluster() -> Any:
    """A mini-cluster with the settings that this program was started with."""
    environment = StreamExecutionEnvironment.get_execution_environment()
    given = environment._j_stream_execution_environment.getConfiguration()
    package = get_gateway().jvm.org.apache.flink.runtime.minicluster
    builder = package.MiniClusterConfiguration.Builder().setConfiguration(given)
    slots = int(given.toMap()["taskmanager.numberOfTaskSlots"])
    cluster = package.MiniCluster(builder.setNumSlotsPerTaskManager(slots).build())
    cluster.start()
    return cluster


def answer(request: dict[str, Any], where: dict[str, str]) -> dict[str, Any]:
    """Runs or explains a job.

    Args:
        request: As `tests.support.cluster` makes it.
        where: Settings with which jobs go to the cluster.
    """
    configuration = Configuration()
    for key, value in {**request["configuration"], **where}.items():
        configuration.set_string(key, value)
    try:
        settings = JobSettings.load(request["properties"])
        environment = StreamExecutionEnvironment.get_execution_environment(configuration)
        t_env = create_table_environment(settings, environment)
        statements = getattr(topologies, request["topology"])(t_env, settings)
        if request["explain"]:
            return explain(environment, t_env, statements)
        return {"job": str(statements.execute().get_job_client().get_job_id())}
    except Exception:  # noqa: BLE001 - the test tells it
        return {"error": traceback.format_exc()}


def explain(
    environment: StreamExecutionEnvironment,
    t_env: StreamTableEnvironment,
    statements: StatementSet,
) -> dict[str, Any]:
    """The optimised plans by name, and the kinds of the job's operators."""
    plans: dict[str, Any] = {
        "outputs": statements.explain(),
        "outcomes": t_env.explain_sql("SELECT * FROM outcomes"),
    }
    statements.attach_as_datastream()
    nodes = json.loads(environment.get_execution_plan())["nodes"]
    return plans | {"operators": [node["type"] for node in nodes]}


if __name__ == "__main__":
    main()
