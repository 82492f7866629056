r"""Prefixes that shippers put in front of a line: syslog headers, container runtimes, Heroku.

Tried only on a line that did not parse. A prefix is taken off once; what remains must be a line of
the format as a whole, so a pattern may be generous.
"""

from __future__ import annotations

import re

_PRIORITY = r"(?:<[0-9]{1,3}>)"
_ISO_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{5,20}(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_BSD_TIME = r"[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"
_WORD = r"[^\s\"\[\]:|]{1,255}+"
_TAG = rf"[A-Za-z]{_WORD}(?:\[[^\s\"\]]{{1,128}}\])?:"
_STRUCTURED = r"(?:\[(?:[^\]\"\\]|\\.|\"(?:[^\"\\]|\\.)*+\")*+\])++"

# Time, host, application, process and kind of message.
_RFC5424_WORDS = r"\S{1,64} \S{1,255} \S{1,255} \S{1,128} \S{1,64}"
_RFC5424_DATA = rf"(?:(?:-|{_STRUCTURED}) )?+\ufeff?"

_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        # RFC 5424; Heroku counts the bytes in front and leaves structured data out.
        rf"(?:[0-9]{{1,7}} )?{_PRIORITY}[0-9]{{1,2}} {_RFC5424_WORDS} {_RFC5424_DATA}",
        # containerd and CRI-O: time, stream, F for a full line.
        rf"{_ISO_TIME} (?:stdout|stderr) F ",
        # RFC 3164 and what is left of it: priority, time, host and tag, each or not.
        rf"{_PRIORITY}?(?:(?:{_BSD_TIME}|{_ISO_TIME}) )?(?:{_WORD} )?{_TAG} ?",
        # Docker Compose: the container's name, padded.
        r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127} {0,64}\| ",
        # A time of its own, as `aws logs tail` and many followers print it.
        rf"{_ISO_TIME} ",
    )
)


def without_prefix(line: str) -> str | None:
    """Returns a line without a shipper's prefix; None when it begins with none."""
    for prefix in _PREFIXES:
        match = prefix.match(line)
        if match is not None and match.end() < len(line):
            return line[match.end() :]
    return None
