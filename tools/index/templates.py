"""Index templates, made from what an output's rows are declared as.

Records take theirs from `conf/schema`, aggregates and alerts from the columns of their SQL file. So
a new field of a record, or a new output, is indexed without a change here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_app.sql_files import OutputFile
from tools.declared import record_schema, sql_columns

type Fields = dict[str, Any]

MAX_KEYWORD = 1024
"""Characters of a value that can be found, sorted and counted as a whole.

Lucene refuses a document with a term of more than 32,766 bytes; a log line may be twice as long.
"""

_KEYWORD: Fields = {"type": "keyword", "ignore_above": MAX_KEYWORD}
# Searched by the words in it.
_TEXT: Fields = {"type": "text", "fields": {"keyword": _KEYWORD}}
# A client may be known by a host name, or its address be hidden: then the keyword has it.
_ADDRESS: Fields = {"type": "ip", "ignore_malformed": True, "fields": {"keyword": _KEYWORD}}
_BY_NAME: Mapping[str, Fields] = {
    "request": _TEXT,
    "agent": _TEXT,
    "message": _TEXT,
    "raw": _TEXT,
    "host": _ADDRESS,
    "proxy": _ADDRESS,
    "datetime": {"type": "date", "format": "dd/MMM/yyyy:HH:mm:ss Z", "ignore_malformed": True},
    "event_time": {"type": "date"},
    "failed_at": {"type": "date"},
}
_BY_TYPE: Mapping[str, Fields] = {
    "string": _KEYWORD,
    "integer": {"type": "long"},
    "number": {"type": "float"},
    "boolean": {"type": "boolean"},
}
_BY_COLUMN: Mapping[str, Fields] = {
    "STRING": _KEYWORD,
    "BIGINT": {"type": "long"},
    "DOUBLE": {"type": "double"},
    "TIMESTAMP_LTZ(3)": {"type": "date"},
}


def template(alias: str, output: OutputFile) -> dict[str, Any]:
    """Returns the composable index template of an output.

    Args:
        alias: The name that its indices are written and searched by; theirs begin with it.
        output: The output.
    """
    return {
        # With a hyphen: the names of outputs begin with one another.
        "index_patterns": [alias, f"{alias}-*"],
        # Above what domains bring along for all indices.
        "priority": 200,
        "template": {
            "settings": {
                "index": {
                    "number_of_shards": 1,
                    # A copy wherever there is a second node to have it.
                    "auto_expand_replicas": "0-1",
                }
            },
            "mappings": {
                # A field that a later version adds is kept and not indexed until the template is
                # made again. `strict` would refuse the record, `true` let records name fields.
                "dynamic": False,
                "properties": fields(output),
            },
        },
    }


def fields(output: OutputFile) -> Fields:
    """Returns how each field of an output's rows is indexed."""
    if not output.is_record:
        return {name: _BY_COLUMN[type_] for name, type_ in sql_columns(output).items()}
    return _properties(record_schema(output))


def _properties(schema: Mapping[str, Any]) -> Fields:
    members = schema["properties"].items()
    return {name: _BY_NAME.get(name) or _field(member) for name, member in members}


def _field(schema: Mapping[str, Any]) -> Fields:
    if "enum" in schema or "const" in schema:
        return _KEYWORD
    types = schema["type"]
    (type_,) = {types} if isinstance(types, str) else {*types} - {"null"}
    if type_ == "array":
        # An array has no type of its own: each value is indexed.
        return _field(schema["items"])
    if type_ != "object":
        return _BY_TYPE[type_]
    if "properties" not in schema:
        # Its names come from the log or from reference data: kept, and no fields of the index. A
        # `flat_object` would have them searched, and refuse a record with a value over 32 KB.
        return {"type": "object", "enabled": False}
    properties = _properties(schema)
    return {"type": "geo_point"} if {*properties} == {"lat", "lon"} else {"properties": properties}
