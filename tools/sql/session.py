"""What a session of the SQL client starts with: over files, or over deployed streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from flink_app.outputs import JSON, table_parameters
from flink_app.settings import JobSettings
from flink_app.sinks.filesystem import FilesystemSink
from flink_app.sinks.kinesis import KinesisSink
from flink_app.sources.kinesis import KinesisSource
from flink_app.sql_files import (
    SQL_DIRECTORY,
    OutputFile,
    options,
    output_files,
    statements,
    string_literal,
)
from flink_app.topology import query_parameters

INPUT = "input"
"""Stands for the job's input among the names of outputs."""

# A connector reads and writes. Its sink looks for a class of this name, its source does not.
_READ_ONLY = {"sink.partitioner": "this table is only read"}
# What tells records of several outputs in one stream apart: what a record of each has.
_RECORDS = {
    "enriched": "JSON_EXISTS({}, '$.request')",
    "late": "JSON_EXISTS({}, '$.request')",
    "dead_letters": "JSON_EXISTS({}, '$.stage')",
    "filtered": "JSON_EXISTS({0}, '$.reason') AND NOT JSON_EXISTS({0}, '$.stage')",
}


def over_files(settings: JobSettings, results: Path) -> list[str]:
    """Returns the statements of a session over a log and the results of a run.

    Args:
        settings: Settings of the job; the source is read as declared there.
        results: The output folder of a run; its outputs become tables where they exist.
    """
    # Bounded input: final results, ORDER BY, and no watermark to wait for.
    prepared = _beginning("batch") + _access_log(settings, settings.source.options())
    sink = FilesystemSink(path=str(results.resolve()))
    for output in output_files():
        if (results / output.name).is_dir():
            prepared.append(_table(settings, output, table_parameters(output, sink)))
    return prepared


def over_streams(
    settings: JobSettings, arns: Mapping[str, str], reading: KinesisSource
) -> list[str]:
    """Returns the statements of a session over streams, none of which it can write.

    Args:
        settings: Settings of the job.
        arns: ARN of the stream of each output, and of `INPUT`.
        reading: How streams are read; the role of the settings reads the input.
    """
    prepared = _beginning("streaming")
    if INPUT in arns:
        source = replace(reading, stream_arn=arns[INPUT])
        if isinstance(settings.source, KinesisSource):
            role, external_id = settings.source.role_arn, settings.source.role_external_id
            source = replace(source, role_arn=role, role_external_id=external_id)
        prepared += _access_log(settings, source.options() | _READ_ONLY)
    outputs = [output for output in output_files() if output.name in arns]
    prepared += ["CREATE DATABASE streams", "USE streams"]
    for output in outputs:
        arn = arns[output.name]
        written = replace(reading, stream_arn=arn).options() | _READ_ONLY
        values = {"sink": options(written if output.is_record else written | JSON)}
        # With a key, a record would be in three columns.
        sink = KinesisSink(stream_arn=arn, partition_key="random")
        prepared.append(_table(settings, output, table_parameters(output, sink) | values))
    return [*prepared, "USE default_database", *map(_view, outputs)]


def _beginning(mode: Literal["batch", "streaming"]) -> list[str]:
    return [
        f"SET 'execution.runtime-mode' = '{mode}'",
        "SET 'table.local-time-zone' = 'UTC'",
        *statements(SQL_DIRECTORY / "client" / "functions.sql", {}),
    ]


def _access_log(settings: JobSettings, source: Mapping[str, str]) -> list[str]:
    return [
        *statements(SQL_DIRECTORY / "source.sql", {"source": options(source)}),
        *statements(SQL_DIRECTORY / "outcomes.sql", query_parameters(settings)),
        *statements(SQL_DIRECTORY / "client" / "access_log.sql", {}),
    ]


def _table(settings: JobSettings, output: OutputFile, values: Mapping[str, str]) -> str:
    declaration, *_ = statements(output.path, query_parameters(settings) | dict(values))
    return declaration


def _view(output: OutputFile) -> str:
    if output.is_record:
        rows = _RECORDS[output.name].format("CAST(body AS STRING)")
    else:
        name = string_literal(output.name)
        # Where a stream is of one output, its rows do not name it; records have no window.
        rows = f"COALESCE(output_name, {name}) = {name} AND window_start IS NOT NULL"
    values = {"output": output.name, "rows": rows}
    (view,) = statements(SQL_DIRECTORY / "client" / "stream_view.sql", values)
    return view
