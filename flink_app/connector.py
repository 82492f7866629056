"""What each kind of source (`sources/`) and of sink (`sinks/`) answers.

A kind is the settings of a property group, whose `type` names it. A new kind is a new file and
a line in the folder's `__init__.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aws.arn import OUTPUT_PLACEHOLDER, region_of
from flink_app.sql_files import OutputFile, string_literal
from udfs.config.properties import Group, Properties
from udfs.errors import ConfigurationError

SOURCE_GROUP = "weblog.source"
SINK_GROUP_PREFIX = "weblog.sink."
TYPE_KEY = "type"
OBJECT_STORES = ("s3://", "s3a://")

_USABLE = frozenset({"ACTIVE", "UPDATING"})


@dataclass(frozen=True, slots=True)
class Resource:
    """A stream or bucket that has to be there, and how to find out whether it can be used.

    Attributes:
        key: Setting that names it.
        name: Its name, as the setting has it for one output.
        kind: What it is, such as "stream".
        action: Permission to look at it, such as "kinesis:DescribeStreamSummary".
        look: Looks at it with a client of the action's service. Returns what is wanted instead,
            or None.
        region: The client's region; empty: the session's.
        endpoint: The client's endpoint; empty: the region's own.
    """

    key: str
    name: str
    kind: str
    action: str
    look: Callable[[Any], str | None]
    region: str = ""
    endpoint: str = ""


def unless_active(kind: str, status: str) -> str | None:
    """Returns what is wanted instead of a resource with this status; None when it can be used."""
    return None if status in _USABLE else f"a {kind} that is ACTIVE, not {status}"


class Connector(Group, ABC):
    """What sources and sinks have in common.

    Attributes:
        needs_jar: Flink itself lacks the connector: it is in the jar that `conf/pom.xml` makes.
    """

    __slots__ = ()

    needs_jar: ClassVar[bool] = False

    @property
    def path(self) -> str:
        """Returns the folder or file that it reads or writes; empty without a file system."""
        return ""

    def check(self) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: A setting is missing, or has no use beside the others.
        """


class Source(Connector, name=SOURCE_GROUP):
    """Base of the kinds of source."""

    __slots__ = ()

    @abstractmethod
    def options(self) -> dict[str, str]:
        """Returns the options of the `raw_log` table: its connector's and its format's."""

    def resources(self) -> Iterable[Resource]:
        """Returns what the source needs of AWS."""
        return ()


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
    """Base of the kinds of sink."""

    __slots__ = ()

    @property
    def packs(self) -> bool:
        """Returns whether the SQL of its layouts calls the function `pack_lines`."""
        return False

    @abstractmethod
    def options(self, output: str) -> dict[str, str]:
        """Returns the connector's options for the table of an output, without the format's."""

    def layout(self, output: OutputFile) -> Layout:  # noqa: ARG002 - for kinds that need it
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


def client_options(arn: str, url: str) -> dict[str, str]:
    """Returns the options that say where the service of an ARN is.

    Args:
        arn: ARN of the stream; its region is used.
        url: Another endpoint than the region's, or empty.
    """
    return {"aws.region": region_of(arn), **({"aws.endpoint": url} if url else {})}


def sink_client_options(arn: str, url: str) -> dict[str, str]:
    """Returns the same for a sink, whose client speaks HTTP/2 by default."""
    # HTTP/2 without TLS: AWS has no such endpoint, and emulators do not speak it.
    plain = {"sink.http-client.protocol.version": "HTTP1_1"} if url.startswith("http://") else {}
    return client_options(arn, url) | plain


def load_connector[T: Connector](
    group: str, properties: Properties, types: Mapping[str, type[T]], default: str = ""
) -> T:
    """Reads a group as the class that its `type` names.

    Raises:
        ConfigurationError: An unknown type, or settings that its type does not accept or lacks.
    """
    values = properties.get(group, {})
    name = values.get(TYPE_KEY, default).strip()
    if name not in types:
        raise ConfigurationError(group, TYPE_KEY, name, f"one of {', '.join(types)}")
    kind = types[name]
    try:
        loaded = kind.load({kind.group: values})
        loaded.check()
    except ConfigurationError as error:
        # A class may know its group only as a pattern. Which settings there are depends on
        # the type, so the error names the type too.
        expected = f"{error.expected} (type {name})"
        raise ConfigurationError(group, error.key, error.value, expected) from None
    return loaded
