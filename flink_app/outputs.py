"""How the table of an output is declared for its sink.

The queries are the same whatever the sink. What differs is what `sql/outputs/` leaves open:

    ${sink}             connector and format options
    ${body_columns}     records: `body BYTES`, or the JSON in three pieces
    ${body_values}      what fills them
    ${sink_columns}     more columns, each with a comma before it, or nothing
    ${sink_values}      what fills them
    ${partitioned_by}   PARTITIONED BY clause, or nothing
"""

from __future__ import annotations

from flink_app.connector import Sink
from flink_app.sql_files import OutputFile, options

# Python has made a record's JSON; it goes out as it is.
_RAW = {"format": "raw"}
JSON = {"format": "json", "json.timestamp-format.standard": "ISO-8601"}
"""Options of the format of rows that are columns."""


def table_parameters(file: OutputFile, sink: Sink) -> dict[str, str]:
    """Returns what the SQL of an output leaves open, for a sink."""
    layout = sink.layout(file)
    form = layout.format
    if form is None:
        form = _RAW if file.is_record else JSON
    keys = ", ".join(layout.partitions)
    return {
        "sink": options({**sink.options(file.name), **form}),
        "body_columns": layout.body_columns,
        "body_values": layout.body_values,
        "sink_columns": "".join(f", {name} STRING" for name in layout.columns),
        "sink_values": "".join(f", {value}" for value in layout.columns.values()),
        "partitioned_by": f"PARTITIONED BY ({keys}) " if keys else "",
    }
