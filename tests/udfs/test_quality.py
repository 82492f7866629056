import json

from udfs.quality import quality_member, status_of


def test_no_issue_is_ok() -> None:
    assert quality_member(()) == '"quality":{"status":"ok","issues":[]},'


def test_an_information_does_not_change_the_status() -> None:
    members = quality_member(("private_address",)).removesuffix(",")
    assert json.loads(f"{{{members}}}") == {
        "quality": {"status": "ok", "issues": ["private_address"]}
    }


def test_the_gravest_issue_decides() -> None:
    assert status_of(("private_address", "probe_xss")) == "suspect"
    assert status_of(("size_impossible", "probe_xss", "private_address")) == "invalid"
