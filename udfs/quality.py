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

SEVERITIES: dict[str, Severity] = {
    PRIVATE_ADDRESS: Severity.INFO,
}
"""Every issue code there is. An information does not change the status."""

_STATUS = {Severity.INFO: "ok", Severity.SUSPECT: "suspect", Severity.INVALID: "invalid"}
_ORDER = list(Severity)


def status_of(issues: tuple[str, ...]) -> str:
    """``ok``, ``suspect`` or ``invalid``: the gravest of the issues decides."""
    gravest = max((_ORDER.index(SEVERITIES[code]) for code in issues), default=0)
    return _STATUS[_ORDER[gravest]]


@lru_cache(maxsize=1024)
def quality_json(issues: tuple[str, ...]) -> str:
    """The record's ``quality`` object as JSON."""
    return orjson.dumps({"status": status_of(issues), "issues": issues}).decode()
