"""Damaged real lines: each has one outcome in every format, and no error."""

from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.core import CITY_DATABASE, KPL_MAGIC, SAMPLE, enricher, unpack
from tests.udfs.check.test_schema import BASIC, ENRICHED, check
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import pack
from udfs.outcomes import DeadLettered, Enriched, Filtered

LINES = gzip.decompress(SAMPLE.read_bytes()).splitlines()[::500]
PIECES = [
    b'"', b"\\", b'\\"', b"\\x", b"\\x1f", b"\x1e", b"\x1f", b"\xff", b"\0", b"\r", b" ", b"-",
    b"[", b"]", b"%", b"%00", b"%2e%2e/", b"::ffff:127.0.0.1", b"fe80::1%eth0",
    b"[31/Feb/2025:25:61:61 +9999]", b"999999999999999999999", b"{",
    "\u202e\u2028\U0001f600".encode(), b'{"schema":"weblog.replay/1"',
]  # fmt: skip
CORES = {
    f"{stage}/{log_format}/{profile}": enricher(
        {
            "weblog.pipeline": {"stage": stage},
            "weblog.parser": {"format": log_format, "max.line.bytes": "2000"},
            "weblog.privacy": {"profile": profile},
            "weblog.geoip": {"database.path": str(CITY_DATABASE)},
            "weblog.filters": {"exclude.bots": "true", "debug.path.prefixes": "/debug"},
        }
    )
    for stage in ("all", "basic", "advanced")
    for log_format, profile in (
        ("combined", "off"),
        ("combined", "strict"),
        ("common", "standard"),
        ("vhost_combined", "off"),
        ("combined_xff", "strict"),
    )
}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draws a real line with pieces cut out, put in or doubled."""
    line = draw(st.sampled_from(LINES))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(len(line), start + 40)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=6))
        line = line[:start] + piece * draw(st.sampled_from([0, 1, 1, 2, 300])) + line[end:]
    return line


NUMBERS = ("event_time", "progress_time", "status", "bytes_sent")
KINDS = {Enriched: "E", Filtered: "F", DeadLettered: "D"}


@pytest.mark.parametrize("name", CORES)
@given(st.lists(damaged(), min_size=1, max_size=3))
def test_any_damage(name: str, lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    assume(not data.startswith(KPL_MAGIC))
    outcomes = CORES[name].process(data)

    assert len(outcomes) == len(data.removesuffix(b"\n").split(b"\n"))
    events = unpack(pack(outcomes, StreamProgress(300_000)))
    for outcome, event in zip(outcomes, events, strict=True):
        assert event["kind"] == KINDS[type(outcome)]
        assert event["body"] == outcome.json
        assert "\n" not in outcome.json
        check(outcome, BASIC if name.startswith("basic") else ENRICHED)
        for number in (event[field] for field in NUMBERS):
            # A text that SQL cannot cast would fail the job.
            assert number is None or re.fullmatch("-?[0-9]{1,18}", number)
