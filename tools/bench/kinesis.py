"""The Kinesis path: read from one stream of an emulator, enriched, and written to another.

The input stream is filled before the job starts. The CPU time of the job says what source and
sink cost a record. The rate is not Kinesis's: the emulator shares the machine and takes one call
at a time.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from tools.bench import jobs
from tools.bench.core import Metrics
from tools.bench.setup import SINK, Setup, job_properties
from tools.bench.skipped import SkippedError
from tools.run.kinesis.command import (
    find_jar,
    open_place,
    provide_streams,
    with_streams,
)
from tools.run.kinesis.feeder import Feeder
from udfs.errors import WebLogError

_SHARDS = 2
# At the speed of the emulator a minute or two.
_MOST_RECORDS = 60_000


def kinesis(setup: Setup) -> Metrics:
    """Enrichment only, in process mode, from stream to stream, a subtask for each shard.

    Raises:
        SkippedError: There is no jar with the connectors.
    """
    jar = find_jar(Path(setup.jar)) if setup.jar else _packaged_jar()
    records = min(setup.input.records, _MOST_RECORDS)
    with open_place(None) as place:
        since = datetime.now(UTC)
        input_arn = provide_streams(place, ["enriched"], _SHARDS)
        with gzip.open(setup.input.whole) as lines:
            wanted = islice(lines, records)
            Feeder(place.client(attempts=1), input_arn, 0).feed(
                line.removesuffix(b"\n") for line in wanted
            )
        over_files = job_properties(
            setup, path=setup.input.whole, mode="process", outputs="enriched", sink="discard"
        )
        return jobs.endless(
            setup,
            with_streams(over_files, place, input_arn, since, SINK),
            records,
            jar=jar,
            environment=place.environment,
            slots=_SHARDS,
        )


def _packaged_jar() -> Path:
    try:
        return find_jar(None)
    except WebLogError as error:
        raise SkippedError(str(error)) from error
