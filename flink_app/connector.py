"""What sources and sinks have in common: a property group whose `type` names its kind."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from udfs.config.properties import Group, Properties
from udfs.errors import ConfigurationError

TYPE_KEY = "type"
OBJECT_STORES = ("s3://", "s3a://")

_USABLE = frozenset({"ACTIVE", "UPDATING"})


class Connector(Group, ABC):
    """Base of the settings of a source or a sink."""

    __slots__ = ()

    needs_jar: ClassVar[bool] = False
    """Whether Flink itself lacks the connector: it is in the jar that `conf/pom.xml` makes."""

    @property
    def local_path(self) -> str:
        """The path that it reads or writes on the machine's own disk, or empty."""
        return ""

    def check(self) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: A setting is missing, or has no use beside the others.
        """


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


def load_connector[T: Connector](
    group: str, properties: Properties, types: Mapping[str, type[T]], default: str = ""
) -> T:
    """Reads a group as the class that its `type` names.

    Args:
        group: Name of the property group.
        properties: All groups.
        types: The class of each type.
        default: Type of a group that names none.

    Raises:
        ConfigurationError: An unknown type, or settings that its type does not accept or lacks.
    """
    values = properties.get(group, {})
    name = values.get(TYPE_KEY, default).strip()
    kind = types.get(name)
    if kind is None:
        raise ConfigurationError(group, TYPE_KEY, name, f"one of {', '.join(types)}")
    try:
        loaded = kind.load({kind.group: values})
        loaded.check()
    except ConfigurationError as error:
        # A class may know its group only as a pattern. Which settings there are depends on
        # the type, so the error names the type too.
        expected = f"{error.expected} (type {name})"
        raise ConfigurationError(group, error.key, error.value, expected) from None
    return loaded
