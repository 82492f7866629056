"""Anomalies of single lines: codes for what is odd about a field, in time linear in its length.

Probes are looked for in the request with every encoding undone, so that encoding twice hides
nothing. Everything but `Checks.late_issues` depends on one field and is kept with its part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from udfs.config.core import ValidationSettings
from udfs.parse.access_log import unescape
from udfs.parse.client import is_odd_client
from udfs.parse.encodings import decoded
from udfs.quality import (
    CONTROL_CHARACTERS,
    FIELD_TOO_LONG,
    ODD_CLIENT,
    PROBE_PATH_TRAVERSAL,
    PROBE_SHELL,
    PROBE_SQL_INJECTION,
    PROBE_XSS,
    PROBES,
    SIZE_IMPOSSIBLE,
    TIMESTAMP_ANCIENT,
    UNEXPECTED_BODY,
)

type Issues = tuple[str, ...]

_PRINTABLE = bytes(byte for byte in range(256) if (byte >= 0x20 and byte != 0x7F) or byte == 0x09)
_WITHOUT_BODY = frozenset({"204", "304"})

MAX_HEADER_BYTES = 2048
"""Bytes that an answer without a body may have: Debian's Apache counts its headers too (%O)."""


class Checks:
    """The checks in force.

    Attributes:
        earliest_ms: Times before it are odd, in milliseconds since 1970-01-01 UTC.
        max_bytes: Larger sizes are impossible.
    """

    def __init__(self, settings: ValidationSettings) -> None:
        self.earliest_ms = int(settings.earliest_time.timestamp() * 1000)
        self.max_bytes = settings.max_bytes
        self._max_length = settings.max_field_length
        self._ignored = frozenset(settings.ignore)
        self._looks_for_probes = not self._ignored.issuperset(PROBES)

    def client(self, host: str) -> Issues:
        """Returns the issues of a client's address or name."""
        return self._reported((ODD_CLIENT,)) if is_odd_client(host) else ()

    def request(self, field: str, target: str | None) -> Issues:
        """Returns the issues of a request line.

        Args:
            field: As the log has it.
            target: What it asks for; None when it is no request line.
        """
        data = decoded(unescape(field) if target is None else target)
        issues = self._length(field) + _control(data)
        if self._looks_for_probes:
            issues += _probes(data)
        return self._reported(issues) if issues else issues

    def text(self, field: str | None) -> Issues:
        """Returns the issues of a referrer or a user agent, given as the log has it."""
        if field is None:
            return ()
        issues = self._length(field)
        if "\\" in field or not field.isprintable():
            issues += _control(unescape(field).encode())
        if "{" in field and _SHELL_IN_TEXT.search(decoded(field)):
            issues += (PROBE_SHELL,)
        return self._reported(issues) if issues else issues

    def largest_body(self, status: str) -> int:
        """Returns the bytes that a response of this status may have at most."""
        if status[0] == "1" or status in _WITHOUT_BODY:
            return min(MAX_HEADER_BYTES, self.max_bytes)
        return self.max_bytes

    def largest_answer(self, method: str | None) -> int:
        """Returns the bytes that the answer to a request of this method may have at most."""
        return min(MAX_HEADER_BYTES, self.max_bytes) if method == "HEAD" else self.max_bytes

    def late_issues(self, event_time_ms: int, size: int | None, largest: int) -> Issues:
        """Returns the issues of what differs from line to line.

        Args:
            event_time_ms: When it happened, in milliseconds since 1970-01-01 UTC.
            size: Bytes of the response.
            largest: Bytes that it may have at most.
        """
        issues: Issues = ()
        if event_time_ms < self.earliest_ms:
            issues = (TIMESTAMP_ANCIENT,)
        if size is not None and size > largest:
            issues += (SIZE_IMPOSSIBLE if size > self.max_bytes else UNEXPECTED_BODY,)
        return self._reported(issues)

    def counted(self, size: int | None) -> int | None:
        """Returns the bytes that enter sums: a few impossible sizes would take one past 63 bits."""
        return None if size is None or size > self.max_bytes else size

    def _length(self, field: str) -> Issues:
        return (FIELD_TOO_LONG,) if len(field) > self._max_length else ()

    def _reported(self, issues: Issues) -> Issues:
        return tuple(code for code in issues if code not in self._ignored)


def _control(data: bytes) -> Issues:
    return (CONTROL_CHARACTERS,) if data.translate(None, _PRINTABLE) else ()


# --- probes ------------------------------------------------------------------------------------

# A blank, also as a form encodes it or as a comment of SQL.
_GAP = r"(?:[\s+]|/\*[^*]*+\*/)"

_PATH_TRAVERSAL = re.compile(
    # Overlong UTF-8 forms of "/" and "\" are as old as the attack.
    rb"""(?<![^/\\=?&:;,\s"'(])\.\.(?:[/\\]|\xc0\xaf|\xc1\x9c)
    |/etc/(?:passwd|shadow|group|hosts)(?![a-z])
    |/proc/self/|(?:boot|win)\.ini(?![a-z])|/windows/system32/""",
    re.VERBOSE,
)
_SQL_INJECTION = re.compile(
    rf"""(?<![a-z])union{_GAP}++(?:all{_GAP}++|distinct{_GAP}++)?\(?select(?![a-z])
    |['"\d)]{_GAP}*+(?:or|and|xor){_GAP}++['"(]?\w{{1,20}}['"]?{_GAP}*+(?:=|<|>|like(?![a-z]))
    |(?<![a-z])(?:sleep|pg_sleep|benchmark|load_file|extractvalue|updatexml){_GAP}*+\({_GAP}*+['"\d]
    |(?<![a-z])waitfor{_GAP}++delay(?![a-z])
    |information_schema|xp_cmdshell
    |(?<![a-z])into{_GAP}++(?:out|dump)file(?![a-z])
    |;{_GAP}*+(?:drop|alter|truncate){_GAP}++(?:table|database)(?![a-z])
    |;{_GAP}*+(?:insert{_GAP}++into|delete{_GAP}++from)(?![a-z])
    |'{_GAP}*+(?:--|\#|/\*)""".encode(),
    re.VERBOSE,
)
_COMMANDS = r"""
    bash|busybox|cat|chmod|curl|dir|echo|id|ifconfig|ls|nc|netcat|nslookup|perl|php|ping|powershell
    |python3?|rm|sh|sleep|telnet|tftp|type|uname|wget|whoami
"""
_SHELL_IN_TEXT = re.compile(rb"\(\)\s*+\{|\$\{(?:jndi:|[^}]{0,40}?(?:lower|upper|env|sys|date|:-))")
_SHELL = re.compile(
    rf"""(?:[;|`]|&&|\$\()[\s+]*+(?:{_COMMANDS})(?=[\s+;|`)&<>]|\Z)
    |/bin/(?:ba|da|z|c|k)?sh(?![a-z])|/dev/tcp/|(?<![a-z])cmd\.exe(?![a-z])
    |(?<![a-z])(?:wget|curl)[\s+]++(?:-[a-z-]{{1,20}}[\s+]++)?https?://
    |(?<![a-z])powershell(?:\.exe)?[\s+]++-
    |{_SHELL_IN_TEXT.pattern.decode()}""".encode(),
    re.VERBOSE,
)
_XSS = re.compile(
    rb"""<[\s/]*+(?:script|iframe|svg|object|embed)(?![a-z])
    |<[a-z][^<>]{0,200}?[\s/"'+]on[a-z]{3,20}\s*+=
    |(?:\A|[=:"'(\s,>])(?:java|vb)script:""",
    re.VERBOSE,
)
_PROBES = (
    (PROBE_PATH_TRAVERSAL, _PATH_TRAVERSAL),
    (PROBE_SQL_INJECTION, _SQL_INJECTION),
    (PROBE_SHELL, _SHELL),
    (PROBE_XSS, _XSS),
)
# Words of patterns with a gap in them; searches are full of blanks.
_WORDS_WITH_GAPS = ("or+", "and+", "union+", "waitfor+", "into+", "wget+", "curl+", "powershell")
# Characters of an ordinary target.
_ORDINARY = b"abcdefghijklmnopqrstuvwxyz0123456789/-_.~%&=?:,@!+"


def _probes(data: bytes) -> Issues:
    # A text of ordinary characters without any of these words can match no pattern. The words are
    # written out, and looked for in text: "in" is slow over bytes, and patterns are slower (hot
    # path).
    text = data.decode("latin-1")
    if not data.translate(None, _ORDINARY) and not (
        ".." in text
        or "&&" in text
        or "/etc/" in text
        or "/proc/" in text
        or "/bin/" in text
        or "/dev/tcp" in text
        or ".ini" in text
        or ".exe" in text
        or "system32" in text
        or "script:" in text
        or "xp_cmdshell" in text
        or "information_schema" in text
        or ("+" in text and any(word in text for word in _WORDS_WITH_GAPS))
    ):
        return ()
    return tuple(_matching(data))


def _matching(data: bytes) -> Iterator[str]:
    for code, pattern in _PROBES:
        if pattern.search(data):
            yield code
