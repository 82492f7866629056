"""What an output's rows are declared as: columns in its SQL file, or a record in `conf/schema`."""

from __future__ import annotations

import json
import re
from typing import Any

from flink_app.sql_files import OutputFile
from udfs.config.root import ROOT

_TABLE = re.compile(r"CREATE TEMPORARY TABLE \w+ \((.*?)\$\{sink_columns\}", re.DOTALL)
# Of the outputs whose schema has another name.
_SCHEMAS = {"late": "enriched", "dead_letters": "dead_letter"}


def sql_columns(output: OutputFile) -> dict[str, str]:
    """Returns the columns of an aggregate or of the alerts, with their SQL types."""
    (declared,) = _TABLE.findall(output.path.read_text("utf-8"))
    return dict(column.split() for column in declared.split(","))


def record_schema(output: OutputFile) -> dict[str, Any]:
    """Returns the JSON Schema of an output of records."""
    name = _SCHEMAS.get(output.name, output.name)
    schema: dict[str, Any] = json.loads(
        (ROOT / "conf" / "schema" / f"{name}.json").read_text("utf-8")
    )
    return schema
