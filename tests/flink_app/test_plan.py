"""The plan: the source is read once, and each record crosses into Python once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flink_app.settings import JobSettings
from tests.support.cluster import SharedCluster
from tests.support.core import SAMPLE
from udfs.config.file import DEFAULT_FILE, PropertyGroups, load_properties

pytestmark = pytest.mark.minicluster

OPTIMIZED = "== Optimized Execution Plan =="


@pytest.fixture(scope="module")
def properties(tmp_path_factory: pytest.TempPathFactory) -> PropertyGroups:
    properties = load_properties(DEFAULT_FILE)
    properties["weblog.source"] = {"type": "filesystem", "path": str(SAMPLE)}
    properties["weblog.sink.files"]["path"] = str(tmp_path_factory.mktemp("plan"))
    return properties


@pytest.fixture(scope="module")
def plans(cluster: SharedCluster, properties: PropertyGroups) -> dict[str, Any]:
    """Returns the optimized plans by name, and the operators of the whole job."""
    plans = cluster.plans(properties)
    return plans | {name: plans[name].partition(OPTIMIZED)[2] for name in ("outputs", "outcomes")}


def test_one_source_and_one_python_operator_in_the_job(
    plans: dict[str, Any], properties: PropertyGroups
) -> None:
    operators = plans["operators"]
    assert len([one for one in operators if "raw_log" in one]) == 1, operators
    assert len([one for one in operators if "Python" in one]) == 1, operators
    assert len([one for one in operators if "WatermarkAssigner" in one]) == 1, operators
    # A writer for each output shows that this is the whole job.
    writers = [one for one in operators if "StreamingFileWriter" in one]
    assert len(writers) == len(JobSettings.load(properties).outputs) >= 12


def test_the_function_is_called_once_for_all_columns(plans: dict[str, Any]) -> None:
    plan = plans["outcomes"]
    assert re.findall(r"enrich\(\w+\)", plan) == ["enrich(data)"]
    assert plan.count("PythonCalc(") == 1
    assert plan.count("TableSourceScan(") == 1


def test_an_event_is_split_once_for_all_columns(plans: dict[str, Any]) -> None:
    # The projection indexes an array of a Correlate, and does not split again.
    plan = plans["outcomes"]
    (projection,) = [line for line in plan.splitlines() if " AS status" in line]
    assert "SPLIT(" not in projection


def test_all_outputs_share_one_scan(plans: dict[str, Any]) -> None:
    plan = plans["outputs"]
    assert plan.count("TableSourceScan(") == 1
    assert "enrich(" not in plan


def test_pages_are_counted_once_for_all_outputs_that_need_them(plans: dict[str, Any]) -> None:
    plan = plans["outputs"]
    # Errors, ranks and alerts share the tumbling windows; sliding windows are made of them.
    assert windows(plan, "webpage") == ["HOP of window_time", "TUMBLE of event_time"]


def test_hosts_are_counted_once_for_sessions_and_alerts(plans: dict[str, Any]) -> None:
    plan = plans["outputs"]
    assert windows(plan, "host") == ["TUMBLE of event_time"]
    assert windows(plan, "host, visit_day") == ["SESSION of window_time"]


def test_the_whole_site_is_counted_once_for_overview_and_alerts(plans: dict[str, Any]) -> None:
    plan = plans["outputs"]
    assert windows(plan, "") == ["TUMBLE of event_time"]


def test_rules_without_a_duration_need_no_state_for_it(plans: dict[str, Any]) -> None:
    # The default rules have only the baseline and the quiet time.
    plan = plans["outputs"]
    assert plan.count(" OverAggregate(") == 2


def windows(plan: str, key: str) -> list[str]:
    """Returns the kind and the time column of the windows that group by a key, or by no key."""
    aggregate = (
        r"\b(?:Local)?WindowAggregate\((?:groupBy=\[(.*?)\], )?"
        r"window=\[(\w+)\(time_col=\[(\w+)\]"
    )
    return sorted(
        f"{kind} of {time}" for by, kind, time in re.findall(aggregate, plan) if by == key
    )
