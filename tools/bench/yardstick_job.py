"""Entry point of the jobs that only a benchmark runs; the kind is in an environment variable.

- `identity`: one Python function that gives back what it gets: the price of the border.
- `naive`: one Python function for each field of the straightforward version, as samples do.
- `latency`: the real topology between a socket and files that also hold the time at the sink.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pyflink.datastream.data_stream import DataStream
from pyflink.table import StatementSet, StreamTableEnvironment
from pyflink.table.udf import udf

from flink_app.environment import create_table_environment, runs_locally
from flink_app.settings import JobSettings
from flink_app.sql_files import SQL_DIRECTORY, options, statements, string_literal
from flink_app.topology import build
from tools.bench.straightforward import Record, describe_agent, instant, locate, page, parse
from udfs.config.file import load_properties, properties_file

KIND_VARIABLE, PORT_VARIABLE = "WEBLOG_BENCH_JOB", "WEBLOG_BENCH_PORT"
ARRIVALS_VARIABLE = "WEBLOG_BENCH_ARRIVALS"

_LOGGED = ("host", "datetime", "request", "response", "bytes", "referer", "agent")
_PLACE = ("city", "country", "location", "country_code")
_AGENT = ("os", "browser", "device_type", "os_version", "browser_version", "is_bot")
_REQUEST = ("method", "path", "protocol")

type _Part = Callable[[Record], Record]


def identity(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """Returns the source's bytes through a function that does nothing."""
    t_env.create_temporary_function("same", udf(lambda data: data, result_type="BYTES"))
    return _discarding(t_env, settings, "data BYTES", "same(data)")


def naive(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """Returns the straightforward version's record, each field by a function of its own."""
    database = settings.core.geoip.database_path
    assert isinstance(database, Path), "the benchmark sets a database"  # noqa: S101
    functions = field_functions(database)
    for name, function in functions.items():
        t_env.create_temporary_function(f"get_{name}", udf(function, result_type="STRING"))
    columns = ", ".join(f"`{name}` STRING" for name in functions)
    return _discarding(
        t_env, settings, columns, ", ".join(f"get_{name}(line)" for name in functions)
    )


def latency(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """Returns the real topology, reading a socket, with one more sink that notes the time."""
    statement_set = build(_FromSocket(t_env._j_tenv), settings)  # noqa: SLF001
    folder = string_literal(os.environ[ARRIVALS_VARIABLE])
    t_env.execute_sql(
        "CREATE TEMPORARY TABLE arrivals (line STRING) "
        f"WITH ('connector' = 'filesystem', 'path' = {folder}, 'format' = 'raw')"
    )
    # Evaluated for each row, in the operator in front of the sink.
    statement_set.add_insert_sql(
        "INSERT INTO arrivals "
        "SELECT CAST(CURRENT_ROW_TIMESTAMP() AS STRING) || ' ' || CAST(body AS STRING) "
        "FROM enriched_events"
    )
    return statement_set


class _FromSocket(StreamTableEnvironment):
    """A table environment whose `raw_log` is a socket, whatever the source's file declares."""

    def execute_sql(self, statement: str) -> object:
        if not statement.startswith("CREATE TEMPORARY TABLE raw_log"):
            return super().execute_sql(statement)
        # SQL has no connector for a socket, and Python only Java's by way of Py4J.
        port = int(os.environ[PORT_VARIABLE])
        java = self._j_tenv.execEnv().socketTextStream("127.0.0.1", port, "\n", 0)
        self.create_temporary_view("socket_lines", DataStream(java))
        return super().execute_sql(
            "CREATE TEMPORARY VIEW raw_log AS SELECT ENCODE(f0, 'UTF-8') AS data FROM socket_lines"
        )


def _discarding(
    t_env: StreamTableEnvironment, settings: JobSettings, columns: str, values: str
) -> StatementSet:
    source = {"source": options(settings.source.options())}
    for statement in (
        *statements(SQL_DIRECTORY / "source.sql", source),
        f"CREATE TEMPORARY TABLE discarded ({columns}) WITH ('connector' = 'blackhole')",
        "CREATE TEMPORARY VIEW texts AS SELECT data, DECODE(data, 'UTF-8') AS line FROM raw_log",
    ):
        t_env.execute_sql(statement)
    statement_set = t_env.create_statement_set()
    # All parts are this module's own.
    statement_set.add_insert_sql(f"INSERT INTO discarded SELECT {values} FROM texts")  # noqa: S608
    return statement_set


def field_functions(database: Path) -> dict[str, Callable[[str], str | None]]:
    """Returns the function from a line to each field of the straightforward record, as text."""
    parts: dict[str, _Part] = {
        **dict.fromkeys(_LOGGED, lambda record: record),
        **dict.fromkeys(_PLACE, lambda record: locate(database, record["host"])),
        **dict.fromkeys(_AGENT, lambda record: describe_agent(record["agent"])),
        **dict.fromkeys(_REQUEST, _words),
        "webpage": lambda record: {"webpage": _page(_words(record)["path"] or "-")},
        "refering_page": lambda record: {"refering_page": _page(record["referer"])},
        "event_time": lambda record: {"event_time": instant(record["datetime"])},
        "status_class": lambda record: {"status_class": record["response"][0] + "xx"},
    }
    return {name: partial(_field, name, part) for name, part in parts.items()}


def _words(record: Record) -> Record:
    words = record["request"].split()
    return dict(zip(_REQUEST, words if len(words) == 3 else [None] * 3, strict=True))


def _page(url: str) -> str | None:
    return None if url == "-" else page(url)


def _field(name: str, part: _Part, line: str) -> str | None:
    record = parse(line)
    value = part(record)[name] if record else None
    return None if value is None else str(value)


_KINDS = {"identity": identity, "naive": naive, "latency": latency}


def main() -> None:
    """Builds the job that the environment names, and runs it."""
    settings = JobSettings.load(load_properties(properties_file()))
    t_env = create_table_environment(settings)
    result = _KINDS[os.environ[KIND_VARIABLE]](t_env, settings).execute()
    if runs_locally(t_env):
        result.wait()


if __name__ == "__main__":
    main()
