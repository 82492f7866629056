"""Lines, enrichers and checks that the tests of the core share."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass

from udfs.config.core import CoreSettings
from udfs.config.properties import Properties
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.flink.wire import FIELDS
from udfs.outcomes import DeadLettered, Enriched, Filtered

DATA = ROOT / "tests" / "data"
CITY_DATABASE = DATA / "GeoIP2-City-Test.mmdb"
SAMPLE = ROOT / "examples" / "access_log.gz"
DEMO_DATABASE = ROOT / "examples" / "demo-city.mmdb"


def sample_lines() -> list[bytes]:
    """The lines of the bundled access log."""
    return gzip.decompress(SAMPLE.read_bytes()).splitlines()


NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z, the clock of the tests."""

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


SALT = b"sixteen bytes or more"

KPL_MAGIC = b"\xf3\x89\x9a\xc2"
"""A record that begins so is one dead letter as a whole. Hypothesis finds the bytes in the code."""

LOG_HEAD = [
    "timestamp",
    "level",
    "request_id",
    "event_type",
    "duration_ms",
    "records_processed",
    "records_failed",
]
"""The fields that every structured log line begins with."""


def enricher(properties: Properties | None = None, salt: bytes | None = SALT) -> Enricher:
    """Returns an enricher whose clock stands at `NOW`."""
    return Enricher.create(CoreSettings.load(properties or {}), clock=lambda: NOW, salt=salt)


def geo_enricher() -> Enricher:
    """Returns such an enricher with MaxMind's test database."""
    return enricher({"weblog.geoip": {"database.path": str(CITY_DATABASE)}})


def combined(
    *,
    host: str = "81.2.69.142",
    user: str = "-",
    timestamp: str = "28/Oct/2025:10:15:30 +0000",
    request: str = "GET /product.php HTTP/1.1",
    status: str = "200",
    size: str = "1234",
    referer: str = "http://example.com/search.php",
    agent: str = FIREFOX,
) -> str:
    """Returns a line in Combined format, with the fields as they are."""
    return f'{host} - {user} [{timestamp}] "{request}" {status} {size} "{referer}" "{agent}"'


def enriched(using: Enricher, line: str | bytes) -> Enriched:
    """Returns the only outcome of a line, which must be enriched."""
    (outcome,) = using.process(line.encode() if isinstance(line, str) else line)
    assert isinstance(outcome, Enriched), outcome
    return outcome


def dead(using: Enricher, line: str | bytes) -> DeadLettered:
    """Returns the only outcome of a line, which must be a dead letter."""
    (outcome,) = using.process(line.encode() if isinstance(line, str) else line)
    assert isinstance(outcome, DeadLettered), outcome
    return outcome


def filtered(using: Enricher, line: str | bytes) -> Filtered:
    """Returns the only outcome of a line, which must be filtered."""
    (outcome,) = using.process(line.encode() if isinstance(line, str) else line)
    assert isinstance(outcome, Filtered), outcome
    return outcome


@dataclass(slots=True)
class Clock:
    """A clock that stands still until a test moves it."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def unpack(packed: list[bytes]) -> list[dict[str, str | None]]:
    """Returns the events packed for SQL, split as the SQL splits them; `body` is the JSON."""
    keys, *bodies = [one.decode() for one in packed]
    return [
        dict(zip(FIELDS, (value or None for value in event.split("\x1f")), strict=True))
        | {"body": body}
        for event, body in zip(keys.split("\x1e"), bodies, strict=True)
    ]


def grows_linearly[Input](
    work: Callable[[Input], object], make: Callable[[int], Input], size: int
) -> bool:
    """Returns whether four times the input takes far less time than quadratic work (16 times).

    The least time of each size counts. Both sizes are measured in turns until the quotient holds:
    a busy machine slows single rounds, but quadratic work is too slow in all of them.
    """
    small, large = make(size), make(4 * size)
    least_small, least_large = float("inf"), float("inf")
    for turn in range(50):
        least_small = min(least_small, _seconds(work, small))
        least_large = min(least_large, _seconds(work, large))
        # The floor keeps the clock's resolution out of the quotient.
        if turn >= 4 and least_large < 10 * max(least_small, 0.0005):
            return True
    return False


def _seconds[Input](work: Callable[[Input], object], data: Input) -> float:
    """Returns the processor time that the work takes in this thread, in seconds."""
    start = time.thread_time()
    work(data)
    return time.thread_time() - start
