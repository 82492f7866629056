"""The job as named steps: source, enrichment, event time, outputs.

    raw_log -> enrich() -> outcomes -> timed_outcomes -> records (enriched, late, ...)
                                                      -> windowed aggregates, alerts

Everything ends in one statement set, so the source is read once and each record crosses
into Python once, however many outputs there are.
"""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StatementSet, StreamTableEnvironment
from pyflink.table.udf import ScalarFunction, udf

from aws.objects import S3Objects
from aws.salt import resolve_salt
from flink_app.alerts import alert_parameters
from flink_app.outputs import table_parameters
from flink_app.settings import JobSettings
from flink_app.sql_files import (
    SQL_DIRECTORY,
    interval,
    milliseconds,
    options,
    output_files,
    statements,
    string_literal,
)
from udfs.flink.function import ENRICH_RESULT, enrich_function
from udfs.privacy.text import MASK


def build(t_env: StreamTableEnvironment, settings: JobSettings) -> StatementSet:
    """Declares everything and returns the statement set that runs it.

    Args:
        t_env: A streaming table environment.
        settings: Checked settings of the job.

    Returns:
        A statement set with one INSERT for each output that is switched on.
    """
    t_env.create_temporary_function("enrich", _enrich_function(settings))
    if any(settings.sinks[name].packs for name in settings.outputs.values()):
        # It needs pandas too.
        from flink_app.sinks.packing import pack_lines  # noqa: PLC0415

        t_env.create_temporary_function("pack_lines", pack_lines)
    parameters = query_parameters(settings)
    _declare(t_env, "source.sql", {"source": options(settings.source.options())})
    _declare(t_env, "outcomes.sql", parameters)
    _assign_event_time(t_env, settings)
    _declare(t_env, "events.sql", parameters)
    statement_set = t_env.create_statement_set()
    for output in output_files():
        if output.name in settings.outputs:
            sink = settings.sinks[settings.outputs[output.name]]
            filled = parameters | table_parameters(output, sink)
            *declarations, insert = statements(output.path, filled)
            for declaration in declarations:
                t_env.execute_sql(declaration)
            statement_set.add_insert_sql(insert)
    return statement_set


def query_parameters(settings: JobSettings) -> dict[str, str]:
    """Returns the parameters of the queries in `sql/`, by name."""
    windows = settings.windows
    return {
        "window_size": interval(windows.size),
        "window_size_ms": str(milliseconds(windows.size)),
        "sliding_size": interval(windows.sliding_size),
        "sliding_slide": interval(windows.sliding_slide),
        "session_gap": interval(windows.session_gap),
        "top_n": str(windows.top_n),
        "masked_host": string_literal(MASK),
        **alert_parameters(settings.alerts, windows.size),
    }


def _enrich_function(settings: JobSettings) -> ScalarFunction:
    core, lookups = settings.core, settings.lookups
    if not lookups.any or core.pipeline.stage == "basic":
        return enrich_function(core, resolve_salt, S3Objects())
    # A job without look-ups needs neither pandas nor boto3.
    from flink_app.lookups.function import EnrichWithLookups  # noqa: PLC0415

    batches = EnrichWithLookups(core, lookups, resolve_salt, S3Objects())
    function: ScalarFunction = udf(batches, result_type=ENRICH_RESULT, func_type="pandas")
    return function


def _declare(t_env: StreamTableEnvironment, file: str, parameters: dict[str, str]) -> None:
    for statement in statements(SQL_DIRECTORY / file, parameters):
        t_env.execute_sql(statement)


def _assign_event_time(t_env: StreamTableEnvironment, settings: JobSettings) -> None:
    """Registers `timed_outcomes`: `outcomes` with event_time as rowtime and a watermark.

    SQL can declare a watermark on a source table only, and here event time is known
    after parsing and splitting. A trip through a DataStream attaches it; no Python runs
    there. It also pins the plan above it: whatever the outputs ask for, the planner
    cannot push it down and split the one enrichment into several.

    The trip is made by way of Java: Python's `to_data_stream` would turn each row, long JSON
    included, into objects of Flink's external types and back. Flink's internal rows (RowData)
    pass unchanged, which saves about a tenth of the JVM's time.

    The watermark follows progress_time, not event_time: a line with a wrong date has its
    own event_time, but does not move the stream's progress (udfs/flink/progress.py).
    """
    outcomes = t_env.from_path("outcomes")
    delay = interval(settings.windows.out_of_orderness)
    schema = (
        Schema.new_builder()
        .from_resolved_schema(outcomes.get_resolved_schema())
        .watermark("event_time", f"progress_time - {delay}")
        .build()
    )
    internal = get_gateway().jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData")
    table, java = outcomes._j_table, t_env._j_tenv  # noqa: SLF001
    row = table.getResolvedSchema().toPhysicalRowDataType().bridgedTo(internal)
    java.createTemporaryView("timed_outcomes", java.toDataStream(table, row), schema._j_schema)  # noqa: SLF001
