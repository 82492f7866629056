"""Quality of a record: issue codes, how grave each is, and the status that follows."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import orjson


class Severity(StrEnum):
    """What an issue does to the record's status."""

    INFO = "info"
    SUSPECT = "suspect"
    INVALID = "invalid"


PRIVATE_ADDRESS = "private_address"
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

SEVERITIES: dict[str, Severity] = {
    PRIVATE_ADDRESS: Severity.INFO,
    TIMESTAMP_ANCIENT: Severity.INVALID,
    SIZE_IMPOSSIBLE: Severity.INVALID,
    UNEXPECTED_BODY: Severity.SUSPECT,
    FIELD_TOO_LONG: Severity.SUSPECT,
    CONTROL_CHARACTERS: Severity.SUSPECT,
    PROBE_PATH_TRAVERSAL: Severity.SUSPECT,
    PROBE_SQL_INJECTION: Severity.SUSPECT,
    PROBE_SHELL: Severity.SUSPECT,
    PROBE_XSS: Severity.SUSPECT,
    LOOKUP_FAILED: Severity.INFO,
}
"""Every issue code there is. An information does not change the status."""

PROBES = (PROBE_PATH_TRAVERSAL, PROBE_SQL_INJECTION, PROBE_SHELL, PROBE_XSS)
"""Attempts to break in. They are flagged and never dropped."""

ISSUES = tuple(code for code in SEVERITIES if code not in {PRIVATE_ADDRESS, LOOKUP_FAILED})
"""Codes that checks of a line's own fields give; see :mod:`udfs.validation`."""

REJECTABLE = tuple(code for code in ISSUES if code not in PROBES)
"""Those of them that may make a line a dead letter."""

_STATUS = {Severity.INFO: "ok", Severity.SUSPECT: "suspect", Severity.INVALID: "invalid"}
_ORDER = list(Severity)


def status_of(issues: tuple[str, ...]) -> str:
    """``ok``, ``suspect`` or ``invalid``: the gravest of the issues decides."""
    gravest = max((_ORDER.index(SEVERITIES[code]) for code in issues), default=0)
    return _STATUS[_ORDER[gravest]]


@lru_cache(maxsize=1024)
def quality_member(issues: tuple[str, ...]) -> str:
    """The record's ``quality`` as a member of its JSON, with a comma behind it."""
    value = orjson.dumps({"status": status_of(issues), "issues": issues}).decode()
    return f'"quality":{value},'
