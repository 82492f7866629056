from __future__ import annotations

from udfs.flink.metrics import OutcomeCounts
from udfs.letters.dead_letter import DeadLetter
from udfs.outcomes import DeadLettered, Filtered


def dead(stage: str) -> DeadLettered:
    return DeadLettered(DeadLetter(stage, "reason", "message", b"raw", None), "{}")


def test_each_outcome_is_counted_under_its_name() -> None:
    counts = OutcomeCounts()
    counts.add([Filtered(1, "bot", "{}"), Filtered(2, "static", "{}"), dead("parse")], 0.001)
    counts.add([Filtered(3, "bot", "{}"), dead("decode"), dead("parse")], 0.002)
    sums = counts.take()
    assert sums.records == 2
    assert sums.lines == 6
    assert sums.filtered == {"bot": 2, "static": 1}
    assert sums.dead_lettered == {"parse": 2, "decode": 1}
    assert sums.micros_per_line == 500


def test_taking_starts_again_from_zero() -> None:
    counts = OutcomeCounts()
    counts.add([dead("parse")], 1.0)
    counts.take()
    assert counts.take() == OutcomeCounts()


def test_no_lines_take_no_time() -> None:
    assert OutcomeCounts(records=1, seconds=1.0).micros_per_line == 0
