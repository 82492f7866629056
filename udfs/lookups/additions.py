"""Members that look-ups add to an enriched record: `hostname` and `reference`.

The record's JSON is finished by then. Its last members are `quality` and `event_id`, both of
known text, so the additions go in between and nobody reads the JSON again.
"""

from __future__ import annotations

from collections.abc import Callable

from udfs.enrich.reference import KeyField
from udfs.outcomes import Enriched
from udfs.quality import LOOKUP_FAILED, quality_member

type KeyOf = Callable[[Enriched], str | None]
"""The key that a record is looked up by; None where it has none."""

_EVENT_ID_LENGTH = len('"event_id":""}') + 32


def with_additions(outcome: Enriched, members: str, *, failed: bool = False) -> Enriched:
    """Returns the outcome with more members in its JSON and without the client's address.

    Args:
        outcome: A record of all stages.
        members: Members as JSON text, such as `"hostname":null`; no braces, no comma around.
        failed: A look-up got no answer, which becomes the issue `lookup_failed`.
    """
    json, issues = outcome.json, outcome.issues
    rest, event_id = json[:-_EVENT_ID_LENGTH], json[-_EVENT_ID_LENGTH:]
    if failed and LOOKUP_FAILED not in issues:
        rest = rest.removesuffix(quality_member(issues))
        issues = (*issues, LOOKUP_FAILED)
        rest += quality_member(issues)
    # The address was only for the look-up: it must not travel on beside a masked host.
    return outcome._replace(issues=issues, origin=None, json=f"{rest}{members},{event_id}")


def key_of(field: KeyField) -> KeyOf:
    """Returns what gives a record's key for a look-up by a field."""
    if field == "host":
        return lambda outcome: outcome.client_address
    return lambda outcome: outcome.webpage
