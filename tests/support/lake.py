"""The lake on this machine: DuckDB over a run's files, with queries in Athena's dialect."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from tests.support.rows import Row
from tools.deploy.tables import FOLDER as TABLES
from tools.local.summary import data_files

QUERIES = TABLES.parent
DAYS = ("2015-05-17", "2015-05-20")
"""The first and the last day of the bundled log."""


@cache
def declared(output: str) -> dict[str, str]:
    """Returns the columns of an output's Athena table: their types in DuckDB by name."""
    statement = sqlglot.parse_one((TABLES / f"{output}.sql").read_text("utf-8"), read="athena")
    schema = statement.find(exp.Schema)
    assert schema is not None
    found: dict[str, str] = {}
    for column in schema.expressions:
        assert isinstance(column, exp.ColumnDef), column
        assert column.kind is not None
        found[column.name] = column.kind.sql("duckdb")
    return found


def opened(folder: Path, *outputs: str, by_hour: bool = False) -> duckdb.DuckDBPyConnection:
    """Returns a database with a table of each output in a folder, as Athena declares them.

    Args:
        folder: The folder of a run.
        outputs: The outputs.
        by_hour: The files lie in folders by event time, which are the table's partitions.
    """
    lake = duckdb.connect()
    for output in outputs:
        types = declared(output)
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        files = [str(path) for path in data_files(folder / output)]
        if not files:
            text = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
            lake.execute(f"CREATE TABLE {output} ({text}, event_date TEXT, event_hour TEXT)")
            continue
        partitions = "*"
        if not by_hour:
            time = "window_start"
            if "event_time" in types:
                time = f"COALESCE(event_time, {'failed_at' if 'failed_at' in types else 'NULL'})"
            partitions = (
                f"*, SUBSTR({time}, 1, 10) AS event_date, SUBSTR({time}, 12, 2) AS event_hour"
            )
        lake.execute(
            f"CREATE TABLE {output} AS SELECT {partitions} FROM read_json({files},"  # noqa: S608
            f" columns = {{{columns}}}, format = 'newline_delimited',"
            f" hive_partitioning = {by_hour}, hive_types_autocast = false)"
        )
    return lake


def ask(lake: duckdb.DuckDBPyConnection, query: str, *days: str) -> list[Row]:
    """Returns the answer to a query of `sql/athena`, by default for the bundled log's days."""
    text = (QUERIES / f"{query}.sql").read_text("utf-8")
    (statement,) = sqlglot.transpile(
        text, read="athena", write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    lake.execute("SET TimeZone = 'UTC'")
    answered: Any = lake.execute(statement, list(days or DAYS))
    names = [column[0] for column in answered.description]
    return [dict(zip(names, row, strict=True)) for row in answered.fetchall()]
