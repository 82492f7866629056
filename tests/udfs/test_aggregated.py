"""Records that the Kinesis Producer Library aggregates."""

from __future__ import annotations

import base64
import json

import pytest

from tests.support.core import combined, dead, enriched, enricher
from tests.support.wrapped import aggregated
from udfs.outcomes import Enriched

# Lines are longer than a hundred bytes, and the last has line breaks around it. So a piece of the
# record between two line breaks is a whole good line.
LINES = (combined(), combined(host="81.2.69.160"), f"\n{combined(host='81.2.69.161')}\n")


def test_its_lines_come_out() -> None:
    outcomes = enricher().process(aggregated(*LINES))
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "Enriched", "Enriched", "Filtered", "Enriched",
    ]  # fmt: skip
    hosts = [outcome.host for outcome in outcomes if isinstance(outcome, Enriched)]
    assert hosts == ["81.2.69.142", "81.2.69.160", "81.2.69.161"]
    # The place in the record gives each line its own id.
    assert len({json.loads(outcome.json)["event_id"] for outcome in outcomes}) == 4


def damaged() -> bytes:
    return aggregated(*LINES)[:-1] + b"?"


def test_a_damaged_one_is_one_dead_letter_that_keeps_every_byte() -> None:
    outcome = dead(enricher(), damaged())
    assert (outcome.letter.stage, outcome.letter.reason) == ("decode", "corrupt_kpl")
    shown = json.loads(outcome.json)
    assert shown["raw_encoding"] == "base64"
    assert base64.b64decode(shown["raw"]) == damaged()


@pytest.mark.parametrize("profile", ["standard", "strict"])
def test_nothing_personal_is_shown_of_it(profile: str) -> None:
    using = enricher({"weblog.privacy": {"profile": profile}}, salt=b"0123456789abcdef")
    shown = json.loads(dead(using, damaged()).json)
    raw = shown["raw"] or ""
    if shown["raw_encoding"] == "base64":
        raw = base64.b64decode(raw).decode("utf-8", "replace")
    assert "81.2.69" not in raw


def test_a_line_that_only_begins_oddly_is_none() -> None:
    letter = dead(enricher(), b"\xf3\x89\x9a" + combined().encode()).letter
    assert letter.reason == "invalid_utf8"
    assert enriched(enricher(), combined()).host == "81.2.69.142"
