"""Property groups whose setting `type` decides which other settings they take."""

from __future__ import annotations

from collections.abc import Mapping

from udfs.config.properties import Group
from udfs.errors import ConfigurationError

TYPE_KEY = "type"


class Variant(Group):
    """Base of a settings dataclass that is one of several types."""

    __slots__ = ()

    def check(self) -> None:
        """Checks what spans several settings.

        Raises:
            ConfigurationError: A setting is missing, or has no use beside the others.
        """


def load_variant[T: Variant](
    group: str, values: Mapping[str, str], types: Mapping[str, type[T]], default: str = ""
) -> T:
    """Reads a group as the class that its `type` names.

    Args:
        group: Name of the property group.
        values: Its settings.
        types: Class for each type.
        default: Type when none is given.

    Raises:
        ConfigurationError: An unknown type, or settings that its type does not accept or lacks.
    """
    name = values.get(TYPE_KEY, default).strip()
    kind = types.get(name)
    if kind is None:
        raise ConfigurationError(group, TYPE_KEY, name, f"one of {', '.join(types)}")
    try:
        loaded = kind.load({kind.group: values})
        loaded.check()
    except ConfigurationError as error:
        # A class may know its group only as a pattern. Which settings there are depends on
        # the type, so the type is said too.
        raise ConfigurationError(
            group, error.key, error.value, f"{error.expected} (type {name})"
        ) from None
    return loaded
