"""How outcomes cross from Python to the JVM: one string per input record.

One packed string costs the border far less than a row of as many columns; SQL splits it again.
Events are separated by U+001E and fields by U+001F; an empty field is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable

from udfs.keys import EVENT_SEPARATOR, FIELD_SEPARATOR
from udfs.outcomes import DeadLettered, Enriched, Filtered, Outcome
from udfs.progress import StreamProgress

FIELDS = (
    "kind",
    "event_time_ms",
    "watermark_ms",
    "host",
    "country",
    "webpage",
    "is_static",
    "status",
    "bytes",
    "referer_type",
    "referring_site",
    "device_type",
    "browser",
    "os",
    "is_bot",
    "issues",
    "reason",
    "body",
)
"""The fields of an event in their order: neighbours come from one part of the record."""

_NO_KEYS = FIELD_SEPARATOR * (FIELDS.index("reason") - FIELDS.index("host") - 1)


def pack(outcomes: Iterable[Outcome], progress: StreamProgress) -> str:
    """Pack the outcomes of one record in order, and move the stream's progress.

    Dead letters don't: their time is unknown or not to be trusted. They and all others without a
    time take the progress as their own, or 0 before there is any.
    """
    return EVENT_SEPARATOR.join([_pack(outcome, progress) for outcome in outcomes])


def _pack(outcome: Outcome, progress: StreamProgress) -> str:
    if not isinstance(outcome, Enriched):
        return _pack_other(outcome, progress)
    time, client, request, status, size, referrer, agent, issues, _, json = outcome
    watermark = progress.observe(time)
    return (
        f"E\x1f{time}\x1f{'' if watermark is None else watermark}\x1f{client.keys}\x1f"
        f"{request.keys}\x1f{status}\x1f{'' if size is None else size}\x1f{referrer.keys}\x1f"
        f"{agent.keys}\x1f{','.join(issues) if issues else ''}\x1f\x1f{json}"
    )


def _pack_other(outcome: Filtered | DeadLettered, progress: StreamProgress) -> str:
    if isinstance(outcome, Filtered):
        kind, time, reason = "F", outcome.event_time_ms, outcome.reason
    else:
        letter = outcome.letter
        kind, time, reason = "D", None, f"{letter.stage}/{letter.reason}"
    watermark = progress.fail() if time is None else progress.observe(time)
    if time is None:
        time = watermark or 0
    return f"{kind}\x1f{time}\x1f{_text(watermark)}\x1f{_NO_KEYS}\x1f{reason}\x1f{outcome.json}"


def _text(value: object) -> str:
    return "" if value is None else str(value)


def unpack(packed: str) -> list[dict[str, str | None]]:
    """Split a packed string into its events, as the SQL does; for tests and tools."""
    return [
        dict(zip(FIELDS, (value or None for value in event.split(FIELD_SEPARATOR)), strict=True))
        for event in packed.split(EVENT_SEPARATOR)
    ]
