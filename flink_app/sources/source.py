"""What every kind of source answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from flink_app.connector import Connector, Resource

SOURCE_GROUP = "weblog.source"


class Source(Connector, name=SOURCE_GROUP):
    """Base of the settings of a source."""

    __slots__ = ()

    @abstractmethod
    def options(self) -> dict[str, str]:
        """Returns the options of the `raw_log` table: its connector's and its format's."""

    def resources(self) -> Iterable[Resource]:
        """Returns what the source needs of AWS."""
        return ()
