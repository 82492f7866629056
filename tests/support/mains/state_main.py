"""The job with one more query, whose state has no bound: what a test of state must see grow.

Started like `flink_app/main.py`.
"""

from __future__ import annotations

from flink_app.environment import create_table_environment
from flink_app.settings import JobSettings
from flink_app.topology import build
from udfs.config.file import load_properties, properties_file


def main() -> None:
    settings = JobSettings.load(load_properties(properties_file()))
    t_env = create_table_environment(settings)
    statements = build(t_env, settings)
    t_env.execute_sql(
        "CREATE TEMPORARY TABLE ever_seen (host STRING, requests BIGINT)"
        " WITH ('connector' = 'blackhole')"
    )
    statements.add_insert_sql(
        "INSERT INTO ever_seen SELECT host, COUNT(*) FROM timely_events GROUP BY host"
    )
    statements.execute().wait()


if __name__ == "__main__":
    main()
