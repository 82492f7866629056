"""A mini-cluster that many jobs share.

The program takes the place of `flink_app/main.py`. It takes requests from the test process, one
at a time, and ends with that process. So the most expensive parts of a short job happen once: the
start of Flink, the loading of its classes, and the planner's first steps.
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

from flink_app.environment import create_table_environment
from flink_app.settings import JobSettings
from tests.support import topologies


def main() -> None:
    cluster = start_cluster()
    rest = cluster.getRestAddress().get()
    where = {
        "execution.target": "remote",
        "rest.address": rest.getHost(),
        "rest.port": str(rest.getPort()),
    }
    address = ("127.0.0.1", int(os.environ["TEST_CONTROL_PORT"]))
    with socket.create_connection(address) as connection:
        control = connection.makefile("rw", encoding="utf-8")
        for line in control:
            try:
                answer = run(json.loads(line), where)
            except Exception:  # noqa: BLE001 - the test tells it
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), file=control, flush=True)
    cluster.close()


def start_cluster() -> Any:
    """Starts a mini-cluster with the settings of this program."""
    environment = StreamExecutionEnvironment.get_execution_environment()
    given = environment._j_stream_execution_environment.getConfiguration()
    package = get_gateway().jvm.org.apache.flink.runtime.minicluster
    builder = package.MiniClusterConfiguration.Builder().setConfiguration(given)
    slots = int(given.toMap()["taskmanager.numberOfTaskSlots"])
    cluster = package.MiniCluster(builder.setNumSlotsPerTaskManager(slots).build())
    cluster.start()
    return cluster


def run(request: dict[str, Any], where: dict[str, str]) -> dict[str, Any]:
    """Submits or explains a job, at the request of `tests.support.cluster`."""
    configuration = Configuration()
    for key, value in (request["configuration"] | where).items():
        configuration.set_string(key, value)
    settings = JobSettings.load(request["properties"])
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    t_env = create_table_environment(settings, environment)
    statements = getattr(topologies, request["topology"])(t_env, settings)
    if "explain" not in request:
        return {"job": str(statements.execute().get_job_client().get_job_id())}
    plans = {
        "outputs": statements.explain(),
        "outcomes": t_env.explain_sql("SELECT * FROM outcomes"),
    }
    statements.attach_as_datastream()
    nodes = json.loads(environment.get_execution_plan())["nodes"]
    return plans | {"operators": [node["type"] for node in nodes]}


if __name__ == "__main__":
    main()
