"""Lines of records joined, for a sink that is billed by the record.

Flink's own ways to make one row of several (windows, aggregates) keep rows in state and deal them
out by key first. A vectorised function sees some rows at once anyway, and Flink has it answer for
all of them before a checkpoint: nothing waits. It has to answer each row, so the joined lines stand
in the row of the first and the others become null, which the sink's table leaves out (its column is
NOT NULL, `table.exec.sink.not-null-enforcer`).
"""

from __future__ import annotations

import pandas as pd  # type: ignore[import-untyped]
from pyflink.table.udf import udf

from aws.destinations import packed
from aws.put import Message


def join_lines(body: pd.Series[bytes], most_bytes: int) -> pd.Series[bytes | None]:
    """Joins lines with line breaks, in their order.

    Args:
        body: The lines.
        most_bytes: Longest record, with the line break that Firehose puts behind it. A longer line
            has a record of its own.

    Returns:
        Of each line null, or what begins with it.
    """
    joined: list[bytes | None] = [None] * len(body)
    for record in packed(map(Message, body, range(len(body))), most_bytes):
        joined[record.owner] = record.body[:-1]
    return pd.Series(joined, index=body.index, dtype=object)


# Not deterministic: what it answers to a line hangs on the lines beside it.
pack_lines = udf(join_lines, result_type="BYTES", func_type="pandas", deterministic=False)
