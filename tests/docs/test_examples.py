"""The property files in `examples/settings` are valid and have the documented effects."""

from __future__ import annotations

import json
import re

from flink_app.settings import JobSettings
from tests.support.core import NOW, combined
from udfs.config.file import load_properties
from udfs.config.root import ROOT
from udfs.enrichment import Enricher
from udfs.outcomes import Enriched, Filtered

FOLDER = ROOT / "examples"
SALT = b"sixteen bytes of salt"


def settings_of(name: str) -> JobSettings:
    return JobSettings.load(load_properties(FOLDER / "settings" / f"{name}.json"))


def test_every_example_has_its_row() -> None:
    shown = {*re.findall(r"\]\((\w+/[\w-]+\.\w+)\)", (FOLDER / "README.md").read_text("utf-8"))}
    assert shown == {
        str(path.relative_to(FOLDER))
        for folder in ("queries", "settings")
        for path in (FOLDER / folder).iterdir()
    }


def test_alert_rules() -> None:
    assert {rule.name for rule in settings_of("alert-rules").alerts.rules} == {
        "site_errors", "page_errors", "traffic_spike", "probe_activity", "outage", "login_probes",
    }  # fmt: skip


def test_behind_a_balancer() -> None:
    enricher = Enricher.create(settings_of("behind-balancer").core, clock=lambda: NOW)
    line = f'{combined(host="172.31.20.1")} "203.0.113.7"'
    (outcome,) = enricher.process(line.encode())
    assert isinstance(outcome, Enriched)
    record = json.loads(outcome.json)
    assert (record["host"], record["proxy"]) == ("203.0.113.7", "172.31.20.1")


def test_private() -> None:
    enricher = Enricher.create(settings_of("private").core, clock=lambda: NOW, salt=SALT)
    (outcome,) = enricher.process(combined(host="203.0.113.7").encode())
    assert isinstance(outcome, Enriched)
    assert outcome.host == "203.0.113.0"
    for request in ("GET /health HTTP/1.1", "GET /logo.png HTTP/1.1"):
        (outcome,) = enricher.process(combined(request=request).encode())
        assert isinstance(outcome, Filtered), request
