"""Reads the statements in `sql/` and fills in their parameters.

Parameters are `${name}`. Each value is rendered from a checked setting by one of the
functions below, never pasted from text as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from udfs.config.root import ROOT

SQL_DIRECTORY = ROOT / "sql"

_PARAMETER = re.compile(r"\$\{([a-z_]+)\}")
_KEY = re.compile(r"^-- Key: ([a-z_]+(?:, [a-z_]+)*)$", re.MULTILINE)
_NEEDS_TIMES = "-- Needs: request_time_ms"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output of the job: a sink table and the query that fills it.

    Attributes:
        name: The table's name, which is the file's name without `.sql`.
        kind: The folder it lies in: `records`, `aggregates` or `alerts`.
        path: The SQL file.
        key: Columns whose values keep rows together on a stream, from a comment line
            `-- Key: column, column`; `host` for a record means its client.
        needs_request_times: It has no rows where lines do not say how long their requests took,
            from a comment line `-- Needs: request_time_ms`.
    """

    name: str
    kind: str
    path: Path
    key: tuple[str, ...] = ()
    needs_request_times: bool = False

    @property
    def is_record(self) -> bool:
        """Returns whether its rows are JSON that Python has made, not columns."""
        return self.kind == "records"


def output_files() -> tuple[OutputFile, ...]:
    """Returns all outputs, found by listing the folders; a new file is a new output."""
    return tuple(_output_file(path) for path in sorted((SQL_DIRECTORY / "outputs").glob("*/*.sql")))


def _output_file(path: Path) -> OutputFile:
    text = path.read_text(encoding="utf-8")
    key = _KEY.search(text)
    return OutputFile(
        name=path.stem,
        kind=path.parent.name,
        path=path,
        key=tuple(key[1].split(", ")) if key else (),
        needs_request_times=_NEEDS_TIMES in text.splitlines(),
    )


def statements(path: Path, parameters: Mapping[str, str]) -> list[str]:
    """Splits a file into its statements with the parameters filled in.

    A statement ends with a semicolon at the end of a line. Comments are removed first:
    text in them is neither a parameter nor a statement. The file is split before it is
    filled in: a value may hold a semicolon and a line break.

    Raises:
        KeyError: The file names a parameter that is not given.
    """
    text = "\n".join(
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("--")
    )
    parts = (part.strip().removesuffix(";") for part in f"{text}\n".split(";\n"))
    return [_PARAMETER.sub(lambda match: parameters[match[1]], part) for part in parts if part]


def string_literal(value: str) -> str:
    """Returns a SQL string literal; a quote inside is doubled."""
    return "'" + value.replace("'", "''") + "'"


def interval(duration: timedelta) -> str:
    """Returns a SQL day-time interval.

    Two digits a field: Flink's code generator rejects literals of another precision.

    Raises:
        ValueError: The duration is negative, has fractions of a second or is longer
            than 99 days.
    """
    if duration < timedelta() or duration.microseconds or duration.days > 99:
        raise ValueError(f"not a whole number of seconds up to 99 days: {duration}")
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"INTERVAL '{duration.days} {hours:02}:{minutes:02}:{seconds:02}' DAY TO SECOND"


def milliseconds(duration: timedelta) -> int:
    """Returns the whole milliseconds of a duration."""
    return duration // timedelta(milliseconds=1)


def options(values: Mapping[str, str]) -> str:
    """Returns the inside of a `WITH (...)` clause."""
    return ",\n  ".join(
        f"{string_literal(key)} = {string_literal(value)}" for key, value in values.items()
    )
