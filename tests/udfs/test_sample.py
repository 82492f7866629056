"""The sample log against counts made without the code under test."""

import gzip
import json
import re
from collections import Counter
from typing import Any

import pytest

from tests.support.core import SAMPLE, enricher
from udfs.config.root import ROOT
from udfs.outcomes import DeadLettered, Enriched


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    with gzip.open(SAMPLE) as file:
        return file.read().splitlines(keepends=True)


@pytest.fixture(scope="module")
def outcomes(lines: list[bytes]) -> list[Enriched | DeadLettered]:
    using = enricher()
    made = [outcome for line in lines for outcome in using.process(line)]
    assert all(isinstance(outcome, Enriched | DeadLettered) for outcome in made)
    return [outcome for outcome in made if isinstance(outcome, Enriched | DeadLettered)]


@pytest.fixture(scope="module")
def records(outcomes: list[Enriched | DeadLettered]) -> list[dict[str, Any]]:
    return [json.loads(outcome.json) for outcome in outcomes if isinstance(outcome, Enriched)]


def test_all_but_one_line_is_enriched(
    lines: list[bytes], outcomes: list[Enriched | DeadLettered]
) -> None:
    assert len(lines) == len(outcomes) == 10_000
    (letter,) = [outcome.letter for outcome in outcomes if isinstance(outcome, DeadLettered)]
    assert (letter.stage, letter.reason) == ("parse", "unterminated_quote")
    assert letter.raw is not None
    assert not letter.raw.endswith(b'"')


def test_dashes(records: list[dict[str, Any]]) -> None:
    assert sum(record["bytes"] == "-" for record in records) == 669
    assert sum(record["bytes_sent"] is None for record in records) == 669
    assert sum(record["referer"] == "-" for record in records) == 4_072
    assert sum(record["referer_type"] == "none" for record in records) == 4_072
    assert sum(record["agent"] == "-" for record in records) == 190


def test_clients(records: list[dict[str, Any]]) -> None:
    assert len({record["host"] for record in records}) == 1_753
    assert all(record["quality"] == {"status": "ok", "issues": []} for record in records)


def test_statuses(records: list[dict[str, Any]]) -> None:
    counted = Counter(record["response"] for record in records)
    assert counted["404"] == 213
    assert counted["500"] == 3
    assert counted["200"] + counted["304"] > 9_000
    errors = sum(count for status, count in counted.items() if status >= "400")
    assert sum(record["is_error"] for record in records) == errors


def test_user_agents(records: list[dict[str, Any]]) -> None:
    assert len({record["agent"] for record in records}) == 558
    assert 2_660 <= sum(record["is_bot"] for record in records) <= 2_720
    assert all((record["device_type"] == "bot") == record["is_bot"] for record in records)
    assert all((record["bot_kind"] is None) != record["is_bot"] for record in records)
    # A crawler's contact address in its user agent is not personal data, and stays.
    address = re.compile(r"[\w.-]+@[\w-]+\.\w+")
    assert sum(address.search(record["agent"]) is not None for record in records) == 198


def test_the_word_debug_in_a_url_means_nothing(records: list[dict[str, Any]]) -> None:
    assert sum("debug" in f"{record['request']} {record['referer']}" for record in records) == 106


def test_duplicates_have_the_same_id(lines: list[bytes], records: list[dict[str, Any]]) -> None:
    assert len(lines) - len(set(lines)) == 19
    assert len(records) - len({record["event_id"] for record in records}) == 19


def test_times(records: list[dict[str, Any]]) -> None:
    assert min(record["event_time"] for record in records).startswith("2015-05-17T10:05:")
    assert max(record["event_time"] for record in records).startswith("2015-05-20T21:05:")
    assert {record["event_time"][14:16] for record in records} == {"05"}


def test_log_fields_are_what_the_line_says(
    lines: list[bytes], records: list[dict[str, Any]]
) -> None:
    good = [line.decode().rstrip("\n") for line in lines if line.endswith(b'"\n')]
    for line, record in zip(good, records, strict=True):
        assert line == (
            f'{record["host"]} - - [{record["datetime"]}] "{record["request"]}" '
            f'{record["response"]} {record["bytes"]} "{record["referer"]}" "{record["agent"]}"'
        )


def test_every_request_is_split_and_has_a_page(records: list[dict[str, Any]]) -> None:
    for record in records:
        assert record["request"] == f"{record['method']} {record['path']} {record['protocol']}"
        assert record["webpage"]


def test_the_log_behind_a_load_balancer_gives_its_countries_back() -> None:
    nodes = ("10.0.1.17", "10.0.2.23")
    using = enricher(
        {
            "weblog.geoip": {"database.path": str(ROOT / "examples" / "demo-city.mmdb")},
            "weblog.parser": {"format": "combined_xff"},
            "weblog.client": {"source": "forwarded"},
        }
    )
    records = []
    with gzip.open(SAMPLE) as file:
        for number, line in enumerate(file.read().splitlines()):
            client, _, rest = line.decode().partition(" ")
            behind = f'{nodes[number % 2]} {rest} "{client}, {nodes[1 - number % 2]}"'
            records += using.process(behind.encode())
    enriched = [json.loads(outcome.json) for outcome in records if isinstance(outcome, Enriched)]
    assert len(enriched) == 9_999
    assert sum(record["country"] is not None for record in enriched) >= 9_990
    assert len({record["host"] for record in enriched}) == 1_753
    assert {record["proxy"] for record in enriched} == set(nodes)
