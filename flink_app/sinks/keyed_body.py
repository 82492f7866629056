"""A record's JSON in three columns, whose middle one is the partition key.

A Kinesis partition key has to be a column of the table, all columns of the table go into the
record, and the format `raw` writes a single column. So a record that Python has made is taken
apart at two of its quotation marks, and a CSV "row" of three fields with the quotation mark as
its separator puts the very same bytes together again:

    {"host":  "  203.0.113.42  "  ,"datetime":"28/Oct/2025:10:15:30 +0000", ... }
    {"host":null, ... ,"event_id":  "  0123456789abcdef0123456789abcdef  "  }

The key is the client, which stands first in the record, or, where that is left out, the event_id,
which stands last.

The client is compared with the column, not searched for, which takes the JVM half as long again.
Where the JSON writes it otherwise (an escape, more than a key's length), or all clients are masked
and would share one shard, the event_id is the key too.
"""

from __future__ import annotations

from flink_app.connector import Layout
from flink_app.sql_files import string_literal
from udfs.privacy.text import MASK

QUOTE = '"'
HEAD = '{"host":'
"""The text before the client's first quotation mark."""
END = "}"
"""The text behind the second quotation mark of the event_id."""
EVENT_ID_LENGTH = 32

_TEXT = "CAST(body AS STRING)"
_LENGTH = f"CHAR_LENGTH({_TEXT})"

# SQL counts characters from 1.
_AFTER_HOST = f"{len(HEAD + QUOTE + QUOTE) + 1} + CHAR_LENGTH(host)"
_EVENT_ID = f"{_LENGTH} - {EVENT_ID_LENGTH + len(QUOTE + END) - 1}"
_BEFORE_EVENT_ID_LENGTH = f"{_LENGTH} - {len(QUOTE) + EVENT_ID_LENGTH + len(QUOTE + END)}"

_HOST_FIRST = (
    f"host <> {string_literal(MASK)} "
    f"AND STARTSWITH(body, CAST(CONCAT('{HEAD}{QUOTE}', host, '{QUOTE}') AS BYTES))"
)


def _either(by_host: str, by_event_id: str) -> str:
    return f"CASE WHEN {_HOST_FIRST}\n    THEN {by_host}\n    ELSE {by_event_id} END"


KEYED_BODY = Layout(
    partitions=("record_key",),
    body_columns="before_key STRING, record_key STRING, after_key STRING",
    body_values=",\n  ".join(
        (
            _either(f"'{HEAD}'", f"SUBSTRING({_TEXT}, 1, {_BEFORE_EVENT_ID_LENGTH})"),
            _either("host", f"SUBSTRING({_TEXT}, {_EVENT_ID}, {EVENT_ID_LENGTH})"),
            _either(f"SUBSTRING({_TEXT}, {_AFTER_HOST})", f"'{END}'"),
        )
    ),
    format={
        "format": "csv",
        "csv.field-delimiter": QUOTE,
        "csv.disable-quote-character": "true",
    },
)
