"""Access log lines of Apache's formats, split into raw fields in one pass.

The patterns are possessive or atomic throughout: a line is read from left to right, a quoted field
at most twice, whatever it holds. So time grows with its length and no line makes the parser go back
further.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from udfs.errors import ValidationError

type ApacheFormat = Literal["combined", "common", "vhost_combined", "combined_xff"]


class LogLine(NamedTuple):
    """The fields of one line in the order of Apache's formats, as the log has them.

    Escapes and `-` are kept. A field is None only where the format has no such field.
    """

    vhost: str | None
    host: str
    ident: str
    user: str
    timestamp: str
    request: str
    status: str
    size: str
    referer: str | None
    agent: str | None
    forwarded_for: str | None
    proxy: str | None = None
    """The address in the log where `host` is the client behind it."""
    request_time_ms: int | None = None
    extra: Mapping[str, str | None] | None = None
    """Other fields that the settings ask for, by name."""


type LineParser = Callable[[str], LogLine]

# Inside quotes a backslash takes the next character with it, so \" does not close the field. Most
# fields have none before their first quotation mark, and a search for that one character
# takes half as long as a search for either (hot path).
QUOTED = r'"((?>[^"]*+(?<!\\)|[^"\\]*+(?:\\.[^"\\]*+)*+))"'
# The user name may hold blanks: words up to the one that opens the timestamp. Only "-" stands
# by itself, so that a line with a field too many in front is not read one field off.
USER = r"((?!- (?!\[))[^ ]++(?: (?!\[)[^ ]*+)*+)"
_CLIENT = rf'([^\s"]++) (\S++) {USER} \[([^\]]*+)\] '
STATUS = "([1-5][0-9][0-9])"
# More than 18 digits is no size and would not fit 64 bits.
SIZE = "(-|[0-9]{1,18}+)"
ANYTHING = r"(\S++)"
# A group that takes no part: every format has a group for each field of LogLine, so that a match's
# groups are the fields and no format needs code of its own.
ABSENT = "(.){0}"
# Blanks at the end, and what these formats never have: proxy, request time, extra.
_END = rf"[ \t]*+{ABSENT}{ABSENT}{ABSENT}"

_START = f"{_CLIENT}{QUOTED} {STATUS} {SIZE}"
_PATTERNS: dict[ApacheFormat, str] = {
    "common": f"{ABSENT}{_START}{ABSENT}{ABSENT}{ABSENT}{_END}",
    "combined": f"{ABSENT}{_START} {QUOTED} {QUOTED}{ABSENT}{_END}",
    "vhost_combined": rf"([^\s\"]++) {_START} {QUOTED} {QUOTED}{ABSENT}{_END}",
    "combined_xff": f"{ABSENT}{_START} {QUOTED} {QUOTED} {QUOTED}{_END}",
}


def parser_for(log_format: ApacheFormat) -> LineParser:
    """Makes a function that splits one line (without its line break) of the given format.

    The function raises `ValidationError` of stage `parse` with one of these reasons:

    - `empty_line`: nothing, or blanks only;
    - `unterminated_quote`: a quoted field is never closed;
    - `bad_status`: the line is of the format but its status is not 100 to 599;
    - `bad_size`: the same, but its size is neither `-` nor a number of at most 18 digits;
    - `malformed_line`: any other line that is not of the format as a whole.
    """
    pattern = _PATTERNS[log_format]
    fullmatch = re.compile(pattern, re.DOTALL).fullmatch
    any_result = re.compile(pattern.replace(STATUS, ANYTHING).replace(SIZE, ANYTHING), re.DOTALL)
    new = tuple.__new__

    def parse(line: str) -> LogLine:
        match = fullmatch(line)
        if match is None:
            raise line_problem(line, any_result)
        # The groups are the fields: LogLine(*groups) takes longer (hot path).
        return new(LogLine, match.groups())

    return parse


_ESCAPED = re.compile(r"\\.", re.DOTALL)


def line_problem(line: str, any_result: re.Pattern[str], status_group: int = 7) -> ValidationError:
    """Returns why a line did not match; only bad lines pay for this.

    Args:
        line: The line.
        any_result: The format's pattern with anything for status and size.
        status_group: Number of the status's group in it.
    """
    if not line or line.isspace():
        return empty_line()
    match = any_result.fullmatch(line)
    if match is not None:
        if re.fullmatch(STATUS, match[status_group]) is None:
            return bad_status()
        expected = "neither '-' nor a number of at most 18 digits"
        return ValidationError("parse", "bad_size", f"the size is {expected}")
    if _ESCAPED.sub("", line).count('"') % 2:
        return ValidationError("parse", "unterminated_quote", "a quoted field is not closed")
    return ValidationError("parse", "malformed_line", "the line is not of the configured format")


def empty_line() -> ValidationError:
    """Returns the problem of a line without anything in it, of whatever format."""
    return ValidationError("parse", "empty_line", "the line is empty")


def bad_status() -> ValidationError:
    """Returns the problem of a line that fits its format but for its status."""
    return ValidationError("parse", "bad_status", "the status is not a number 100 to 599")


def present(text: str | None) -> str | None:
    """Returns a field's text; None for `-`, and for nothing."""
    return None if text in {None, "", "-"} else text


_LONGEST_REQUEST_MS = 1e15


def request_time(milliseconds: float) -> int | None:
    """Returns a request's time as whole milliseconds; None for what can be none.

    Text may be read as a number that is negative, infinite, or too large for SQL's integers.
    """
    # NaN is within no bounds.
    return round(milliseconds) if 0 <= milliseconds < _LONGEST_REQUEST_MS else None


_ESCAPES = re.compile(r'(?:\\x[0-9A-Fa-f]{2})++|\\["\\bfnrtv]')
_CHARACTERS = {
    '"': '"',
    "\\": "\\",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


def unescape(text: str) -> str:
    r"""Undoes the escapes of a quoted field: `\"`, `\\`, `\t` and its kin, `\xNN`.

    Neighbouring `\xNN` are bytes and are read as UTF-8; what is not UTF-8 becomes U+FFFD. An
    unknown escape stays as it is.
    """
    if "\\" not in text:
        return text
    return _ESCAPES.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    if escape[1] == "x":
        return bytes.fromhex(escape.replace("\\x", "")).decode("utf-8", "replace")
    return _CHARACTERS[escape[1]]


_NEEDS_ESCAPE = re.compile(r'[\x00-\x1f\x7f"\\]')
_SHORT_ESCAPES = {char: f"\\{name}" for name, char in _CHARACTERS.items()}


def escape(text: str) -> str:
    """Returns a text as a server would have logged it; the reverse of `unescape`.

    Other formats hold fields without escapes, or in their own encoding.
    """
    return _NEEDS_ESCAPE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT_ESCAPES.get(char) or f"\\x{ord(char):02x}"


_LIST_FIRST = re.compile(r"((?:[0-9A-Fa-f.:\[\]]{2,60}, ?)++)([0-9A-Fa-f.:\[\]]{2,60}) (?=\S++ )")
_LIST_IN_PARENTHESES = re.compile(r"([^\s\"()]++) \(([^\"()]*+)\) ")


def with_one_client(line: str) -> tuple[str, str] | None:
    """Returns a line with one address in the client's place, and the list that was there.

    nginx writes a list there where the format begins with X-Forwarded-For (`a, b, c - -`), Elastic
    Beanstalk writes `LB (client, LB) - -`.

    Returns:
        The line that begins with the server's peer or the last address of the list, and the whole
        list; None for a line that begins otherwise.
    """
    match = _LIST_IN_PARENTHESES.match(line)
    if match is not None:
        return f"{match[1]} {line[match.end() :]}", match[2]
    match = _LIST_FIRST.match(line)
    if match is not None:
        return f"{match[2]} {line[match.end() :]}", match[1].rstrip(", ")
    return None
