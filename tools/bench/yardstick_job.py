"""Entry point of the jobs that only a benchmark runs; its kind is in an environment variable.

- `passthrough`: from source to sink in the JVM, no Python.
- `identity`: one Python function that gives back what it gets: the price of the border.
- `naive`: one Python function for each field of the straightforward version, as samples do.
- `latency`: the real topology between a socket and files that also hold the time at the sink.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pyflink.datastream.data_stream import DataStream
from pyflink.table import StatementSet, StreamTableEnvironment
from pyflink.table.udf import udf

from flink_app.environment import create_table_environment
from flink_app.settings import JobSettings
from flink_app.sql_files import SQL_DIRECTORY, options, statements, string_literal
from flink_app.topology import build
from tools.bench import straightforward
from udfs.config.file import load_properties, properties_file

KIND_VARIABLE = "WEBLOG_BENCH_JOB"
PORT_VARIABLE = "WEBLOG_BENCH_PORT"
ARRIVALS_VARIABLE = "WEBLOG_BENCH_ARRIVALS"

_DISCARD = "WITH ('connector' = 'blackhole')"


def passthrough(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """The source's bytes to nowhere."""
    return _bytes_job(t_env, settings, "data")


def identity(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """The source's bytes through a function that does nothing."""
    t_env.create_temporary_function("same", udf(lambda data: data, result_type="BYTES"))
    return _bytes_job(t_env, settings, "same(data)")


def naive(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """The straightforward version's record, each field by a function of its own."""
    database = settings.core.geoip.database_path
    assert database is not None, "the benchmark sets a database"  # noqa: S101
    functions = _field_functions(database)
    for name, function in functions.items():
        t_env.create_temporary_function(f"get_{name}", udf(function, result_type="STRING"))
    columns = ", ".join(f"`{name}` STRING" for name in functions)
    calls = ", ".join(f"get_{name}(line)" for name in functions)
    _declare_source(t_env, settings)
    t_env.execute_sql(f"CREATE TEMPORARY TABLE discarded ({columns}) {_DISCARD}")
    t_env.execute_sql(
        "CREATE TEMPORARY VIEW text_log AS SELECT DECODE(data, 'UTF-8') AS line FROM raw_log"
    )
    return _insert(t_env, calls, "text_log")


def latency(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """The real topology, reading a socket, with one more sink that notes the time."""
    statement_set = build(_SocketInstead(t_env, int(os.environ[PORT_VARIABLE])), settings)
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


class _SocketInstead:
    """A table environment whose `raw_log` is a socket, whatever the source's file declares."""

    def __init__(self, t_env: StreamTableEnvironment, port: int) -> None:
        self._t_env = t_env
        self._port = port

    def execute_sql(self, statement: str) -> object:
        if not statement.startswith("CREATE TEMPORARY TABLE raw_log"):
            return self._t_env.execute_sql(statement)
        # SQL has no connector for a socket, and Python only Java's by way of Py4J.
        java = self._t_env._j_tenv.execEnv()  # noqa: SLF001
        lines = DataStream(java.socketTextStream("127.0.0.1", self._port, "\n", 0))
        self._t_env.create_temporary_view("socket_lines", lines)
        return self._t_env.execute_sql(
            "CREATE TEMPORARY VIEW raw_log AS SELECT ENCODE(f0, 'UTF-8') AS data FROM socket_lines"
        )

    def __getattr__(self, name: str) -> object:
        return getattr(self._t_env, name)


def _bytes_job(t_env: StreamTableEnvironment, settings: JobSettings, value: str) -> StatementSet:
    _declare_source(t_env, settings)
    t_env.execute_sql(f"CREATE TEMPORARY TABLE discarded (data BYTES) {_DISCARD}")
    return _insert(t_env, value, "raw_log")


def _declare_source(t_env: StreamTableEnvironment, settings: JobSettings) -> None:
    source = {"source": options(settings.source.options())}
    for statement in statements(SQL_DIRECTORY / "source.sql", source):
        t_env.execute_sql(statement)


def _insert(t_env: StreamTableEnvironment, values: str, table: str) -> StatementSet:
    statement_set = t_env.create_statement_set()
    # All parts are this module's own.
    statement_set.add_insert_sql(f"INSERT INTO discarded SELECT {values} FROM {table}")  # noqa: S608
    return statement_set


def _field_functions(database: Path) -> dict[str, Callable[[str], str | None]]:
    logged = ("host", "datetime", "request", "response", "bytes", "referer", "agent")
    placed = ("city", "country", "location", "country_code")
    of_agent = ("os", "browser", "device_type", "os_version", "browser_version", "is_bot")
    requested = ("method", "path", "protocol")
    return {
        **{name: partial(_logged, name) for name in logged},
        **{name: partial(_placed, name, database) for name in placed},
        **{name: partial(_of_agent, name) for name in of_agent},
        **{name: partial(_requested, number) for number, name in enumerate(requested)},
        "webpage": _webpage,
        "refering_page": _refering_page,
        "event_time": _event_time,
        "status_class": _status_class,
    }


def _logged(name: str, line: str) -> str | None:
    record = straightforward.parse(line)
    return record[name] if record else None


def _placed(name: str, database: Path, line: str) -> str | None:
    record = straightforward.parse(line)
    return _text(straightforward.locate(database, record["host"])[name]) if record else None


def _of_agent(name: str, line: str) -> str | None:
    record = straightforward.parse(line)
    return _text(straightforward.describe_agent(record["agent"])[name]) if record else None


def _requested(number: int, line: str) -> str | None:
    record = straightforward.parse(line)
    words = record["request"].split() if record else []
    return words[number] if len(words) == 3 else None


def _webpage(line: str) -> str | None:
    path = _requested(1, line)
    return straightforward.page(path) if path else None


def _refering_page(line: str) -> str | None:
    record = straightforward.parse(line)
    if record is None or record["referer"] == "-":
        return None
    return straightforward.page(record["referer"])


def _event_time(line: str) -> str | None:
    record = straightforward.parse(line)
    return straightforward.instant(record["datetime"]) if record else None


def _status_class(line: str) -> str | None:
    record = straightforward.parse(line)
    return record["response"][0] + "xx" if record else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


_KINDS = {
    "passthrough": passthrough,
    "identity": identity,
    "naive": naive,
    "latency": latency,
}


def main() -> None:
    """Builds the job that the environment names, and runs it to its end."""
    settings = JobSettings.load(load_properties(properties_file()))
    t_env = create_table_environment(settings)
    _KINDS[os.environ[KIND_VARIABLE]](t_env, settings).execute().wait()


if __name__ == "__main__":
    main()
