"""Small input that could become much work: dead letters are small, and memory is bounded."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from tests.support.core import dead, enricher
from udfs.parse.unwrap import MAX_EVENTS


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_the_most_lines_of_a_record(end: bytes) -> None:
    record = b"\n" * (MAX_EVENTS - 1) + b"x" + end
    assert len(enricher().process(record)) == MAX_EVENTS
    letter = dead(enricher(), b"\n" + record).letter
    assert (letter.stage, letter.reason) == ("decode", "too_many_lines")


@pytest.mark.parametrize("stage", ["all", "basic", "advanced"])
def test_a_record_of_too_many_lines_is_one_letter_of_bounded_size(stage: str) -> None:
    using = enricher({"weblog.pipeline": {"stage": stage}})
    shown = json.loads(dead(using, b"\n" * 2_000_000).json)
    assert shown["reason"] == "too_many_lines"
    assert set(shown["raw"]) == {"\n"}
    assert shown["raw_bytes"] == 2_000_000


def test_line_breaks_fill_no_memory() -> None:
    using = enricher()
    tracemalloc.start()
    try:
        using.process(b"\n" * 2_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A few copies of the record fit; an outcome for each line would take 400 MB.
    assert peak < 30_000_000


@pytest.mark.parametrize("piece", [b"alice@example.com ", b"alice@example.com\n"])
def test_what_would_take_long_to_mask_is_omitted(piece: bytes) -> None:
    using = enricher({"weblog.privacy": {"profile": "standard"}})
    record = b"203.0.113.7 - - [28/Oct/2025:10:15:30 +0000] " + piece * 120_000
    shown = json.loads(dead(using, record).json)
    assert (shown["raw"], shown["raw_privacy"]) == (None, "omitted")
    # A line above 64 KB that is bad in another way is shown as usual.
    assert json.loads(dead(using, record[:200_000].replace(b"\n", b" ")).json)["raw"]
