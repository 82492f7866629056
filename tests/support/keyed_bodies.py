"""Writes records as a Kinesis sink does, to files: `python -m tests.support.keyed_bodies FOLDER`.

The program reads `FOLDER/events`. It writes the records of the stream to `FOLDER/written`, and
the columns that they are made of to `FOLDER/columns`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_app.sinks.keyed_body import KEYED_BODY
from flink_app.sql_files import options


def main() -> None:
    folder = Path(sys.argv[1])
    t_env = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    t_env.get_config().set("parallelism.default", "1")
    tables = {
        "events": ("host STRING, body BYTES", {"format": "json"}),
        "written": (KEYED_BODY.body_columns, KEYED_BODY.format or {}),
        "columns": (KEYED_BODY.body_columns, {"format": "json"}),
    }
    for name, (columns, form) in tables.items():
        connector = {"connector": "filesystem", "path": str(folder / name)}
        t_env.execute_sql(
            f"CREATE TEMPORARY TABLE `{name}` ({columns}) WITH ({options(connector | dict(form))})"
        )
    statements = t_env.create_statement_set()
    for name in ("written", "columns"):
        insert = f"INSERT INTO `{name}` SELECT {KEYED_BODY.body_values} FROM events"  # noqa: S608
        statements.add_insert_sql(insert)
    statements.execute().wait()


if __name__ == "__main__":
    main()
