"""Which outputs the job writes, and how the table of each is declared for its sink.

The queries are the same whatever the sink. What differs is what `sql/outputs/` leaves open:

    ${sink}             connector and format options
    ${body_columns}     records: `body BYTES`, or the JSON in three pieces
    ${body_values}      what fills them
    ${sink_columns}     more columns, each with a comma before it, or nothing
    ${sink_values}      what fills them
    ${partitioned_by}   PARTITIONED BY clause, or nothing
"""

from __future__ import annotations

from dataclasses import dataclass

from flink_app.connector import Sink
from flink_app.settings import OFF, JobSettings
from flink_app.sql_files import OutputFile, options, output_files

# Python has made a record's JSON; it goes out as it is.
_RAW = {"format": "raw"}
_JSON = {"format": "json", "json.timestamp-format.standard": "ISO-8601"}


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is switched on.

    Attributes:
        file: Its SQL.
        parameters: What the SQL leaves open for the sink.
    """

    file: OutputFile
    parameters: dict[str, str]


def planned_outputs(settings: JobSettings) -> tuple[Output, ...]:
    """The outputs that have a sink, with what their SQL leaves open."""
    return tuple(
        Output(file, table_parameters(file, settings.sinks[sink]))
        for file in output_files()
        if (sink := settings.outputs[file.name]) != OFF
    )


def table_parameters(file: OutputFile, sink: Sink) -> dict[str, str]:
    """What an output's SQL leaves open, for a sink."""
    layout = sink.layout(file)
    form = layout.format
    if form is None:
        form = _RAW if file.is_record else _JSON
    keys = ", ".join(layout.partitions)
    return {
        "sink": options({**sink.options(file.name), **form}),
        "body_columns": layout.body_columns,
        "body_values": layout.body_values,
        "sink_columns": "".join(f", {name} STRING" for name in layout.columns),
        "sink_values": "".join(f", {value}" for value in layout.columns.values()),
        "partitioned_by": f"PARTITIONED BY ({keys}) " if keys else "",
    }
