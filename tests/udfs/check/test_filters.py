import gzip
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import (
    FIREFOX,
    SAMPLE,
    combined,
    enriched,
    enricher,
    filtered,
    grows_linearly,
)
from udfs.check.filters import FilterRule, Filters
from udfs.config.core import CoreSettings, FilterSettings
from udfs.errors import ConfigurationError
from udfs.outcomes import Enriched, Filtered
from udfs.parse.request import Page, Request

GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def get(target: str) -> dict[str, str]:
    return {"request": f"GET {target} HTTP/1.1"}


@pytest.mark.parametrize(
    ("key", "value", "line", "reason"),
    [
        ("debug.path.prefixes", "/__debug, /_trace/", get("/__debug/x"), "debug_path"),
        ("debug.path.prefixes", "/__debug", get("http://h/__debug"), "debug_path"),
        ("debug.path.prefixes", "/debug", get("/debug?x=1"), "debug_path"),
        ("debug.path.prefixes", "/debug", get("/debug/"), "debug_path"),
        ("debug.path.prefixes", "/debug", get("/debug;v=1/x"), "debug_path"),
        ("debug.path.prefixes", "/debug", get("/debugging-guide.html"), None),
        ("debug.path.prefixes", "/debug", get("/debug.html"), None),
        ("debug.path.prefixes", "/debug/", get("/debug/x"), "debug_path"),
        ("debug.path.prefixes", "/debug/", get("/debug"), None),
        ("debug.path.prefixes", "/", get("/a"), "debug_path"),
        ("debug.path.prefixes", "/__debug", get("/a/__debug"), None),
        ("debug.path.prefixes", "/__debug", get("/a?x=/__debug"), None),
        ("debug.query.parameters", "X-Debug", get("/a?x-debug=1"), "debug_parameter"),
        ("debug.query.parameters", "x-debug", get("/a?b;X%2DDEBUG"), "debug_parameter"),
        ("debug.query.parameters", "x-debug", get("/x-debug?a=x-debug"), None),
        ("debug.agents", "SyntheticMonitor", {"agent": "acme syntheticmonitor/2"}, "debug_agent"),
        ("debug.agents", "SyntheticMonitor", {}, None),
        ("include.methods", "GET, HEAD", {"request": "POST /a HTTP/1.1"}, "method_not_included"),
        ("include.methods", "GET, HEAD", {"request": "-"}, "method_not_included"),
        ("include.methods", "GET", {}, None),
        ("exclude.methods", "OPTIONS", {"request": "OPTIONS * HTTP/1.1"}, "method_excluded"),
        ("exclude.methods", "OPTIONS", {"request": "-"}, None),
        ("include.statuses", "2xx, 404", {"status": "301"}, "status_not_included"),
        ("include.statuses", "2xx, 404", {"status": "404"}, None),
        ("exclude.statuses", "3xx", {"status": "304", "size": "-"}, "status_excluded"),
        ("exclude.statuses", "404", {"status": "403"}, None),
        ("include.paths", "/shop/*", get("/blog/1"), "path_not_included"),
        ("include.paths", "/shop/*", get("/shop/a/b?c=1"), None),
        ("include.paths", "/shop/*", {"request": "-"}, "path_not_included"),
        ("exclude.paths", "/health, *.json", get("/a/b.json?x"), "path_excluded"),
        ("exclude.paths", "/health, *.json", get("/healthy"), None),
        ("exclude.paths", "/v[12]/?", get("/v2/x"), "path_excluded"),
        ("exclude.paths", "/v[12]/?", get("/v3/x"), None),
        ("exclude.paths", "/a*", {"request": "-"}, None),
        ("exclude.static", "true", get("/a/style.css?v=3"), "static_asset"),
        ("exclude.static", "true", {}, None),
        ("exclude.bots", "true", {"agent": GOOGLEBOT}, "bot"),
        ("exclude.bots", "true", {"agent": FIREFOX}, None),
    ],
)  # fmt: skip
def test_each_rule(key: str, value: str, line: dict[str, str], reason: str | None) -> None:
    using = enricher({"weblog.filters": {key: value}})
    if reason is None:
        enriched(using, combined(**line))
    else:
        outcome = filtered(using, combined(**line))
        assert outcome.reason == reason


def test_a_filtered_record_holds_no_data() -> None:
    using = enricher({"weblog.filters": {"exclude.methods": "GET"}})
    outcome = filtered(using, combined(request="GET /u/alice?token=s3cret HTTP/1.1", user="alice"))
    body = json.loads(outcome.json)
    assert list(body) == ["reason", "event_time", "event_id"]
    assert (body["reason"], body["event_time"]) == ("method_excluded", "2025-10-28T10:15:30.000Z")
    assert outcome.event_time_ms == 1_761_646_530_000


def test_the_first_rule_in_order_gives_the_reason() -> None:
    everything = {
        "debug.path.prefixes": "/d",
        "debug.query.parameters": "trace",
        "debug.agents": "probe",
        "exclude.methods": "GET",
        "exclude.statuses": "5xx",
        "exclude.paths": "/d*",
        "exclude.static": "true",
        "exclude.bots": "true",
    }
    line = combined(
        request="GET /d/x.css?trace HTTP/1.1", status="500", agent="probe Googlebot/2.1"
    )
    reasons = []
    # Without the rule that gave the reason, the next rule gives it.
    for key in everything.copy():
        reasons.append(filtered(enricher({"weblog.filters": everything}), line).reason)
        del everything[key]
    assert reasons == [
        "debug_path", "debug_parameter", "debug_agent", "method_excluded", "status_excluded",
        "path_excluded", "static_asset", "bot",
    ]  # fmt: skip


def test_bad_settings_are_errors() -> None:
    for key, value in [
        ("exclude.statuses", "6xx"),
        ("include.statuses", "20"),
        ("exclude.bots", "1"),
        ("debug.path.prefixes", "/debug, debug"),
        ("debug.path.prefixes", "/a?debug=1"),
        ("include.paths", "shop/*"),
        ("exclude.paths", "https://example.com/a"),
    ]:
        with pytest.raises(ConfigurationError):
            enricher({"weblog.filters": {key: value}})


def sample_outcomes(settings: dict[str, str]) -> Counter[str]:
    using = enricher({"weblog.filters": settings})
    with gzip.open(SAMPLE) as file:
        outcomes = using.process(file.read())
    return Counter(
        outcome.reason
        if isinstance(outcome, Filtered)
        else "enriched"
        if isinstance(outcome, Enriched)
        else "dead"
        for outcome in outcomes
    )


def test_no_good_record_of_the_sample_is_lost_by_default() -> None:
    assert sample_outcomes({}) == {"enriched": 9_999, "dead": 1}


def test_debug_rules_do_not_fall_for_the_word() -> None:
    # 106 lines have the word in a URL, and all are good.
    rules = {
        "debug.path.prefixes": "/debug/, /__debug",
        "debug.query.parameters": "debug, x-debug",
        "debug.agents": "debug",
    }
    assert sample_outcomes(rules) == {"enriched": 9_999, "dead": 1}


def test_the_sample_by_reason() -> None:
    counted = sample_outcomes({"exclude.bots": "true", "exclude.methods": "HEAD, POST, OPTIONS"})
    assert counted["method_excluded"] == 48
    assert 2_640 <= counted["bot"] <= 2_700
    assert sum(counted.values()) == 10_000


@given(st.text("/ab*?[]!-.", max_size=12), st.text("/ab[]-.", max_size=20))
def test_any_pattern_is_a_pattern(pattern: str, path: str) -> None:
    rules = Filters(FilterSettings(exclude_paths=(pattern,)))
    rule = rules.request_rule(Request("GET", "/" + path, None), Page("x", 1, is_static=False))
    assert rule in {FilterRule.KEEP, FilterRule.PATH_EXCLUDED}


def test_hostile_patterns_take_time_in_proportion() -> None:
    rules = Filters(
        CoreSettings.load({"weblog.filters": {"exclude.paths": "*a*a*a*a*a*b"}}).filters
    )
    page = Page("x", 1, is_static=False)
    assert grows_linearly(
        lambda path: rules.request_rule(Request("GET", path, None), page),
        lambda n: "/" + "a" * n,
        65_536,
    )
