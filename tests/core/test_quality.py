import json

import pytest

from udfs.quality import PRIVATE_ADDRESS, SEVERITIES, Severity, quality_member, status_of


def test_no_issue_is_ok() -> None:
    assert quality_member(()) == '"quality":{"status":"ok","issues":[]},'


def test_an_information_does_not_change_the_status() -> None:
    assert SEVERITIES[PRIVATE_ADDRESS] is Severity.INFO
    members = quality_member((PRIVATE_ADDRESS,)).removesuffix(",")
    assert json.loads(f"{{{members}}}") == {
        "quality": {"status": "ok", "issues": ["private_address"]}
    }


def test_the_gravest_issue_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEVERITIES, "odd", Severity.SUSPECT)
    monkeypatch.setitem(SEVERITIES, "broken", Severity.INVALID)
    assert status_of((PRIVATE_ADDRESS, "odd")) == "suspect"
    assert status_of(("broken", "odd", PRIVATE_ADDRESS)) == "invalid"
