"""From the bytes of one input record to the outcomes of its lines.

A record is unwrapped into events. An event goes through named steps: decode, parse, client, time,
parts, filters, checks, privacy, encode. Each step either passes it on or ends it with a dead letter
or a filtered outcome. Which steps are taken
is a setting: all of them, or the first half (basic), or the second (advanced).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal, Self

import orjson

from udfs.check.filters import FilterRule
from udfs.config.core import CoreSettings, GeoIpSettings
from udfs.config.location import Location
from udfs.config.root import ROOT
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.geo_check import SOME_RECORDS
from udfs.enrich.geo_schema import ASN, CITY, AutonomousSystem, Contents, GeoLocation
from udfs.enrich.geo_source import GeoDatabaseFile, ObjectStore
from udfs.errors import DatabaseError, RecordError, ValidationError
from udfs.letters.dead_letter import DeadLetter
from udfs.letters.privacy import LetterPrivacy
from udfs.letters.replay import PREFIX as REPLAY_PREFIX
from udfs.letters.replay import read_envelope
from udfs.outcomes import DeadLettered, Enriched, Filtered, Origin, Outcome
from udfs.parse.access_log import LogLine
from udfs.parse.client import is_shifted
from udfs.parse.reader import NOT_OF_THE_FORMAT, LineReader
from udfs.parse.timestamps import EventTime, iso_utc, read_any_timestamp
from udfs.parse.unwrap import (
    FIRST_BYTES,
    MAX_EVENTS,
    MAX_UNPACKED_BYTES,
    Content,
    Event,
    Failed,
    Fields,
    Skipped,
    too_many_lines,
    unwrap,
)
from udfs.privacy.identities import mentions, without_identities
from udfs.privacy.rules import Privacy
from udfs.record.basic import encode_basic, read_basic
from udfs.record.encode import AgentPart, ReferrerPart, RequestPart, encode
from udfs.record.parts import CacheUse, PartMaker

type Clock = Callable[[], float]
"""Seconds since 1970-01-01 UTC."""

type GeoKind = Literal["city", "asn"]

# Parts of longer lines are not kept, or a few thousand hostile lines would fill the memory.
_LINE_BREAK = ord("\n")
_MAX_KEPT_LINE = 1024

# A basic record shows the request twice, and JSON may write a byte with six characters.
_BASIC_RECORD_GROWTH = 16
_BASIC_RECORD_FRAME = 4096

# Every place that records go to takes so much: Kinesis 1 MiB with its key, Firehose 1000 KiB. A
# larger one is refused with its whole batch, after every restart again. A byte of a long line
# may come out as 18: six characters in request, path and page each.
MAX_RECORD_BYTES = 1_000_000
"""Longer records become dead letters (`record_too_large`)."""

# To mask 16 MiB that a small gzip record unpacks to can take 10 s and 0.7 GB.
_MAX_MASKED_BYTES = 1024 * 1024

# Reasons of outcomes for lines that are no events, by the problem that their reader has.
_NO_LINES = {"empty_line": "blank_line", "comment_line": "comment_line"}

EXHAUSTED = "attempts_exhausted"
"""Reason of a dead letter that must not come back."""


class Enricher:
    """Turns records into outcomes. It holds caches, so a worker keeps one.

    Attributes:
        geo: The open database of locations, None when none is configured or needed.
        asn: The open database of autonomous systems, likewise.
    """

    def __init__(
        self,
        settings: CoreSettings,
        geo: GeoDatabase[GeoLocation] | None,
        clock: Clock,
        salt: bytes | None = None,
        *,
        asn: GeoDatabase[AutonomousSystem] | None = None,
        client_address: bool = False,
        max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    ) -> None:
        self.geo, self.asn = geo, asn
        self._geo_file: GeoDatabaseFile[GeoLocation] | None = None
        self._asn_file: GeoDatabaseFile[AutonomousSystem] | None = None
        self._clock = clock
        self._reads_basic = settings.pipeline.stage == "advanced"
        self._writes_basic = settings.pipeline.stage == "basic"
        self._tolerance_ms = settings.time.future_tolerance.total_seconds() * 1000
        self._max_line_bytes = _longest_line(settings)
        self._max_attempts = settings.dead_letters.max_attempts
        self._max_letter_bytes = settings.dead_letters.max_bytes
        self._unwraps = settings.source.envelope == "auto"
        self._reader = reader = LineReader(
            settings.parser.log_format(),
            # The basic stage has settled who the client is.
            None if self._reads_basic else settings.client.trust(),
            takes_prefixes=settings.parser.prefix == "auto",
            undoes_escapes=self._unwraps,
        )
        self._parse = reader.parse
        self._read_time = read_any_timestamp if self._reads_basic else reader.read_time
        self._resolves = not reader.is_plain
        self._max_unpacked_bytes = max_unpacked_bytes
        # Basic records are objects themselves.
        marks = FIRST_BYTES - {b"{"} if self._reads_basic else FIRST_BYTES
        self._marks = marks if self._unwraps else frozenset[bytes]()
        self._privacy = privacy = Privacy(settings.privacy, settings.dead_letters, salt)
        self._parts = PartMaker(settings, geo, asn, privacy)
        self._no_line_members = self._parts.no_line_members
        self._letters = LetterPrivacy(privacy, None if self._reads_basic else self._parse)
        self._event_key = privacy.event_key
        self._filters = self._parts.filters.active and not self._reads_basic
        # The advanced stage takes over what the basic one found.
        self._earliest_ms = -(2**63) if self._reads_basic else self._parts.checks.earliest_ms
        self._rejected = frozenset(settings.validation.reject)
        # The basic stage leaves the client to the advanced one, which never sees a user.
        self._hides_client = privacy.hides_client and not self._writes_basic
        hides_user = privacy.hides_user and not self._reads_basic
        self._hides_identities = hides_user or self._hides_client
        self._gives_address = client_address

    @classmethod
    def create(
        cls,
        settings: CoreSettings,
        clock: Clock = time.time,
        salt: bytes | None = None,
        *,
        store: ObjectStore | None = None,
        trusts_own_files: bool = False,
        client_address: bool = False,
        max_unpacked_bytes: int = MAX_UNPACKED_BYTES,
    ) -> Self:
        """Makes an enricher, opening what the settings name.

        Args:
            settings: What to do.
            clock: Tells the time.
            salt: Secret for hashes and event ids; needed if the privacy settings hide anything.
            store: Reads GeoIP databases in S3; needed if the settings name one.
            trusts_own_files: A GeoIP database in the folder of the code is taken for sound; any
                other one is read first.
            client_address: Outcomes carry the client's address and their line, for look-ups.
            max_unpacked_bytes: Bytes that a wrapped record may unpack to.

        Raises:
            ConfigurationError: A GeoIP database cannot be used, or the salt is missing.
        """
        geo = geo_file = asn = asn_file = None
        if settings.pipeline.stage != "basic":
            city_path, asn_path = settings.geoip.database_path, settings.geoip.asn_database_path
            if city_path is not None:
                geo, geo_file = _opened("database.path", city_path, CITY, store, trusts_own_files)
            if asn_path is not None:
                asn, asn_file = _opened("asn.database.path", asn_path, ASN, store, trusts_own_files)
        enricher = cls(
            settings,
            geo,
            clock,
            salt,
            asn=asn,
            client_address=client_address,
            max_unpacked_bytes=max_unpacked_bytes,
        )
        enricher._geo_file, enricher._asn_file = geo_file, asn_file
        return enricher

    @property
    def geo_kinds(self) -> tuple[GeoKind, ...]:
        """Returns the GeoIP databases that there are."""
        opened: dict[GeoKind, object] = {"city": self.geo, "asn": self.asn}
        return tuple(kind for kind, database in opened.items() if database is not None)

    def reload_geo(self, kind: GeoKind = "city") -> bool:
        """Takes a new GeoIP database, if one has taken the old one's place.

        Called between two records: each record's lines see one database.

        Args:
            kind: Which of the two.

        Returns:
            Whether there was one.

        Raises:
            DatabaseError: There was, and it cannot be used; the old one stays in use.
        """
        before: GeoDatabase[GeoLocation] | GeoDatabase[AutonomousSystem] | None
        if kind == "city":
            geo = None if self._geo_file is None else self._geo_file.replaced()
            if geo is None:
                return False
            before, self.geo = self.geo, geo
        else:
            asn = None if self._asn_file is None else self._asn_file.replaced()
            if asn is None:
                return False
            before, self.asn = self.asn, asn
        self._parts.take_geo(self.geo, self.asn)
        if before is not None:
            before.close()
        return True

    def process(self, data: bytes) -> list[Outcome]:
        r"""Returns the outcomes of a record's events, one each and in order.

        A record is lines, or what a producer has wrapped around lines (`udfs.parse.unwrap`).
        One line break at the end is allowed; lines may end with `\r\n`. A line may be a dead
        letter that comes back in an envelope (`udfs.letters.replay`).

        Raises:
            DatabaseError: The GeoIP database is corrupt. No data makes it raise anything else.
        """
        now_ms = self._clock() * 1000
        if data[:1] in self._marks:
            return list(self._unwrapped(data, now_ms, 1))
        body = data.removesuffix(b"\n")
        # Usual records are too short to be worth counting.
        if len(body) >= MAX_EVENTS and body.count(b"\n") >= MAX_EVENTS:
            return [self._dead_letter(too_many_lines(), data, None, now_ms, 1)]
        try:
            # The usual record by itself (hot path). A byte is found without an attempt to take
            # bytes for one.
            if _LINE_BREAK not in body:
                return [self._outcome(body, 0, now_ms)]
            return [
                self._outcome(line, index, now_ms) for index, line in enumerate(body.split(b"\n"))
            ]
        except _WrappedLineError:
            return list(self._unwrapped(data, now_ms, 1))

    def process_lazily(self, data: bytes) -> Iterator[Outcome]:
        """Gives what `process` returns, each outcome made when it is asked for.

        For callers that may not want all outcomes, or cannot hold them at once: the outcomes of a
        small compressed record can have a hundred megabytes.
        """
        if data[:1] in self._marks:
            return self._unwrapped(data, self._clock() * 1000, 1)
        return iter(self.process(data))

    def refuse(self, data: bytes, problem: ValidationError) -> DeadLettered:
        """Returns the dead letter of a record that could not be read.

        Args:
            data: Its bytes.
            problem: Why.
        """
        return self._sealed_letter(problem, data, self._clock() * 1000, 1)

    def _unwrapped(self, data: bytes, now_ms: float, attempt: int) -> Iterator[Outcome]:
        """Yields the outcomes of a record that is wrapped, or has a wrapped line."""
        contents: list[Content]
        if self._unwraps:
            contents = unwrap(data, self._max_unpacked_bytes, objects=not self._reads_basic)
        else:
            contents = [Event(line) for line in lines_of(data)]
        index = 0
        for content in contents:
            for outcome in self._outcomes_of(content, index, now_ms, attempt):
                yield outcome
                index += 1

    def _outcomes_of(
        self, content: Content, index: int, now_ms: float, attempt: int
    ) -> Iterable[Outcome]:
        match content:
            case Skipped(raw, reason):
                return [_filtered(reason, None, event_id(raw, index, self._event_key))]
            case Failed(raw, problem):
                return [self._sealed_letter(problem, raw, now_ms, attempt)]
            case Event(raw) if attempt == 1 and raw.startswith(REPLAY_PREFIX):
                return self._replayed(raw, now_ms)
            case Event(raw, fields):
                return [self._outcome(raw, index, now_ms, attempt, fields, unwrapped=True)]

    def give_up(self, outcome: Enriched, problem: RecordError) -> DeadLettered:
        """Returns the dead letter of a record that failed after `process`.

        Args:
            outcome: The record, with its origin.
            problem: What went wrong.
        """
        assert outcome.origin is not None, "made without client_address"  # noqa: S101
        _, raw, attempt = outcome.origin
        return self._dead_letter(problem, raw, outcome.event_time_ms, self._clock() * 1000, attempt)

    def cache_use(self) -> dict[str, CacheUse]:
        """Returns how well each cache does, by its name."""
        return self._parts.cache_use()

    def _outcome(  # noqa: C901, PLR0917 - fewer calls for every line (hot path)
        self,
        raw: bytes,
        index: int,
        now_ms: float,
        attempt: int = 1,
        fields: Fields | None = None,
        unwrapped: bool = False,
    ) -> Outcome:
        raw = raw.removesuffix(b"\r")
        event_time_ms: int | None = None
        try:
            # Here, not in a function (hot path).
            if len(raw) > self._max_line_bytes:
                raise _too_long()  # noqa: TRY301
            text = raw.decode()
            if self._reads_basic:
                line, issues, identifier = self._read_basic(text)
            else:
                line = self._parse(text) if fields is None else self._reader.line_of(fields)
                issues, identifier = (), event_id(raw, index, self._event_key)
            if ":" in line[1] or self._resolves:
                line = self._reader.with_client(line)
            when = self._read_time(line.timestamp)
            event_time_ms = when.ms
            if event_time_ms > now_ms + self._tolerance_ms:
                raise _in_future()  # noqa: TRY301 - a call less for every line
            return self._enrich(line, when, issues, identifier, raw, attempt)
        except (ValidationError, UnicodeDecodeError) as error:
            if not unwrapped and raw.startswith(b"{"):
                raise _WrappedLineError from None
            problem = error if isinstance(error, ValidationError) else _not_utf8()
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one line, not the stream
            problem = ValidationError("enrich", "internal_error", type(error).__name__)
        reason = "blank_line" if not raw or raw.isspace() else _NO_LINES.get(problem.reason)
        if reason is not None:
            return _filtered(reason, None, event_id(raw, index, self._event_key))
        if problem.reason in NOT_OF_THE_FORMAT and fields is None and not self._reads_basic:
            return self._second_reading(problem, raw, index, now_ms, attempt)
        return self._dead_letter(problem, raw, event_time_ms, now_ms, attempt)

    def _second_reading(
        self, problem: ValidationError, raw: bytes, index: int, now_ms: float, attempt: int
    ) -> Outcome:
        """Returns the outcome of a line without what a shipper put around it."""
        event_time_ms = None
        identifier = event_id(raw, index, self._event_key)
        for line in self._reader.lines_inside(raw.decode(errors="replace")):
            try:
                when = self._read_time(line.timestamp)
                event_time_ms = when.ms
                if event_time_ms > now_ms + self._tolerance_ms:
                    raise _in_future()
                return self._enrich(line, when, (), identifier, raw, attempt)
            except ValidationError as error:
                if error.reason not in NOT_OF_THE_FORMAT:
                    # The line inside is of the format: this is what is wrong with it.
                    problem = error
                    break
        return self._dead_letter(problem, raw, event_time_ms, now_ms, attempt)

    def _read_basic(self, text: str) -> tuple[LogLine, tuple[str, ...], str]:
        record = read_basic(text)
        line = record.line
        if not record.masked and self._privacy.masker is not None:
            # The basic stage ran with other privacy settings.
            line = self._privacy.texts(line)
        return line, record.issues, record.event_id

    def _enrich(  # noqa: PLR0917 - keywords take longer (hot path)
        self,
        line: LogLine,
        when: EventTime,
        carried: tuple[str, ...],
        identifier: str,
        raw: bytes,
        attempt: int,
    ) -> Enriched | Filtered:
        # At once: asking the line for one field after the other takes longer (hot path).
        (
            vhost, host, ident, user, timestamp, request_line, code, size_text, referer, user_agent,
            _, proxy, request_time_ms, extra,
        ) = line  # fmt: skip
        if user != ident and is_shifted(ident, user):
            # In most lines both are "-".
            raise _shifted()

        # --- parts
        length = len(raw)
        makers = self._parts.kept if length <= _MAX_KEPT_LINE else self._parts.fresh
        client = makers.client(host)
        request = makers.request(request_line)
        referrer = makers.referrer(referer)
        agent = makers.agent(user_agent)
        status = self._parts.status(code)

        # --- filters
        if self._filters:
            rule = min(request.rule, status.rule, agent.rule)
            if rule is not FilterRule.KEEP:
                return _filtered(rule.reason, when, identifier)

        # --- checks
        size = counted = None if size_text == "-" else int(size_text)
        issues = client.issues + request.issues + referrer.issues + agent.issues + carried
        if when.ms < self._earliest_ms or (
            size is not None and (size > status.largest_body or size > request.largest_answer)
        ):
            largest = min(status.largest_body, request.largest_answer)
            issues += self._parts.checks.late_issues(when.ms, size, largest)
            counted = self._parts.checks.counted(size)
        if issues:
            issues = self._accepted(issues)

        # --- privacy
        if vhost or proxy or extra or request_time_ms is not None:
            more = self._parts.line_members(line)
        else:
            more = self._no_line_members
        if self._hides_identities:
            request, referrer, agent, more = self._without_identities(
                line, request, referrer, agent, more
            )

        # --- encode
        if self._writes_basic:
            json = encode_basic(
                client, timestamp, when.iso, request, status, size_text, referrer,
                agent.json_agent, more, issues, self._privacy.masker is not None, identifier,
            )  # fmt: skip
        else:
            json = encode(
                client, timestamp, when.iso, request, status, size_text, size, referrer,
                agent, more, issues, identifier,
            )  # fmt: skip
        if length > _MAX_KEPT_LINE and len(json.encode()) > MAX_RECORD_BYTES:
            raise ValidationError("sink", "record_too_large", "no sink takes such a record")
        origin = Origin(host, raw, attempt) if self._gives_address else None
        # The fields as a tuple: Enriched's own constructor takes longer (hot path).
        fields = (
            when.ms, client, request, status.status, counted, request_time_ms, referrer, agent,
            issues, origin, json,
        )  # fmt: skip
        return _new_tuple(Enriched, fields)

    def _accepted(self, issues: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the issues, each once, if the settings do not reject a record for one of them."""
        for code in issues:
            if code in self._rejected:
                raise ValidationError("validate", code, "the settings reject lines with this issue")
        return tuple(dict.fromkeys(issues))

    def _without_identities(
        self,
        line: LogLine,
        request: RequestPart,
        referrer: ReferrerPart,
        agent: AgentPart,
        more: str,
    ) -> tuple[RequestPart, ReferrerPart, AgentPart, str]:
        """Returns the parts without repetitions of the user and of the client's addresses."""
        identities = self._privacy.identities(line, with_client=self._hides_client)
        if not identities:
            return request, referrer, agent, more
        parts = self._parts
        if line.vhost is not None or line.extra is not None:
            more = parts.line_members(line, identities)
        texts = (request.searchable, referrer.searchable, agent.searchable)
        if not any(mentions(texts, identity) for identity in identities):
            return request, referrer, agent, more

        def hidden(text: str | None) -> str | None:
            return None if text is None else without_identities(text, identities)

        request_line = self._privacy.request_without_identities(request.field, identities)
        return (
            parts.shown_request(request_line, request.rule, request.issues),
            parts.shown_referrer(hidden(referrer.field), referrer.issues),
            parts.shown_agent(hidden(agent.field), agent.rule, agent.issues),
            more,
        )

    def _replayed(self, raw: bytes, now_ms: float) -> Iterable[Outcome]:
        try:
            data, attempt = read_envelope(raw)
        except ValidationError as error:
            return [self._sealed_letter(error, raw, now_ms, 1)]
        if attempt > self._max_attempts:
            problem = ValidationError("decode", EXHAUSTED, "more attempts than max.attempts allows")
            if data[:1] in FIRST_BYTES:
                return [self._sealed_letter(problem, data, now_ms, attempt)]
            return [self._dead_letter(problem, data, None, now_ms, attempt)]
        return self._unwrapped(data, now_ms, attempt)

    def _sealed_letter(
        self, problem: RecordError, raw: bytes, now_ms: float, attempt: int
    ) -> DeadLettered:
        """Returns the dead letter of data whose inside nobody can mask: packed, or in base64."""
        masked = self._letters.form != "raw"
        return self._dead_letter(problem, raw, None, now_ms, attempt, omitted=masked)

    def _dead_letter(
        self,
        problem: RecordError,
        raw: bytes,
        event_time_ms: int | None,
        now_ms: float,
        attempt: int,
        *,
        omitted: bool = False,
    ) -> DeadLettered:
        stage, reason, message = problem.stage, problem.reason, problem.message
        if attempt >= self._max_attempts and reason != EXHAUSTED:
            reason, message = EXHAUSTED, f"attempt {attempt} was the last one: {reason}"
        form = self._letters.form
        if omitted or (form == "masked" and len(raw) > _MAX_MASKED_BYTES):
            form = "omitted"
        letter = DeadLetter(
            stage,
            reason,
            message,
            None if form == "omitted" else self._letters.shown(raw),
            event_time_ms,
            attempt,
            None if form == "raw" else form,
        )
        return DeadLettered(letter, letter.to_json(iso_utc(int(now_ms)), self._max_letter_bytes))


def _opened[T](
    key: str, location: Location, contents: Contents[T], store: ObjectStore | None, trusts: bool
) -> tuple[GeoDatabase[T], GeoDatabaseFile[T]]:
    """Opens the GeoIP database that a setting names.

    Raises:
        ConfigurationError: It cannot be used.
    """
    is_own = isinstance(location, Path) and not location.is_absolute()
    at = ROOT / location if isinstance(location, Path) else location
    records = 0 if trusts and is_own else SOME_RECORDS
    try:
        file = GeoDatabaseFile(at, contents, store, records=records)
        return file.open(), file
    except DatabaseError as error:
        kind = contents.with_article.rpartition(" ")[2]
        expected = f"a readable MaxMind DB file of {kind} type ({error.problem})"
        raise GeoIpSettings.error(key, str(location), expected) from error


def _longest_line(settings: CoreSettings) -> int:
    longest = settings.parser.max_line_bytes
    if settings.pipeline.stage != "advanced":
        return longest
    return _BASIC_RECORD_GROWTH * longest + _BASIC_RECORD_FRAME


def lines_of(data: bytes) -> list[bytes]:
    """Returns the lines of a record as `Enricher.process` takes them, without their line breaks."""
    return [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")]


def _too_long() -> ValidationError:
    return ValidationError("parse", "line_too_long", "the line exceeds max.line.bytes")


def _not_utf8() -> ValidationError:
    return ValidationError("decode", "invalid_utf8", "the line is not UTF-8")


def event_id(raw: bytes, index: int, key: bytes = b"") -> str:
    """Returns the id of a line: 128 bits of BLAKE2b over its bytes and its index, in hex.

    Args:
        raw: The line.
        index: Its position in the record, from 0.
        key: Secret without which nobody can try which line gives the id; none: a plain hash.
    """
    if index == 0 and not key:
        # The usual case: to copy a hash takes half as long as to make one (hot path).
        first = _FIRST_LINE.copy()
        first.update(raw)
        return first.hexdigest()
    return blake2b(raw, digest_size=16, key=key, person=index.to_bytes(16)).hexdigest()


_new_tuple = tuple.__new__
_FIRST_LINE = blake2b(digest_size=16, person=bytes(16))


class _WrappedLineError(Exception):
    """A line among others begins like a JSON object: the record is read again, as a wrapped one."""


def _shifted() -> ValidationError:
    return ValidationError(
        "parse", "shifted_fields", "the line begins with something in front of its client"
    )


def _in_future() -> ValidationError:
    return ValidationError("validate", "timestamp_in_future", "the event time lies too far ahead")


def _filtered(reason: str, when: EventTime | None, identifier: str) -> Filtered:
    body = {
        "reason": reason,
        "event_time": None if when is None else when.iso,
        "event_id": identifier,
    }
    return Filtered(None if when is None else when.ms, reason, orjson.dumps(body).decode())
