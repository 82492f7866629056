"""Which format the lines of a log are in, by trying the first ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from udfs.errors import ValidationError
from udfs.parse.access_log import LogLine
from udfs.parse.client import UNIX_SOCKET, client_of, is_shifted
from udfs.parse.formats import Preset, preset
from udfs.parse.reader import LineReader
from udfs.parse.unwrap import Event, unwrap

CANDIDATES: tuple[Preset, ...] = (
    "combined", "combined_xff", "vhost_combined", "common", "alb", "cloudfront", "json",
)  # fmt: skip
"""Formats that lines show. Real-time logs of CloudFront do not name their fields."""

_SURE = 0.8
"""Share of the lines that must be of the format."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The format that the first lines have.

    Attributes:
        format: The format that most lines are in; None when no line is in any.
        lines: Number of lines that were tried, without blank ones and comments.
        matching: How many of them are in the format.
        is_wrapped: Lines are inside something that a producer has put around them.
        first: The first line that was tried, as bytes.
    """

    format: Preset | None
    lines: int
    matching: int
    is_wrapped: bool
    first: bytes

    @property
    def is_sure(self) -> bool:
        """Returns whether enough lines are in the format."""
        return self.format is not None and self.matching >= _SURE * self.lines


def detect(lines: Sequence[bytes]) -> Detection:
    """Returns the format of lines, which may be wrapped.

    Args:
        lines: The first lines of a log, without their line breaks; a hundred are enough.
    """
    events: list[Event] = []
    is_wrapped = False
    for line in lines:
        contents = [content for content in unwrap(line) if isinstance(content, Event)]
        is_wrapped = is_wrapped or any(event.raw != line.rstrip(b"\r") for event in contents)
        events += contents
    events = [event for event in events if event.raw.strip() and not event.raw.startswith(b"#")]
    counts = {name: _matching(name, events) for name in CANDIDATES}
    best = max(CANDIDATES, key=lambda name: counts[name])
    return Detection(
        best if counts[best] else None,
        len(events),
        counts[best],
        is_wrapped,
        events[0].raw if events else b"",
    )


def first_time(lines: Sequence[bytes]) -> int | None:
    """Returns the time of the first line that has one, in milliseconds since 1970; None: no line.

    Args:
        lines: The first lines of a log, of any format in `CANDIDATES`.
    """
    readers = [LineReader(preset(name)) for name in CANDIDATES]
    for line in lines:
        for content in unwrap(line):
            if not isinstance(content, Event):
                continue
            for reader in readers:
                for read in _lines_of(reader, content):
                    try:
                        return reader.read_time(read.timestamp).ms
                    except ValidationError:
                        continue
    return None


def _matching(name: Preset, events: Sequence[Event]) -> int:
    log_format = preset(name)
    reader = LineReader(log_format)
    return sum(_is_of(reader, event) for event in events)


def _is_of(reader: LineReader, event: Event) -> bool:
    return any(_is_good(reader, line) for line in _lines_of(reader, event))


def _lines_of(reader: LineReader, event: Event) -> Iterator[LogLine]:
    """Yields the lines of the reader's format that an event may be or hold."""
    try:
        if event.fields is not None:
            yield reader.line_of(event.fields)
            return
        text = event.raw.decode()
    except (ValidationError, UnicodeDecodeError):
        return
    with suppress(ValidationError):
        yield reader.parse(text)
    yield from reader.lines_inside(text)


def _is_good(reader: LineReader, line: LogLine) -> bool:
    if client_of(line.host) is None and line.host != UNIX_SOCKET:
        return False
    try:
        reader.read_time(line.timestamp)
    except ValidationError:
        return False
    return not is_shifted(line.ident, line.user)
