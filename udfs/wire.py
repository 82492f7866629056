"""How outcomes cross from Python to the JVM: one string per input record.

One packed string costs the border far less than a row of as many columns; SQL splits it again.
Events are separated by U+001E and fields by U+001F; an empty field is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable

from udfs.outcomes import DeadLettered, Enriched, Filtered, Outcome
from udfs.progress import StreamProgress

EVENT_SEPARATOR = "\x1e"
FIELD_SEPARATOR = "\x1f"
MAX_KEY_LENGTH = 256
"""Characters kept of a value that may become a grouping key."""

FIELDS = (
    "kind",
    "event_time_ms",
    "watermark_ms",
    "host",
    "webpage",
    "status",
    "bytes",
    "country",
    "device_type",
    "browser",
    "os",
    "referer_type",
    "referring_site",
    "is_bot",
    "issues",
    "client_address",
    "reason",
    "body",
)
"""The fields of an event in their order."""

_FIRST_KEY = FIELDS.index("host")
_KEYS = FIELDS.index("reason") - _FIRST_KEY
_NO_KEYS = FIELD_SEPARATOR * (_KEYS - 1)
_WITHOUT_SEPARATORS = str.maketrans({EVENT_SEPARATOR: "\ufffd", FIELD_SEPARATOR: "\ufffd"})


def pack(outcomes: Iterable[Outcome], progress: StreamProgress) -> str:
    """Pack the outcomes of one record in order, and move the stream's progress.

    Dead letters don't: their time is unknown or not to be trusted. They and all others without a
    time take the progress as their own, or 0 before there is any.
    """
    return EVENT_SEPARATOR.join(
        [
            _pack_enriched(outcome, progress)
            if isinstance(outcome, Enriched)
            else _pack_other(outcome, progress)
            for outcome in outcomes
        ]
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


def _pack_enriched(outcome: Enriched, progress: StreamProgress) -> str:
    (
        time,
        host,
        webpage,
        status,
        size,
        country,
        device_type,
        browser,
        os,
        referer_type,
        referring_site,
        is_bot,
        issues,
        client_address,
        json,
    ) = outcome
    keys = (
        f"{host or ''}\x1f{webpage or ''}\x1f{status}\x1f{'' if size is None else size}\x1f"
        f"{country or ''}\x1f{device_type}\x1f{browser or ''}\x1f{os or ''}\x1f"
        f"{referer_type}\x1f{referring_site or ''}\x1f{'1' if is_bot else '0'}\x1f"
        f"{','.join(issues) if issues else ''}\x1f{client_address or ''}"
    )
    # One look at all keys together tells that none is over-long and none holds a separator: 0.2 us,
    # while cleaning each takes 9 us.
    if (
        len(keys) > MAX_KEY_LENGTH
        or keys.count(FIELD_SEPARATOR) != _KEYS - 1
        or EVENT_SEPARATOR in keys
    ):
        keys = FIELD_SEPARATOR.join(map(_clean, outcome[1:-1]))
    watermark = progress.observe(time)
    return f"E\x1f{time}\x1f{'' if watermark is None else watermark}\x1f{keys}\x1f\x1f{json}"


def _clean(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return ",".join(value)
    return _text(value)[:MAX_KEY_LENGTH].translate(_WITHOUT_SEPARATORS)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def unpack(packed: str) -> list[dict[str, str | None]]:
    """Split a packed string into its events, as the SQL does; for tests and tools."""
    return [
        dict(zip(FIELDS, (value or None for value in event.split(FIELD_SEPARATOR)), strict=True))
        for event in packed.split(EVENT_SEPARATOR)
    ]
