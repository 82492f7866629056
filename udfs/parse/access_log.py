"""Access log lines of Apache's formats, split into raw fields in one pass.

The patterns are possessive or atomic throughout: a line is read from left to right, a quoted field
at most twice, whatever it holds. So time grows with its length and no line makes the parser go back
further.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from udfs.errors import ValidationError

type LogFormat = Literal["combined", "common", "vhost_combined", "combined_xff"]


class LogLine(NamedTuple):
    """The fields of one line in the line's own order, as the log has them.

    Escapes and ``-`` are kept. A field is None only where the format has no such field.
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


type LineParser = Callable[[str], LogLine]

# Inside quotes a backslash takes the next character with it, so \" does not close the field. Most
# fields have none before their first quotation mark, and looking for that one character alone
# takes 1.7 us a line on a machine on which looking for either takes 3.7.
_QUOTED = r'"((?>[^"]*+(?<!\\)|[^"\\]*+(?:\\.[^"\\]*+)*+))"'
# The user name may hold blanks: words up to the one that opens the timestamp. Only "-" stands
# alone, so that a line with a field too many in front is not read one field off.
_CLIENT = r'([^\s"]++) (\S++) ((?!- (?!\[))[^ ]++(?: (?!\[)[^ ]*+)*+) \[([^\]]*+)\] '
_STATUS = "([1-5][0-9][0-9])"
# More than 18 digits is no size and would not fit 64 bits.
_SIZE = "(-|[0-9]{1,18}+)"
_ANYTHING = r"(\S++)"
# A group that takes no part: every format has LogLine's eleven groups, so that a match's groups
# are the fields of a LogLine and no format needs code of its own.
_ABSENT = "(.){0}"

_START = f"{_CLIENT}{_QUOTED} {_STATUS} {_SIZE}"
_PATTERNS: dict[LogFormat, str] = {
    "common": f"{_ABSENT}{_START}{_ABSENT}{_ABSENT}{_ABSENT}",
    "combined": f"{_ABSENT}{_START} {_QUOTED} {_QUOTED}{_ABSENT}",
    "vhost_combined": rf"([^\s\"]++) {_START} {_QUOTED} {_QUOTED}{_ABSENT}",
    "combined_xff": f"{_ABSENT}{_START} {_QUOTED} {_QUOTED} {_QUOTED}",
}


def parser_for(log_format: LogFormat) -> LineParser:
    """Make a function that splits one line (without its line break) of the given format.

    The function raises :class:`ValidationError` of stage ``parse`` with one of these reasons:

    - ``empty_line``: nothing, or blanks only;
    - ``unterminated_quote``: a quoted field is never closed;
    - ``bad_status``: the line has the right shape but its status is not 100 to 599;
    - ``bad_size``: the same, but its size is neither ``-`` nor a number of at most 18 digits;
    - ``malformed_line``: any other line that is not of the format as a whole.
    """
    pattern = _PATTERNS[log_format]
    fullmatch = re.compile(pattern, re.DOTALL).fullmatch
    any_result = re.compile(
        pattern.replace(_STATUS, _ANYTHING).replace(_SIZE, _ANYTHING), re.DOTALL
    )
    new = tuple.__new__

    def parse(line: str) -> LogLine:
        match = fullmatch(line)
        if match is None:
            raise _problem(line, any_result)
        # The groups are the fields: 0.1 us less than LogLine(*groups).
        return new(LogLine, match.groups())

    return parse


_ESCAPED = re.compile(r"\\.", re.DOTALL)


def _problem(line: str, any_result: re.Pattern[str]) -> ValidationError:
    """Say why a line did not match; only bad lines pay for this."""
    if not line or line.isspace():
        return ValidationError("parse", "empty_line", "the line is empty")
    match = any_result.fullmatch(line)
    if match is not None:
        status = LogLine._make(match.groups()).status
        if re.fullmatch(_STATUS, status) is None:
            return ValidationError("parse", "bad_status", "the status is not a number 100 to 599")
        expected = "neither '-' nor a number of at most 18 digits"
        return ValidationError("parse", "bad_size", f"the size is {expected}")
    if _ESCAPED.sub("", line).count('"') % 2:
        return ValidationError("parse", "unterminated_quote", "a quoted field is not closed")
    return ValidationError("parse", "malformed_line", "the line is not of the configured format")


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
    r"""Undo the escapes of a quoted field: ``\"``, ``\\``, ``\t`` and its kin, ``\xNN``.

    Neighbouring ``\xNN`` are bytes and are read as UTF-8; what is not UTF-8 becomes U+FFFD. An
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
