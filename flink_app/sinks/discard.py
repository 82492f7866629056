"""No sink at all, for measuring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flink_app.connector import Layout, Sink
from flink_app.sql_files import OutputFile
from udfs.config.properties import choice


@dataclass(frozen=True, slots=True)
class DiscardSink(Sink):
    """Nowhere; for measuring the job without what writes."""

    type: Literal["discard"] = choice("discard", "Kind of sink.")

    def options(self, output: str) -> dict[str, str]:  # noqa: ARG002 - nowhere is nowhere
        """Returns the connector's options."""
        return {"connector": "blackhole"}

    def layout(self, output: OutputFile) -> Layout:  # noqa: ARG002
        """Returns the output's own columns, without a format."""
        return Layout(format={})
