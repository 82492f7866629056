"""Quality of a record: issue codes, and the status that they give it."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import orjson

type Status = Literal["ok", "suspect", "invalid"]

PRIVATE_ADDRESS = "private_address"
ODD_CLIENT = "odd_client"
TIMESTAMP_ANCIENT = "timestamp_ancient"
SIZE_IMPOSSIBLE = "size_impossible"
UNEXPECTED_BODY = "unexpected_body"
FIELD_TOO_LONG = "field_too_long"
CONTROL_CHARACTERS = "control_characters"
PROBE_PATH_TRAVERSAL = "probe_path_traversal"
PROBE_SQL_INJECTION = "probe_sql_injection"
PROBE_SHELL = "probe_shell"
PROBE_XSS = "probe_xss"
LOOKUP_FAILED = "lookup_failed"

STATUSES: dict[str, Status] = {
    PRIVATE_ADDRESS: "ok",
    ODD_CLIENT: "suspect",
    TIMESTAMP_ANCIENT: "invalid",
    SIZE_IMPOSSIBLE: "invalid",
    UNEXPECTED_BODY: "suspect",
    FIELD_TOO_LONG: "suspect",
    CONTROL_CHARACTERS: "suspect",
    PROBE_PATH_TRAVERSAL: "suspect",
    PROBE_SQL_INJECTION: "suspect",
    PROBE_SHELL: "suspect",
    PROBE_XSS: "suspect",
    LOOKUP_FAILED: "ok",
}
"""Every issue code there is, with the status of a record that has no other issue."""

PROBES = (PROBE_PATH_TRAVERSAL, PROBE_SQL_INJECTION, PROBE_SHELL, PROBE_XSS)
"""Attempts to break in. They are flagged and never dropped."""

ISSUES = tuple(code for code in STATUSES if code not in {PRIVATE_ADDRESS, LOOKUP_FAILED})
"""Codes that checks of a line's own fields give; see `udfs.check.anomalies`."""

REJECTABLE = tuple(code for code in ISSUES if code not in PROBES)
"""Those of them that may make a line a dead letter."""

_BY_GRAVITY: tuple[Status, ...] = ("ok", "suspect", "invalid")


def status_of(issues: tuple[str, ...]) -> Status:
    """Returns the status of a record: the gravest of its issues decides."""
    return max((STATUSES[code] for code in issues), key=_BY_GRAVITY.index, default="ok")


@lru_cache(maxsize=1024)
def quality_member(issues: tuple[str, ...]) -> str:
    """Returns the record's `quality` as a member of its JSON, with a comma behind it."""
    value = orjson.dumps({"status": status_of(issues), "issues": issues}).decode()
    return f'"quality":{value},'
