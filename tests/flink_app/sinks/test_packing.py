"""Lines joined for Firehose: no line is lost, split or moved."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_app.sinks.packing import join_lines

LINES = st.lists(st.text("ab\u00e4", max_size=30).map(str.encode))


@given(LINES, st.integers(1, 100))
def test_no_line_is_lost_split_or_moved(lines: list[bytes], most_bytes: int) -> None:
    records = join_lines(pd.Series(lines, dtype=object), most_bytes)
    assert len(records) == len(lines)
    kept = [one for one in records if one is not None]
    assert [line for one in kept for line in one.split(b"\n")] == lines
    for one in kept:
        assert len(one) < most_bytes or b"\n" not in one
    # The following line would not have fitted.
    for one, following in pairwise(kept):
        assert len(one) + len(following.split(b"\n")[0]) + 2 > most_bytes


@pytest.mark.parametrize(("size", "records"), [(1023, [5, 5]), (1024, [4, 4, 2]), (6000, [1] * 10)])
def test_a_record_has_up_to_5_kib_with_its_line_breaks(size: int, records: list[int]) -> None:
    joined = join_lines(pd.Series([b"x" * size] * 10, dtype=object), 5 * 1024)
    assert [one.count(b"\n") + 1 for one in joined if one is not None] == records
