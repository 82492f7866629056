"""The core followed by look-ups, as the Flink function runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aws.objects import S3Objects
from flink_app.lookups.batch import BatchEnricher
from flink_app.lookups.function import EnrichWithLookups
from flink_app.settings import JobSettings
from tests.support.core import combined, enricher, grows_linearly
from tests.support.metrics import MetricGroup
from tests.support.name_server import FAILURE, SILENCE, UNKNOWN, name_server, usual_name
from udfs.config.core import CoreSettings
from udfs.config.properties import Properties
from udfs.enrichment import Enricher
from udfs.errors import ConfigurationError
from udfs.letters.replay import envelope
from udfs.lookups.additions import with_additions
from udfs.lookups.settings import LookupSettings
from udfs.outcomes import DeadLettered, Enriched
from udfs.parse.unwrap import MAX_EVENTS


@contextmanager
def batch_enricher(properties: Properties) -> Iterator[BatchEnricher]:
    core = CoreSettings.load(properties)
    opened = BatchEnricher.open(
        Enricher.create(core, client_address=True, clock=lambda: 1_767_225_600.0),
        LookupSettings.load(properties, core),
    )
    try:
        yield opened
    finally:
        opened.close()


def dns_properties(port: int, **more: str) -> dict[str, str]:
    settings = {"enabled": "true", "servers": f"127.0.0.1:{port}", "patience": "30 s"}
    return settings | {name.replace("_", "."): value for name, value in more.items()}


def answer(address: str) -> tuple[float, str]:
    last = address.rpartition(".")[2]
    return 0.0, {"1": UNKNOWN, "2": SILENCE}.get(last, usual_name(address))


def only(outcomes: list[Any]) -> Enriched:
    (outcome,) = outcomes
    assert isinstance(outcome, Enriched), outcome
    return outcome


LINES = [
    combined(host="81.2.69.9"),
    combined(host="81.2.69.1"),
    combined(host="81.2.69.2"),
    combined(host="a.name.example"),
    combined(host="10.0.0.2"),
    combined(host="fe80::1%eth0"),
]


def test_host_names_stand_before_the_id_and_nothing_else_changes() -> None:
    with (
        name_server(answer) as server,
        batch_enricher({"weblog.lookups.dns": dns_properties(server.port, timeout="200 ms")}) as it,
    ):
        outcomes = it.process([line.encode() for line in LINES])
    plain = [only(enricher().process(line.encode())) for line in LINES]
    found = [only(one) for one in outcomes]
    records = [json.loads(one.json) for one in found]
    assert [one["hostname"] for one in records] == [
        "host-81-2-69-9.example.net", None, None, None, None, None,
    ]  # fmt: skip
    assert [one["quality"] for one in records] == [
        {"status": "ok", "issues": []},
        {"status": "ok", "issues": []},
        {"status": "ok", "issues": ["lookup_failed"]},
        {"status": "ok", "issues": []},
        {"status": "ok", "issues": ["private_address", "lookup_failed"]},
        {"status": "ok", "issues": ["private_address"]},
    ]
    for record, one, before in zip(records, found, plain, strict=True):
        assert list(record)[-3:] == ["quality", "hostname", "event_id"]
        assert one.client_address is None
        assert list(one.issues) == record["quality"]["issues"]
        del record["hostname"]
        expected = json.loads(before.json)
        assert record | {"quality": None} == expected | {"quality": None}
        assert one._replace(issues=(), json="") == before._replace(issues=(), json="")


def test_without_an_answer_a_record_may_be_a_dead_letter() -> None:
    properties = {"timeout": "50 ms", "on_failure": "dead_letter"}
    data = f"{LINES[0]}\n{LINES[2]}\r\n".encode()
    again = envelope(LINES[2].encode(), 2)
    with (
        name_server(answer) as server,
        batch_enricher({"weblog.lookups.dns": dns_properties(server.port, **properties)}) as it,
    ):
        (good, bad), (repeated,) = it.process([data, again])
    assert isinstance(good, Enriched)
    for outcome, attempt in ((bad, 1), (repeated, 2)):
        assert isinstance(outcome, DeadLettered)
        letter = outcome.letter
        assert (letter.stage, letter.reason) == ("enrich", "lookup_failed")
        assert letter.raw == LINES[2].encode()
        assert letter.event_time_ms == good.event_time_ms
        assert letter.attempts == attempt


def test_letters_of_a_record_take_time_in_proportion_to_its_lines() -> None:
    with (
        name_server(lambda _: (0.0, FAILURE)) as server,
        batch_enricher(
            {"weblog.lookups.dns": dns_properties(server.port, on_failure="dead_letter")}
        ) as it,
    ):

        def letters_of(record: str) -> None:
            (outcomes,) = it.process([record.encode()])
            assert {type(one) for one in outcomes} == {DeadLettered}

        assert grows_linearly(letters_of, lambda lines: "\n".join([LINES[0]] * lines), 1000)


def test_a_record_that_is_a_dead_letter_as_a_whole_passes() -> None:
    with (
        name_server(answer) as server,
        batch_enricher({"weblog.lookups.dns": dns_properties(server.port)}) as it,
    ):
        ((letter,),) = it.process([b"\n" * (MAX_EVENTS + 1)])
    assert isinstance(letter, DeadLettered)
    assert letter.letter.reason == "too_many_lines"


def test_other_outcomes_pass(tmp_path: Path) -> None:
    pages = tmp_path / "pages.csv"
    pages.write_text("webpage,owner\nproduct,shop\n", encoding="utf-8")
    with batch_enricher({"weblog.reference": {"file": str(pages)}}) as it:
        (first, blank, bad), (unknown,) = it.process(
            [
                f"{combined()}\n\nbad\n".encode(),
                combined(request="GET /other.html HTTP/1.1").encode(),
            ]
        )
    assert json.loads(only([first]).json)["reference"] == {"owner": "shop"}
    assert json.loads(only([unknown]).json)["reference"] is None
    assert list(json.loads(only([first]).json))[-2:] == ["reference", "event_id"]
    assert type(blank).__name__ == "Filtered"
    assert isinstance(bad, DeadLettered)


def test_a_reference_by_client_that_the_record_hides(
    tmp_path: Path,
) -> None:
    file = tmp_path / "clients.json"
    file.write_text('{"81.2.69.9": {"customer": 7}}', encoding="utf-8")
    properties: Properties = {
        "weblog.reference": {"file": str(file), "key": "address", "field": "host"},
        "weblog.privacy": {"client.address": "drop"},
    }
    core = CoreSettings.load(properties)
    it = BatchEnricher.open(
        Enricher.create(core, salt=b"x" * 16, client_address=True),
        LookupSettings.load(properties, core),
    )
    outcome = only(it.process([LINES[0].encode()])[0])
    assert '"reference":{"customer":7}' in outcome.json
    assert "81.2.69.9" not in outcome.json
    assert outcome.client_address is None


def test_the_splice_itself() -> None:
    before = only(enricher().process(combined().encode()))
    after = with_additions(before, '"hostname":null,"reference":{}', failed=True)
    # After two failures the issue is there once.
    twice = with_additions(after, '"more":1', failed=True)
    assert json.loads(twice.json)["quality"]["issues"] == ["lookup_failed"]
    assert list(json.loads(twice.json))[-5:] == [
        "quality", "hostname", "reference", "more", "event_id",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (
            {"weblog.lookups.dns": {"enabled": "true"}, "weblog.privacy": {"profile": "standard"}},
            "weblog.lookups.dns: enabled",
        ),
        (
            {"weblog.lookups.dynamodb": {"table": "pages"}, "weblog.reference": {"file": "a.csv"}},
            "weblog.reference: file",
        ),
        ({"weblog.lookups.dns": {"enabeld": "true"}}, "did you mean 'enabled'"),
        ({"weblog.lookups": {"enabled": "true"}}, "weblog.lookups: expected a known group"),
    ],
)
def test_settings_that_do_not_go_together(properties: Properties, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        JobSettings.load(
            {
                "weblog.source": {"path": "x"},
                "weblog.sink.s": {"type": "discard"},
                "weblog.outputs": {"default": "s"},
                **properties,
            }
        )


class Context:
    """A stand-in for the context that Flink gives to a function at its start."""

    def __init__(self) -> None:
        self.group = MetricGroup()

    def get_metric_group(self) -> MetricGroup:
        return self.group


def test_the_metrics_have_the_names_that_are_documented() -> None:
    given = {
        "weblog.lookups.dns": {"enabled": "true", "servers": "127.0.0.1:9"},
        "weblog.lookups.dynamodb": {"table": "pages", "region": "eu-west-1"},
    }
    core = CoreSettings.load(given)
    lookups = LookupSettings.load(given, core)
    function = EnrichWithLookups(core, lookups, lambda _: None, S3Objects())
    context: Any = Context()
    function.open(context)
    function.close()
    measures = ("hits", "misses", "failures", "breaker_opened")
    assert {name for name in context.group.names if "_lookup_" in name} == {
        f"{member}_lookup_{measure}" for member in ("hostname", "reference") for measure in measures
    }
