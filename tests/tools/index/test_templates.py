"""Index templates follow the schemas and the outputs' columns."""

from __future__ import annotations

import json

import pytest

from flink_app.sql_files import OutputFile, output_files
from tests.support.running import Run
from tools.index.templates import fields, template
from udfs.config.root import ROOT

OUTPUTS = {output.name: output for output in output_files()}
EXAMPLES = ROOT / "examples" / "opensearch"


def test_a_record_is_indexed_by_its_schema() -> None:
    schema = json.loads((ROOT / "conf" / "schema" / "enriched.json").read_text("utf-8"))
    made = fields(OUTPUTS["enriched"])

    assert made.keys() == schema["properties"].keys()
    assert made == fields(OUTPUTS["late"])
    types = {name: one.get("type") for name, one in made.items()}
    assert types["location"] == "geo_point"
    assert types["host"] == types["proxy"] == "ip"
    assert made["host"]["ignore_malformed"] is made["proxy"]["ignore_malformed"] is True
    assert types["request"] == types["agent"] == "text"
    assert made["agent"]["fields"]["keyword"]["ignore_above"] == 1024
    assert types["event_time"] == types["datetime"] == "date"
    assert types["bytes_sent"] == types["asn"] == "long"
    assert types["is_bot"] == "boolean"
    assert types["city"] == types["event_id"] == types["bot_kind"] == "keyword"
    assert made["quality"]["properties"].keys() == {"status", "issues"}


@pytest.mark.parametrize("output", output_files(), ids=lambda output: output.name)
def test_no_term_is_too_long_for_lucene(output: OutputFile) -> None:
    def check(field: dict[str, object]) -> None:
        if field.get("type") == "keyword":
            assert field["ignore_above"] == 1024
        for below in ("fields", "properties"):
            inner = field.get(below, {})
            assert isinstance(inner, dict)
            for one in inner.values():
                check(one)

    for field in fields(output).values():
        check(field)


@pytest.mark.minicluster
@pytest.mark.slow
def test_every_column_of_every_output_is_indexed(sample_run: Run) -> None:
    assert fields(OUTPUTS["response_times"])["p95_ms"] == {"type": "double"}
    for name in sample_run.summary["outputs"]:
        known = fields(OUTPUTS[name])
        for row in sample_run.rows(name)[:50]:
            assert row.keys() <= known.keys(), name
            assert OUTPUTS[name].is_record or row.keys() == known.keys(), name


def test_templates_of_two_outputs_never_meet() -> None:
    patterns = [
        pattern
        for output in output_files()
        for pattern in template(f"weblog-{output.name}", output)["index_patterns"]
    ]
    assert len(patterns) == len({*patterns}) == 2 * len(OUTPUTS)
    for output in output_files():
        first = f"weblog-{output.name}-000001"
        starts = [pattern[:-1] for pattern in patterns if pattern.endswith("*")]
        assert sum(first.startswith(start) for start in starts) == 1


def test_the_policy_is_of_all_indices_and_its_states_are_there() -> None:
    policy = json.loads((EXAMPLES / "ism_policy.json").read_text("utf-8"))["policy"]
    states = {state["name"]: state for state in policy["states"]}
    (of,) = policy["ism_template"]
    assert of["index_patterns"] == ["weblog-*"]
    assert policy["default_state"] in states
    assert {
        transition["state_name"] for state in states.values() for transition in state["transitions"]
    } <= states.keys()
