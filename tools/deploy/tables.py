"""The tables of the lake: an output as Glue and Athena know it.

Their columns are those that the output itself declares, a record's in its JSON Schema and an
aggregate's in its SQL. Times stay text, as the JSON has them: in ISO 8601 they compare in the order
of time, and no reader of JSON or Parquet can take them for something else.

`python -m tools.deploy.tables` writes `sql/athena/tables`: for JSON lines, of the job's file sink
or of the function's delivery stream. The templates make the same tables for Parquet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_app.sql_files import SQL_DIRECTORY, OutputFile, output_files
from tools.declared import record_schema, sql_columns

FOLDER = SQL_DIRECTORY / "athena" / "tables"

_SCALARS = {"string": "string", "integer": "bigint", "number": "double", "boolean": "boolean"}
_SQL_TYPES = {
    "STRING": "string",
    "BIGINT": "bigint",
    "DOUBLE": "double",
    "TIMESTAMP_LTZ(3)": "string",
}
PARTITIONS = ("event_date", "event_hour")
_PROJECTION = {
    "projection.enabled": "true",
    "projection.event_date.type": "date",
    "projection.event_date.format": "yyyy-MM-dd",
    # A line dated ahead of the clock is a dead letter, but for the tolerance.
    "projection.event_date.range": "2015-01-01,NOW+1DAYS",
    "projection.event_hour.type": "integer",
    "projection.event_hour.range": "0,23",
    "projection.event_hour.digits": "2",
}
_JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


def columns(output: OutputFile) -> dict[str, str]:
    """Returns the types of an output's columns in Hive's notation, by their names."""
    if not output.is_record:
        return {name: _SQL_TYPES[kind] for name, kind in sql_columns(output).items()}
    return {name: _type(schema) for name, schema in record_schema(output)["properties"].items()}


def _type(schema: Mapping[str, Any]) -> str:
    # Where there is none, an enumeration or a constant says what it may be: text.
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else next(name for name in kinds if name != "null")
    if kind == "array":
        return f"array<{_type(schema['items'])}>"
    if kind == "object" and "properties" in schema:
        fields = (f"{name}:{_type(member)}" for name, member in schema["properties"].items())
        return f"struct<{','.join(fields)}>"
    return "map<string,string>" if kind == "object" else _SCALARS[kind]


def table_input(name: str) -> dict[str, Any]:
    """Returns the table of an output for CloudFormation: Parquet in the stack's bucket."""
    (output,) = (output for output in output_files() if output.name == name)
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE", **_PROJECTION},
        "PartitionKeys": [{"Name": partition, "Type": "string"} for partition in PARTITIONS],
        "StorageDescriptor": {
            "Location": {"Fn::Sub": f"s3://${{Bucket}}/{name}/"},
            "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
            "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": f"{_PARQUET}.serde.ParquetHiveSerDe"},
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns(output).items()],
        },
    }


def declaration(output: OutputFile) -> str:
    """Returns the statement that makes the table of an output for JSON lines."""
    declared = ",\n".join(f"  `{name}` {kind}" for name, kind in columns(output).items())
    partitions = ", ".join(f"{name} string" for name in PARTITIONS)
    properties = ",\n".join(f"  '{key}' = '{value}'" for key, value in _PROJECTION.items())
    return (
        f"-- The output {output.name} as JSON lines in folders by event time\n"
        "-- (docs/lake.md). Put your bucket, and the prefix if there is one, in place of BUCKET.\n"
        "-- Made by tools/deploy/tables.py.\n"
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {output.name} (\n{declared}\n)\n"
        f"PARTITIONED BY ({partitions})\n"
        f"ROW FORMAT SERDE '{_JSON_SERDE}'\n"
        f"LOCATION 's3://BUCKET/{output.name}/'\n"
        f"TBLPROPERTIES (\n{properties}\n);\n"
    )


if __name__ == "__main__":
    for output in output_files():
        (FOLDER / f"{output.name}.sql").write_text(declaration(output), "utf-8")
