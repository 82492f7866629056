"""The text of a failed line that its dead letter shows.

A line that can be split into its fields is masked field by field, as its record would be. Of any
other text only what stands after the last timestamp is kept, masked by pattern: nobody can tell
which of the words before it is the user. A text without a timestamp is replaced as a whole, and so
is a broken JSON object. Where referrers or user agents are hidden, only the request is kept, with
the numbers behind it: nobody can tell what else is quoted there.
"""

from __future__ import annotations

import re

from udfs.errors import ValidationError
from udfs.parse.access_log import LineParser, LogLine, unescape
from udfs.privacy.identities import (
    MAX_NAME_WORDS,
    name_identity,
    trimmed,
    without_addresses,
    without_identities,
    without_identity,
)
from udfs.privacy.rules import LetterForm, Privacy, logged
from udfs.privacy.text import MASK
from udfs.record.basic import read_basic, rewrite_basic

_TIMESTAMP = re.compile(r"\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(?::[0-9]{2}){3} [+-][0-9]{4}\]")
# The start of another line that was glued to this one: an address and at least two words.
_GLUED_LINE = re.compile(
    r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3} \S++ \S"
    r"|(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f:.]*+ \S++ \S"
)
_OBJECT = re.compile(r'\{\s*+\\*+"')
_WORD = re.compile(r'[^\s"\[\]\\\ufffd]+')
_QUOTE = re.compile(r'(?<!\\)"')
# Not all servers escape a quotation mark, so the last field of another line may seem to end in
# the middle of a name.
_LEAST_NAMES = 4
# Behind a timestamp, if nothing is damaged, stand the request, the status and the size.
_REQUEST = re.compile(r' ?"(?:[^"\\]|\\.)*+(?:"(?: (?:[0-9]++|-)(?= |\Z)){0,2})?', re.DOTALL)


class LetterPrivacy:
    """Turns the bytes of a failed line into what its dead letter may hold.

    Attributes:
        form: `raw`, `masked` or `omitted`.
    """

    def __init__(self, privacy: Privacy, parse: LineParser | None) -> None:
        """Chooses how lines are read.

        Args:
            privacy: What is hidden.
            parse: Splits a log line; None where lines are basic records.
        """
        self.form: LetterForm = privacy.rules.dead_letters
        self._privacy = privacy
        self._parse = parse

    def shown(self, raw: bytes) -> bytes | None:
        """Returns the bytes a dead letter holds; None when they are omitted."""
        match self.form:
            case "raw":
                return raw
            case "omitted":
                return None
            case "masked":
                return self._masked(raw).encode()

    def _masked(self, raw: bytes) -> str:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            # Stray bytes may belong to any field, even to the address.
            return self._masked_by_pattern(raw.decode("utf-8", "replace"))
        try:
            if self._parse is None:
                return self._masked_basic_record(text)
            line = self._parse(text)
            names = f"{line.ident} {line.user}"
            if self._privacy.hides_client and without_addresses(names) != names:
                # Something stands in front of the client, such as a shipper's prefix.
                return self._masked_by_pattern(text)
            return _joined(self._masked_line(line))
        except ValidationError:
            return self._masked_by_pattern(text)

    def _masked_line(self, line: LogLine) -> LogLine:
        privacy, identities = self._privacy, self._privacy.identities(line)

        def hidden(text: str) -> str:
            return without_identities(text, identities)

        masked = privacy.texts(line)
        vhost, proxy, extra = masked.vhost, masked.proxy, masked.extra
        referer, agent, forwarded = masked.referer, masked.agent, masked.forwarded_for
        if forwarded is not None and privacy.hides_client and forwarded != "-":
            forwarded = MASK
        timestamp = line.timestamp
        if _TIMESTAMP.fullmatch(f"[{timestamp}]") is None:
            timestamp = hidden(self._without_patterns(timestamp))
        if extra is not None:
            extra = {
                name: None if value is None else hidden(value) for name, value in extra.items()
            }
        return masked._replace(
            vhost=None if vhost is None else hidden(vhost),
            host=logged(privacy.shown_client(line.host)),
            ident=logged(privacy.shown_user(line.ident)),
            user=logged(privacy.shown_user(line.user)),
            timestamp=timestamp,
            request=privacy.request_without_identities(masked.request, identities),
            referer=None if referer is None else logged(privacy.shown_referer(hidden(referer))),
            agent=None if agent is None else logged(privacy.shown_agent(hidden(agent))),
            forwarded_for=forwarded,
            proxy=None if proxy is None else privacy.shown_client(proxy),
            extra=extra,
        )

    def _masked_basic_record(self, text: str) -> str:
        """Returns a basic record that failed later on, with the members that hold data masked."""
        record = read_basic(text)
        return rewrite_basic(record._replace(line=self._masked_line(record.line)))

    def _masked_by_pattern(self, text: str) -> str:
        privacy = self._privacy
        hides_identities = privacy.hides_user or privacy.hides_client
        if not (hides_identities or privacy.hides_quoted):
            return privacy.text(text, is_cut=True)
        last = None
        for match in _TIMESTAMP.finditer(text):
            last = match
        if last is None or _OBJECT.search(text, 0, last.start()) is not None:
            # The members of an object come in any order: the user may stand behind the time.
            return MASK
        rest = text[last.end() :]
        if privacy.hides_quoted:
            rest = _without_quoted(rest)
        glued = _GLUED_LINE.search(rest)
        if glued is None:
            rest = self._without_patterns(rest)
        else:
            rest = self._without_patterns(rest[: glued.start()]) + MASK
        # Whatever stood in front of the timestamp may be repeated behind it.
        identity = name_identity(_names(text[: last.start()])) if hides_identities else None
        if identity is not None:
            rest = without_identity(rest, identity)
        return f"{MASK} {last[0]}{rest}"

    def _without_patterns(self, text: str) -> str:
        text = self._privacy.text(text, is_cut=True)
        return without_addresses(text) if self._privacy.hides_client else text


def _names(text: str) -> str:
    """Returns the words in front of a timestamp that may be the client and the user."""
    words = _WORD.findall(unescape(text))
    own = _WORD.findall(unescape(_QUOTE.split(text)[-1]))
    count = min(max(len(own), _LEAST_NAMES), MAX_NAME_WORDS)
    return " ".join(map(trimmed, words[-count:]))


def _without_quoted(rest: str) -> str:
    """Returns the request, status and size behind a timestamp, and nothing behind these."""
    match = _REQUEST.match(rest)
    kept = "" if match is None else match[0]
    return rest if kept == rest else f"{kept} {MASK}"


def _joined(line: LogLine) -> str:
    """Returns a line of the format it was read in."""
    start = "" if line.vhost is None else f"{line.vhost} "
    text = (
        f"{start}{line.host} {line.ident} {line.user} [{line.timestamp}] "
        f'"{line.request}" {line.status} {line.size}'
    )
    quoted = (line.referer, line.agent, line.forwarded_for)
    return text + "".join(f' "{field}"' for field in quoted if field is not None)
