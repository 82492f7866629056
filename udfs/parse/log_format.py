r"""A server's own log format, as it stands in the server's configuration, as a parser.

Apache's `LogFormat` (`%h %l %u %t "%r" %>s %b "%{Referer}i" %D`) and nginx's `log_format`
(`$remote_addr - $remote_user [$time_local] "$request" $status $request_time`) are compiled to one
possessive pattern: each field ends at the text that follows it in the format, and a line is read
from left to right, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from udfs.parse.access_log import (
    ANYTHING,
    SIZE,
    STATUS,
    USER,
    LineParser,
    LogLine,
    line_problem,
    present,
    request_time,
)
from udfs.parse.format_times import CLF, EPOCHS, time_format_of, time_pattern, time_reader
from udfs.parse.timestamps import EventTime

type Role = Literal[
    "client", "user", "time", "request", "method", "target", "query", "protocol", "status", "size",
    "referer", "agent", "forwarded", "vhost", "duration_us", "duration_ms", "duration_s", "named",
    "skipped",
]  # fmt: skip
"""The role of a field."""


class FormatError(ValueError):
    """A format can't be used.

    Attributes:
        problem: What would have been right, and where, as a phrase.
        is_extra: It is about a name that the format does not have.
    """

    def __init__(self, problem: str, *, is_extra: bool = False) -> None:
        self.problem = problem
        self.is_extra = is_extra
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Directive:
    """One field of a format.

    Attributes:
        text: As the format has it.
        position: Where in the format it begins, from 0.
        role: What it is for.
        name: Name of a header, cookie or variable; empty otherwise.
        time_format: For a time: a format of strptime, or `sec`, `msec`, `usec`; else empty.
    """

    text: str
    position: int
    role: Role
    name: str = ""
    time_format: str = ""


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A compiled format.

    Attributes:
        parse: Reads a line.
        read_time: Reads the line's time stamp.
        has_request_time: A directive says how long the request took.
    """

    parse: LineParser
    read_time: Callable[[str], EventTime]
    has_request_time: bool


def compile_format(text: str, extra: tuple[str, ...] = ()) -> LogFormat:
    """Compiles a format.

    Args:
        text: The format, with or without the quotes and the escapes of the configuration file.
        extra: Names of headers and variables that lines keep besides.

    Raises:
        FormatError: An unknown directive, two fields with nothing between them, a field that is
            needed and missing, or a name that the format does not have.
    """
    plain = _unquoted(text)
    pieces = _merged_times(_pieces(plain))
    _check(pieces, extra)
    groups: list[Directive] = []
    pattern = _pattern(pieces, groups, STATUS, SIZE)
    loose = _pattern(pieces, [], ANYTHING, ANYTHING)
    fullmatch = re.compile(pattern, re.DOTALL).fullmatch
    any_result = re.compile(loose, re.DOTALL)
    indexes: dict[Role, int] = {}
    for index, directive in enumerate(groups):
        indexes.setdefault(directive.role, index)
    named = {
        directive.name: index for index, directive in enumerate(groups) if directive.name in extra
    }
    make = _maker(indexes, named)

    def parse(line: str) -> LogLine:
        match = fullmatch(line)
        if match is None:
            raise line_problem(line, any_result, 1 + indexes["status"])
        return make(match.groups())

    (time,) = (directive for directive in groups if directive.role == "time")
    has_request_time = any(role in indexes for role, _ in _DURATIONS)
    return LogFormat(parse, time_reader(time.time_format), has_request_time)


# --- reading a format ---------------------------------------------------------------------------

_CONFIGURATION = re.compile(
    r"\s*(?:LogFormat\s+(?P<apache>\"(?:[^\"\\]|\\.)*\")(?:\s+\S+)?"
    r"|log_format\s+\S+\s+(?:escape=\S+\s+)?(?P<nginx>.*?);?)\s*",
    re.DOTALL,
)
_QUOTED_PIECES = re.compile(r"\s*(?:'([^']*)'|\"((?:[^\"\\]|\\.)*)\")", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"t": "\t", "n": "\n"}


def _unquoted(text: str) -> str:
    """Returns the format itself: without the directive, its quotes and its escapes."""
    match = _CONFIGURATION.fullmatch(text)
    if match is not None:
        text = match["apache"] or match["nginx"]
    text = text.strip()
    position, parts = 0, []
    while piece := _QUOTED_PIECES.match(text, position):
        parts.append(piece[1] if piece[1] is not None else piece[2])
        position = piece.end()
    if parts and not text[position:].strip():
        text = "".join(parts)
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), text)


_APACHE = re.compile(
    r"%[<>]?(?:![0-9,]+|[0-9]{3}(?:,[0-9]{3})*)?[<>]?(?:\{([^}]*)\})?(\^?[A-Za-z]{1,2}|%)"
)
_NGINX = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")

_APACHE_ROLES: Mapping[str, Role] = {
    "h": "client", "a": "client", "u": "user", "t": "time", "r": "request", "m": "method",
    "U": "target", "q": "query", "H": "protocol", "s": "status", "b": "size", "B": "size",
    "O": "size", "D": "duration_us", "T": "duration_s", "v": "vhost", "V": "vhost",
    "A": "skipped", "f": "skipped", "I": "skipped", "k": "skipped", "l": "skipped", "L": "skipped",
    "p": "skipped", "P": "skipped", "R": "skipped", "S": "skipped", "X": "skipped",
}  # fmt: skip
_APACHE_NAMED = frozenset("ioenC")
_WITH_ARGUMENT = frozenset({"a", "h", "p", "P", "^FU", "^FB"})
_APACHE_HEADERS: Mapping[str, Role] = {
    "referer": "referer", "user-agent": "agent", "x-forwarded-for": "forwarded",
    "forwarded": "forwarded", "host": "vhost",
}  # fmt: skip
_DURATION_UNITS: Mapping[str, Role] = {"s": "duration_s", "ms": "duration_ms", "us": "duration_us"}

_NGINX_ROLES: Mapping[str, Role] = {
    "remote_addr": "client", "remote_user": "user", "request": "request",
    "request_method": "method", "request_uri": "target", "uri": "target", "args": "skipped",
    "query_string": "skipped", "server_protocol": "protocol", "status": "status",
    "body_bytes_sent": "size", "bytes_sent": "size", "http_referer": "referer",
    "http_user_agent": "agent", "http_x_forwarded_for": "forwarded",
    "proxy_add_x_forwarded_for": "forwarded", "http_forwarded": "forwarded",
    "request_time": "duration_s", "host": "vhost", "http_host": "vhost", "server_name": "vhost",
    "time_local": "time", "time_iso8601": "time", "msec": "time",
}  # fmt: skip


def _pieces(text: str) -> list[str | Directive]:
    """Returns the format as literal texts and directives."""
    is_nginx = _NGINX.search(text) is not None and "%" not in text.replace("%%", "")
    pieces: list[str | Directive] = []
    literal, position = "", 0
    while position < len(text):
        char = text[position]
        if char == ("$" if is_nginx else "%"):
            match = (_NGINX if is_nginx else _APACHE).match(text, position)
            if match is None:
                raise FormatError(
                    _unknown(text[position : position + 8].partition(" ")[0], position)
                )
            if match[0] == "%%":
                literal += "%"
            else:
                if literal:
                    pieces.append(literal)
                    literal = ""
                read = _nginx_directive if is_nginx else _apache_directive
                directive = read(match)
                pieces.append(directive)
            position = match.end()
        else:
            literal += char
            position += 1
    if literal:
        pieces.append(literal)
    return pieces


def _unknown(directive: str, position: int) -> str:
    return f"a format without the unknown directive {directive} at character {position + 1}"


def _apache_directive(match: re.Match[str]) -> Directive:
    text, argument, letter = match[0], match[1], match[2]
    position = match.start()
    if letter == "t":
        try:
            time_format = time_format_of(argument)
        except ValueError as error:
            raise FormatError(_unknown(f"{error} in {text}", position)) from None
        return Directive(text, position, "time", time_format=time_format)
    if letter == "T" and argument is not None:
        if argument not in _DURATION_UNITS:
            raise FormatError(_unknown(text, position))
        return Directive(text, position, _DURATION_UNITS[argument])
    if letter in _APACHE_NAMED and argument:
        header = _APACHE_HEADERS.get(argument.lower(), "named") if letter == "i" else "named"
        return Directive(text, position, header, name=argument)
    role = "skipped" if letter.startswith("^") else _APACHE_ROLES.get(letter)
    if role is None or (argument is not None and letter not in _WITH_ARGUMENT):
        raise FormatError(_unknown(text, position))
    return Directive(text, position, role)


def _nginx_directive(match: re.Match[str]) -> Directive:
    name = match[1] or match[2]
    # Modules and `map` make variables of any name, so no name is unknown.
    role = _NGINX_ROLES.get(name, "named")
    named = name if role == "named" else ""
    return Directive(match[0], match.start(), role, name=named, time_format=CLF)


# --- the pattern --------------------------------------------------------------------------------

_INSIDE_QUOTES = r'((?>[^"]*+(?<!\\)|[^"\\]*+(?:\\.[^"\\]*+)*+))'
_LIST = r"([^\s,]++(?:, ?[^\s,]++)*+)"
_CLOSING = {"]": r"([^\]]*+)", ")": r"([^()]*+)", "}": r"([^}]*+)"}


def _pattern(pieces: list[str | Directive], groups: list[Directive], status: str, size: str) -> str:
    """Returns the pattern of a format; adds the directive of each of its groups to `groups`."""
    pattern = ""
    for index, piece in enumerate(pieces):
        if isinstance(piece, str):
            pattern += re.escape(piece)
            continue
        before = pieces[index - 1] if index else ""
        after = pieces[index + 1] if index + 1 < len(pieces) else ""
        groups.append(piece)
        pattern += _group(
            piece, before if isinstance(before, str) else "", after, status=status, size=size
        )
    return pattern.rstrip(" ") + r"[ \t]*+"


def _group(
    directive: Directive, before: str, after: str | Directive, *, status: str, size: str
) -> str:
    """Returns the group of a field between its neighbours."""
    following = after if isinstance(after, str) else ""
    if directive.role == "time":
        if directive.text == "%t" and directive.time_format == CLF:
            return r"\[([^\]]*+)\]"
        return time_pattern(directive.time_format)
    if directive.role == "target" and isinstance(after, Directive):
        return r"([^\s?\"]*+)"
    fixed = {"status": status, "size": size, "query": r"(\?[^\s\"]*+)?+"}.get(directive.role)
    if fixed is None and before.endswith('"') and following.startswith('"'):
        fixed = _INSIDE_QUOTES
    if fixed is None and following[:1] in {"", " "}:
        fixed = {"user": USER, "forwarded": _LIST}.get(directive.role)
    return _until(following[:1]) if fixed is None else fixed


def _until(end: str) -> str:
    """Returns a group for what stands before a character of the format; empty: the line's end."""
    if end in {"", " "}:
        return r"(\S*+)" if not end else r"(\S++)"
    return _CLOSING.get(end) or f"([^{re.escape(end)}]*+)"


def _merged_times(pieces: list[str | Directive]) -> list[str | Directive]:
    """Returns the times in several directives (`%{%T}t.%{msec_frac}t`) as one."""
    merged: list[str | Directive] = []
    for piece in pieces:
        if (
            isinstance(piece, Directive)
            and piece.role == "time"
            and (before := _time_before(merged)) is not None
        ):
            between = "".join(part for part in merged[before + 1 :] if isinstance(part, str))
            first = merged[before]
            assert isinstance(first, Directive)  # noqa: S101 - found as one
            if first.time_format in {CLF, *EPOCHS} or piece.time_format in {CLF, *EPOCHS}:
                # A second time stamp by itself; the first counts.
                merged.append(Directive(piece.text, piece.position, "skipped"))
                continue
            joined = first.time_format + between.replace("%", "%%") + piece.time_format
            merged[before:] = [Directive(first.text, first.position, "time", time_format=joined)]
        else:
            merged.append(piece)
    return merged


def _time_before(pieces: list[str | Directive]) -> int | None:
    for index in range(len(pieces) - 1, -1, -1):
        piece = pieces[index]
        if isinstance(piece, Directive):
            return index if piece.role == "time" else None
    return None


def _check(pieces: list[str | Directive], extra: tuple[str, ...]) -> None:
    directives = [piece for piece in pieces if isinstance(piece, Directive)]
    for first, second in pairwise(pieces):
        if isinstance(first, Directive) and isinstance(second, Directive):
            known = first.role == "target" and second.role == "query"
            if not known:
                problem = f"a text between {first.text} and {second.text}"
                raise FormatError(f"{problem} at character {second.position + 1}")
    roles = {directive.role for directive in directives}
    missing = [
        words
        for words, wanted in (
            ("a client (%h, $remote_addr)", {"client", "forwarded"}),
            ("a time (%t, $time_local)", {"time"}),
            ("a status (%>s, $status)", {"status"}),
            ("a request (%r, $request)", {"request", "target"}),
        )
        if not roles & wanted
    ]
    if missing:
        raise FormatError(f"a format with {', '.join(missing)}")
    names = {directive.name for directive in directives if directive.name}
    unknown = [name for name in extra if name not in names]
    if unknown:
        known_names = ", ".join(sorted(names)) or "none"
        raise FormatError(f"names that the pattern has: {known_names}", is_extra=True)


def _maker(
    indexes: Mapping[Role, int], named: Mapping[str, int]
) -> Callable[[tuple[str | None, ...]], LogLine]:
    def get(groups: tuple[str | None, ...], role: Role) -> str | None:
        index = indexes.get(role)
        return None if index is None else groups[index]

    def make(groups: tuple[str | None, ...]) -> LogLine:
        request = get(groups, "request")
        if request is None:
            method, protocol = get(groups, "method") or "GET", get(groups, "protocol")
            target = (get(groups, "target") or "") + (get(groups, "query") or "")
            request = f"{method} {target}" if protocol is None else f"{method} {target} {protocol}"
        forwarded = get(groups, "forwarded")
        client = get(groups, "client")
        if client is None:
            client = (forwarded or "").rpartition(",")[2].strip()
        return LogLine(
            vhost=present(get(groups, "vhost")),
            host=client,
            ident="-",
            user=get(groups, "user") or "-",
            timestamp=get(groups, "time") or "",
            request=request,
            status=get(groups, "status") or "",
            size=get(groups, "size") or "-",
            referer=get(groups, "referer"),
            agent=get(groups, "agent"),
            forwarded_for=forwarded,
            request_time_ms=_duration(groups, indexes),
            extra={name: present(groups[index]) for name, index in named.items()}
            if named
            else None,
        )

    return make


_DURATIONS: tuple[tuple[Role, float], ...] = (
    ("duration_us", 0.001),
    ("duration_ms", 1.0),
    ("duration_s", 1000.0),
)


def _duration(groups: tuple[str | None, ...], indexes: Mapping[Role, int]) -> int | None:
    """Returns the finest time that the line has, in milliseconds."""
    for role, scale in _DURATIONS:
        index = indexes.get(role)
        text = None if index is None else groups[index]
        if text and re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", text):
            return request_time(float(text) * scale)
    return None
