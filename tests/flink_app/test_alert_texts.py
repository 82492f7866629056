"""The pipes' messages about alerts, with page names of an attacker."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.cluster import SharedCluster
from tests.support.jobs import run_job
from tests.support.lines import log_line
from tests.support.rows import Row
from tests.support.stacks import alert_template

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

PAGES = {
    "index": "index",
    "prix-été_日本": "prix-été_日本",
    "<!channel>": "??channel?",
    "<http:||evil.example|click&here>": "?http:??evil.example?click?here?",
    '","attachments":[{"text":"x"}],"y":"': "?,?attachments?:???text?:?x???,?y?:?",
    "back\\slash\\u0000": "back?slash?u0000",
    "line\nbreak\u2028<$.data.alert>": "line?break???.data.alert?",
    "*bold*`code`~gone~@here": "?bold??code??gone??here",
    "long" * 60: "long" * 50,
}


def sent(template: str, row: Row) -> Any:
    """Returns the JSON that a pipe makes of a row, with the values in place of their paths."""
    text = re.sub(r"<\$\.data\.(\w+)>", lambda path: str(row[path[1]]), template)
    return json.loads(text)


def test_no_page_can_break_a_text_or_make_more_of_it(
    cluster: SharedCluster, tmp_path: Path
) -> None:
    lines = "".join(
        log_line(
            "28/Oct/2025:10:15:30 +0000",
            request=f"GET /{quote(page, safe='')} HTTP/1.1",
            status=500,
        )
        for page in PAGES
    )
    rules = {"weblog.alerts.rules": {"bad_page": "server_errors per page > 0"}}

    rows = run_job(cluster, tmp_path / "job", lines, "alerts", settings=rules).rows("alerts")

    started = [row for row in rows if (row["alert"], row["state"]) == ("bad_page", "started")]
    assert {row["subject"]: row["subject_text"] for row in started} == PAGES
    for row in started:
        post, text = (sent(alert_template(pipe), row) for pipe in ("AlertWebhookPipe", "AlertPipe"))
        assert post == {"text": text}
        assert f" started for page {row['subject_text']}: server_errors was 1" in text
        assert not re.search(r"[<>&\"\\\n]", text)
