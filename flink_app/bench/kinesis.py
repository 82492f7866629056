"""The Kinesis path: read from one stream of an emulator, enriched, and written to another.

The input stream is filled before the job starts. The CPU time of the job says what source and
sink cost a record. The rate is not Kinesis's: the emulator shares the machine and takes one call
at a time.
"""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

from flink_app.bench import jobs
from flink_app.bench.core import Metrics
from flink_app.bench.setup import SINK, Setup, job_properties
from flink_app.bench.skipped import SkippedError
from flink_app.local.emulator import CREDENTIALS, JOB_ENVIRONMENT, REGION, emulator
from flink_app.local.feeder import Feeder
from flink_app.local.kinesis import Place, find_jar
from flink_app.sinks import SINK_GROUP_PREFIX
from flink_app.sources import SOURCE_GROUP
from udfs.errors import WebLogError

_INPUT, _OUTPUT = "bench-input", "bench-enriched"
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
    with emulator() as endpoint:
        place = Place(endpoint, REGION, CREDENTIALS, private=True)
        client = place.client()
        for stream in (_INPUT, _OUTPUT):
            client.create_stream(StreamName=stream, ShardCount=_SHARDS)
            client.get_waiter("stream_exists").wait(StreamName=stream)
        arn = client.describe_stream_summary(StreamName=_INPUT)["StreamDescriptionSummary"][
            "StreamARN"
        ]
        with gzip.open(setup.input.whole) as lines:
            wanted = islice(lines, records)
            Feeder(client, _INPUT, 0).feed(line.removesuffix(b"\n") for line in wanted)
        properties = job_properties(
            setup, path=setup.input.whole, mode="process", outputs="enriched", sink="discard"
        ) | {
            SOURCE_GROUP: {
                "type": "kinesis",
                "stream.arn": arn,
                "endpoint": endpoint,
                "initial.position": "TRIM_HORIZON",
            },
            SINK_GROUP_PREFIX + SINK: {
                "type": "kinesis",
                "stream.arn": arn.replace(_INPUT, _OUTPUT),
                "endpoint": endpoint,
            },
        }
        environment = {"AWS_REGION": REGION, **CREDENTIALS, **JOB_ENVIRONMENT}
        return jobs.endless(
            setup, properties, records, jar=jar, environment=environment, slots=_SHARDS
        )


def _packaged_jar() -> Path:
    try:
        return find_jar(None)
    except WebLogError as error:
        raise SkippedError(str(error)) from error
