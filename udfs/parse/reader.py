"""Reads lines of one format, with the client where the settings look for it.

A line that is not of the format may still hold one that is: behind a shipper's prefix, with a list
of addresses in the client's place, or with JSON's escapes around its quotation marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from udfs.errors import ValidationError
from udfs.parse.access_log import LogLine, with_one_client
from udfs.parse.client import Trust, client_of
from udfs.parse.formats import Format, unknown_object
from udfs.parse.prefix import without_prefix
from udfs.parse.unwrap import Fields, without_json_escapes

NOT_OF_THE_FORMAT = frozenset(
    {
        "bad_client", "bad_size", "bad_status", "malformed_line", "shifted_fields",
        "unterminated_quote",
    }
)  # fmt: skip
"""Reasons of lines that may hold a line of the format all the same."""


class LineReader:
    """Reads lines as the settings have it.

    Attributes:
        parse: Splits a line of the format.
        read_time: Reads a line's time stamp.
        is_plain: A line's client is its first field, unless that has a colon.
    """

    def __init__(
        self,
        log_format: Format,
        trust: Trust | None = None,
        *,
        takes_prefixes: bool = True,
        undoes_escapes: bool = True,
    ) -> None:
        """Takes the settings.

        Args:
            log_format: The format.
            trust: Which hops of a request are the site's own; None: the log's address is
                the client.
            takes_prefixes: Look behind a shipper's prefix.
            undoes_escapes: Undo JSON's escapes.
        """
        self.parse, self.read_time = log_format.parse, log_format.read_time
        self.is_plain = trust is None
        self._objects = log_format.objects
        self._resolver = None if trust is None else trust.resolver()
        self._takes_prefixes = takes_prefixes
        self._undoes_escapes = undoes_escapes
        self._client_of = lru_cache(8192)(client_of)

    def line_of(self, fields: Fields) -> LogLine:
        """Returns the line that a JSON object stands for.

        Raises:
            ValidationError: It stands for none, or for a bad one.
        """
        line = self._objects.line(fields)
        if line is None:
            raise unknown_object()
        return line

    def with_client(self, line: LogLine) -> LogLine:
        """Returns a line with its client in the place of the server's peer, without a port."""
        host, proxy = line.host, line.proxy
        if self._resolver is not None:
            host, proxy = self._resolver.resolve(host, line.forwarded_for)
        bare = self._client_of(host) or host
        if bare is line.host and proxy is line.proxy:
            return line
        return line._replace(host=bare, proxy=proxy)

    def lines_inside(self, text: str) -> Iterator[LogLine]:
        """Gives lines of the format that a text may hold, the likeliest first."""
        inner = without_prefix(text) if self._takes_prefixes else None
        if inner is not None:
            yield from self._read(inner)
        for candidate in (text, inner):
            if candidate is None:
                continue
            if (listed := with_one_client(candidate)) is not None:
                yield from self._read(*listed)
            if self._undoes_escapes and (plain := without_json_escapes(candidate)) is not None:
                yield from self._read(plain)

    def _read(self, text: str, forwarded: str | None = None) -> Iterator[LogLine]:
        try:
            line = self.parse(text)
        except ValidationError:
            return
        if forwarded is not None and line.forwarded_for is None:
            line = line._replace(forwarded_for=forwarded)
        yield self.with_client(line)
