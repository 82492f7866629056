"""Shapes of deployment: which outputs a job writes, by the one setting `weblog.pipeline: stage`.

    all                            one job writes everything (fan-out)
    records, aggregates, alerts    the same as three jobs, each reading the stream
    basic -> advanced              two jobs, with a stream of basic records between them

Jobs that share a stream share no output, so together they write what one job would.
"""

from __future__ import annotations

from flink_app.sql_files import OutputFile
from udfs.config.core import Stage

# What the aggregates lack is written by the job that makes them: its windows decide.
_LATE = "late"


def is_part_of(stage: Stage, output: OutputFile) -> bool:
    """Whether a job of this stage writes an output unless `weblog.outputs` says otherwise."""
    match stage:
        case "all" | "advanced":
            return True
        case "basic" | "records":
            return output.kind == "records" and output.name != _LATE
        case "aggregates":
            return output.kind == "aggregates" or output.name == _LATE
        case "alerts":
            return output.kind == "alerts"
