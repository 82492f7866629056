"""What every kind of sink answers, and what it may add to the table of an output."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aws.streams import OUTPUT_PLACEHOLDER
from flink_app.connector import Connector, Resource
from flink_app.sql_files import OutputFile, string_literal

SINK_GROUP_PREFIX = "weblog.sink."


@dataclass(frozen=True, slots=True)
class Layout:
    """What a sink's table of an output has beside the columns that the output declares.

    Attributes:
        columns: More columns, all of them text, with the SQL that fills each.
        partitions: Columns of the PARTITIONED BY clause.
        body_columns: Declaration of the columns that hold a record's JSON.
        body_values: The SQL that fills these.
        format: Options of the format; None: JSON as it is for a record, else columns as JSON.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    body_columns: str = "body BYTES"
    body_values: str = "body"
    format: Mapping[str, str] | None = None


class Sink(Connector, name=SINK_GROUP_PREFIX + "<name>"):
    """Base of the settings of a sink."""

    __slots__ = ()

    @abstractmethod
    def options(self, output: str) -> dict[str, str]:
        """Returns the connector's options for the table of an output, without the format's."""

    def layout(self, output: OutputFile) -> Layout:  # noqa: ARG002 - for a kind that needs it
        """Returns what the table of an output has beside the output's own columns."""
        return Layout()

    def resources(self, output: str) -> Iterable[Resource]:  # noqa: ARG002 - the same
        """Returns what the sink needs of AWS for an output."""
        return ()


def output_name(output: OutputFile, stream_arn: str) -> dict[str, str]:
    """Returns the column that tells rows of several outputs apart where they share a stream."""
    if output.is_record or OUTPUT_PLACEHOLDER in stream_arn:
        return {}
    return {"output_name": string_literal(output.name)}
