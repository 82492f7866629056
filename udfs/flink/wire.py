"""How outcomes cross from Python to the JVM: a few byte strings per input record.

First the keys of all events in one string, which SQL splits again: that costs the border far less
than a row of as many columns. Events are separated by U+001E and fields by U+001F; an empty field
is NULL. Then the JSON of each event by itself. It is only handed on, so it is neither split nor
made into text, which would cost more (hot path).
"""

from __future__ import annotations

from collections.abc import Sequence

from udfs.flink.progress import StreamProgress
from udfs.outcomes import DeadLettered, Enriched, Filtered, Outcome
from udfs.record.keys import EVENT_SEPARATOR, FIELD_SEPARATOR

FIELDS = (
    "kind",
    "event_time",
    "progress_time",
    "host",
    "country",
    "webpage",
    "is_static",
    "status",
    "bytes_sent",
    "request_time_ms",
    "referer_type",
    "referring_site",
    "refering_page",
    "device_type",
    "browser",
    "os",
    "bot_kind",
    "issues",
    "reason",
)
"""The keys of an event by their columns in `sql/outcomes.sql`, in their order: neighbours come from
one part of the record."""

_NO_KEYS = FIELD_SEPARATOR * (FIELDS.index("reason") - FIELDS.index("host") - 1)


def pack(outcomes: Sequence[Outcome], progress: StreamProgress) -> list[bytes]:
    """Packs the outcomes of one record in order, and move the stream's progress.

    Dead letters don't: their time is unknown or not to be trusted. They and all others without a
    time take the progress as their own, or 0 before there is any.
    """
    if len(outcomes) == 1:
        # The usual case by itself (hot path).
        (outcome,) = outcomes
        return [_keys(outcome, progress).encode(), outcome.json.encode()]
    keys = EVENT_SEPARATOR.join([_keys(outcome, progress) for outcome in outcomes])
    return [keys.encode(), *[outcome.json.encode() for outcome in outcomes]]


def _keys(outcome: Outcome, progress: StreamProgress) -> str:
    if not isinstance(outcome, Enriched):
        return _keys_of_other(outcome, progress)
    time, client, request, status, size, request_time, referrer, agent, issues, _, _ = outcome
    watermark = progress.observe(time)
    return (
        f"E\x1f{time}\x1f{'' if watermark is None else watermark}\x1f{client.keys}\x1f"
        f"{request.keys}\x1f{status}\x1f{'' if size is None else size}\x1f"
        f"{'' if request_time is None else request_time}\x1f{referrer.keys}\x1f{agent.keys}\x1f"
        f"{','.join(issues) if issues else ''}\x1f"
    )


def _keys_of_other(outcome: Filtered | DeadLettered, progress: StreamProgress) -> str:
    if isinstance(outcome, Filtered):
        kind, time, reason = "F", outcome.event_time_ms, outcome.reason
    else:
        letter = outcome.letter
        kind, time, reason = "D", None, f"{letter.stage}/{letter.reason}"
    watermark = progress.fail() if time is None else progress.observe(time)
    if time is None:
        time = watermark or 0
    return f"{kind}\x1f{time}\x1f{_text(watermark)}\x1f{_NO_KEYS}\x1f{reason}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
