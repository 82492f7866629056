"""The yardstick makes the same records as the core."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tools.bench import straightforward
from tools.bench.yardstick_job import field_functions
from tools.run.command import SAMPLE_LOG
from udfs.config.core import CoreSettings
from udfs.enrichment import Enricher
from udfs.outcomes import Enriched

DATABASE = SAMPLE_LOG.with_name("demo-city.mmdb")
# The core's fields that the straightforward version gives too. Its bots and kinds of devices come
# from `user-agents`.
SAME = (
    "host", "datetime", "request", "response", "bytes", "referer", "agent", "city", "country",
    "location", "country_code", "method", "path", "protocol", "status_class",
)  # fmt: skip


def test_it_gives_what_the_core_gives() -> None:
    enrich = straightforward.enricher(Path(DATABASE))
    core = Enricher.create(CoreSettings.load({"weblog.geoip": {"database.path": str(DATABASE)}}))
    with gzip.open(SAMPLE_LOG) as stream:
        lines = [line.rstrip(b"\n") for line, _ in zip(stream, range(3000), strict=False)]
    alike = pages_alike = 0
    for line in lines:
        (outcome,) = core.process(line)
        simple = enrich(line)
        assert isinstance(outcome, Enriched)
        assert simple is not None
        ours, theirs = json.loads(outcome.json), json.loads(simple)
        alike += {name: ours[name] for name in SAME} == {name: theirs[name] for name in SAME}
        pages_alike += ours["webpage"] == theirs["webpage"]
    # The straightforward version knows neither escapes nor extensions.
    assert alike > 0.99 * len(lines)
    assert pages_alike > 0.9 * len(lines)


def test_the_naive_job_gives_the_same_record_field_by_field() -> None:
    whole = straightforward.enricher(Path(DATABASE))
    functions = field_functions(Path(DATABASE))
    with gzip.open(SAMPLE_LOG) as stream:
        lines = [line.rstrip(b"\n") for line, _ in zip(stream, range(300), strict=False)]
    for line in lines:
        record = json.loads(whole(line) or "{}")
        assert functions.keys() == record.keys()
        fields = {name: function(line.decode()) for name, function in functions.items()}
        assert fields == {
            name: None if value is None else value if isinstance(value, str) else str(value)
            for name, value in record.items()
        }


def test_it_gives_nothing_for_a_malformed_line() -> None:
    assert straightforward.enricher(Path(DATABASE))(b"no log line") is None
