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

from flink_app.settings import OFF, JobSettings
from flink_app.sinks import FilesystemSink, KinesisSink, Sink, is_shared
from flink_app.sql_files import OutputFile, options, output_files, string_literal
from udfs.privacy.text import MASK

_RECORDS = "records"
_WHOLE_BODY = ("body BYTES", "body")
_RAW = {"format": "raw"}
_JSON = {"format": "json", "json.timestamp-format.standard": "ISO-8601"}

# Folder columns of files, with the format that gives them from the row's time.
_PARTITIONS = {
    "none": {},
    "date": {"event_date": "yyyy-MM-dd"},
    "hour": {"event_date": "yyyy-MM-dd", "event_hour": "HH"},
}

# A Kinesis partition key has to be a column of the table, all columns of the table go into
# the record, and the format `raw` writes one column alone. So a record that Python has made
# is taken apart at two of its quotation marks, and a CSV "row" of three fields with the
# quotation mark as its separator puts the very same bytes together again. The middle one is
# the key: the client, which stands first in the record, or, where that is left out, the
# event_id, which stands last.
#
# The client is compared with the column, not searched for: 17 us of the JVM's time a record
# instead of 27. Where the JSON writes it otherwise (an escape, more than a key's length), or all
# clients are masked and would share one shard, the event_id is the key too.
_TEXT = "CAST(body AS STRING)"
_HOST_FIRST = f"""host <> '{MASK}'
    AND STARTSWITH(body, CAST(CONCAT('{{"host":"', host, '"') AS BYTES))"""
_BODY_BY_HOST = (
    "before_key STRING, record_key STRING, after_key STRING",
    f"""CASE WHEN {_HOST_FIRST} THEN '{{"host":'
    ELSE SUBSTRING({_TEXT}, 1, CHAR_LENGTH({_TEXT}) - 35) END,
  CASE WHEN {_HOST_FIRST} THEN host
    ELSE SUBSTRING({_TEXT}, CHAR_LENGTH({_TEXT}) - 33, 32) END,
  CASE WHEN {_HOST_FIRST} THEN SUBSTRING({_TEXT}, 11 + CHAR_LENGTH(host))
    ELSE '}}' END""",
)
_BODY_BY_HOST_FORMAT = {
    "format": "csv",
    "csv.field-delimiter": '"',
    "csv.disable-quote-character": "true",
}


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
    is_record = file.kind == _RECORDS
    table = sink.options(file.name)
    body = _WHOLE_BODY
    extra: dict[str, str] = {}
    partitions: tuple[str, ...] = ()
    # Python has made a record's JSON; it goes out as it is.
    format_options = _RAW if is_record else _JSON
    if isinstance(sink, FilesystemSink):
        time = "event_time" if is_record else "window_start"
        formats = _PARTITIONS[sink.partition_by]
        extra = {name: f"DATE_FORMAT({time}, '{form}')" for name, form in formats.items()}
        partitions = tuple(formats)
    elif is_shared(sink) and not is_record:
        # Rows of several outputs may meet in one stream.
        extra = {"output_name": string_literal(file.name)}
    if isinstance(sink, KinesisSink) and sink.partition_key == "key" and file.key:
        partitions = file.key
        if is_record:
            body, format_options = _BODY_BY_HOST, _BODY_BY_HOST_FORMAT
            partitions = ("record_key",)
    if table["connector"] == "blackhole":
        format_options = {}
    return {
        "sink": options(table | format_options),
        "body_columns": body[0],
        "body_values": body[1],
        "sink_columns": "".join(f", {name} STRING" for name in extra),
        "sink_values": "".join(f", {value}" for value in extra.values()),
        "partitioned_by": f"PARTITIONED BY ({', '.join(partitions)}) " if partitions else "",
    }
