"""Prints the job's plans as JSON: `python -m tests.support.explain PROPERTIES_FILE`.

A program of its own: PyFlink starts a JVM and leaves its pipes open, which the test
process would count as a leak.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyflink.datastream import StreamExecutionEnvironment

from flink_app.environment import create_table_environment
from flink_app.settings import JobSettings
from flink_app.topology import build
from udfs.config.file import load_properties


def main() -> None:
    settings = JobSettings.load(load_properties(Path(sys.argv[1])))
    environment = StreamExecutionEnvironment.get_execution_environment()
    t_env = create_table_environment(settings, environment)
    statements = build(t_env, settings)
    plans = {
        "outputs": statements.explain(),
        "outcomes": t_env.explain_sql("SELECT * FROM outcomes"),
    }
    statements.attach_as_datastream()
    nodes = json.loads(environment.get_execution_plan())["nodes"]
    plans["operators"] = [node["type"] for node in nodes]
    print(json.dumps(plans))


if __name__ == "__main__":
    main()
