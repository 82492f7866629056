"""The functions write the core's outcomes byte for byte."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_app.lookups.batch import BatchEnricher
from lambda_app.deadline import Deadline
from lambda_app.tally import Tally
from tests.support.core import CITY_DATABASE, DEMO_DATABASE, NOW, combined, enricher, sample_lines
from tests.support.functions import (
    FakeContext,
    FakeDestination,
    consumer,
    data_of,
    firehose_event,
    kinesis_event,
    processor,
    transformation,
)
from tests.udfs.test_golden import LINES
from udfs.config.core import CoreSettings
from udfs.config.properties import Properties
from udfs.enrichment import Enricher
from udfs.lookups.settings import LookupSettings
from udfs.outcomes import DeadLettered, Enriched

PROPERTIES: Properties = {
    "weblog.geoip": {"database.path": str(DEMO_DATABASE)},
    "weblog.site": {"internal.hosts": "semicomplete.com"},
}
GOLDEN: Properties = {**PROPERTIES, "weblog.geoip": {"database.path": str(CITY_DATABASE)}}

type Made = tuple[list[bytes], list[bytes]]
"""Enriched records and dead letters."""


def through_firehose(records: list[bytes], properties: Properties) -> Made:
    """What a transformation makes."""
    letters = FakeDestination()
    function = transformation(letters, of=processor(properties, outage_minimum=0))
    response = function.run(firehose_event(records), Deadline(FakeContext()), Tally())
    assert all(one["result"] != "ProcessingFailed" for one in response["records"])
    ok = [one for one in response["records"] if one["result"] == "Ok"]
    lines = [line for one in ok for line in data_of(one).removesuffix(b"\n").split(b"\n")]
    return lines, [one.body for one in letters.taken]


def through_kinesis(records: list[bytes], properties: Properties) -> Made:
    """What a consumer makes."""
    output, letters = FakeDestination(), FakeDestination()
    function = consumer(output, letters, of=processor(properties, outage_minimum=0))
    response = function.run(kinesis_event(records), Deadline(FakeContext()), Tally())
    assert response == {"batchItemFailures": []}
    return [one.body for one in output.taken], [one.body for one in letters.taken]


def through_the_core(records: list[bytes], properties: Properties) -> Made:
    """Returns the outcomes of the job, which gives each source record to `Enricher.process()`."""
    core = enricher(properties)
    outcomes = [outcome for record in records for outcome in core.process(record)]
    return (
        [one.json.encode() for one in outcomes if isinstance(one, Enriched)],
        [one.json.encode() for one in outcomes if isinstance(one, DeadLettered)],
    )


@pytest.mark.parametrize("through", [through_firehose, through_kinesis])
def test_the_sample(
    through: Callable[[list[bytes], Properties], Made],
) -> None:
    lines = sample_lines()
    enriched: list[bytes] = []
    letters: list[bytes] = []
    for start in range(0, len(lines), 1000):
        some_enriched, some_letters = through(lines[start : start + 1000], PROPERTIES)
        enriched += some_enriched
        letters += some_letters

    assert (enriched, letters) == through_the_core(lines, PROPERTIES)
    assert (len(enriched), len(letters)) == (9_999, 1)


@pytest.mark.parametrize("through", [through_firehose, through_kinesis])
def test_lines_that_travel_together_keep_their_index(
    through: Callable[[list[bytes], Properties], Made],
) -> None:
    lines = LINES.read_bytes().split(b"\n")
    records = [b"\n".join(lines[start : start + 7]) for start in range(0, len(lines), 7)]

    expected = through_the_core(records, GOLDEN)

    assert through(records, GOLDEN) == expected
    assert through([gzip.compress(one) for one in records], GOLDEN) == expected


@pytest.mark.parametrize("through", [through_firehose, through_kinesis])
@pytest.mark.parametrize(
    ("field", "rows"),
    [("webpage", "product,shop\n"), ("host", "81.2.69.142,shop\n2001:218::1,press\n")],
)
def test_reference_data_in_a_file(
    through: Callable[[list[bytes], Properties], Made], tmp_path: Path, field: str, rows: str
) -> None:
    file = tmp_path / "reference.csv"
    file.write_text(f"name,owner\n{rows}")
    properties: Properties = {
        **GOLDEN,
        "weblog.reference": {"file": str(file), "key": "name", "field": field},
    }
    records = LINES.read_bytes().split(b"\n")

    lookups = LookupSettings.load(properties, CoreSettings.load(properties))
    core = Enricher.create(CoreSettings.load(properties), clock=lambda: NOW, client_address=True)
    job = BatchEnricher.open(core, lookups)
    outcomes = [outcome for group in job.process(records) for outcome in group]
    expected = [one.json.encode() for one in outcomes if isinstance(one, Enriched)]

    assert through(records, properties)[0] == expected
    found = [json.loads(one)["reference"] for one in expected]
    assert {"owner": "shop"} in found
    assert None in found


FIELD = st.text(max_size=20).map(lambda text: text.replace('"', "").replace("\\", ""))
LINE = st.one_of(
    st.builds(
        combined,
        host=st.sampled_from(["81.2.69.142", "2001:218::1", "10.0.0.1", "host.example"]) | FIELD,
        user=FIELD,
        request=st.builds("GET /{}?q={} HTTP/1.1".format, FIELD, FIELD) | FIELD,
        status=st.sampled_from(["200", "404", "500", "0"]),
        size=st.sampled_from(["-", "12", "x"]),
        referer=FIELD,
        agent=FIELD,
    ).map(lambda line: line.encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
)
RECORD = st.lists(LINE, max_size=4).map(b"\n".join)


@given(st.lists(RECORD, max_size=8))
def test_any_records(records: list[bytes]) -> None:
    # The functions unpack a record that begins like gzip, which the job does not.
    records = [one for one in records if not one.startswith(b"\x1f\x8b")]

    expected = through_the_core(records, PROPERTIES)

    assert through_firehose(records, PROPERTIES) == expected
    assert through_kinesis(records, PROPERTIES) == expected
