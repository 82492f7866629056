"""The view `access_log` has the fields that only some formats have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core import combined
from tests.support.lines import BOT
from tests.support.running import sql_as_user

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

PATTERN = (
    '%v %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D "%{X-Forwarded-For}i"'
    ' "%{Accept}i"'
)
SETTINGS = (
    f"weblog.parser:pattern={PATTERN}",
    "weblog.parser:extra.fields=Accept",
    "weblog.client:source=forwarded",
)
QUERY = "SELECT host, proxy, vhost, request_time_ms, bot_kind, extra FROM access_log;\n"


def test_fields_of_a_format_of_ones_own(tmp_path: Path) -> None:
    lines = [
        f'shop.example {combined(host="10.0.0.7", agent=BOT)} 4200 "203.0.113.9" "text/html"',
        f'- {combined(host="10.0.0.8")} - "-" "-"',
    ]
    (tmp_path / "access.log").write_text("\n".join(lines) + "\n")
    (tmp_path / "query.sql").write_text(QUERY)
    ended = sql_as_user(
        tmp_path / "query.sql",
        *("--log", str(tmp_path / "access.log"), "--out", str(tmp_path)),
        *(argument for setting in SETTINGS for argument in ("--set", setting)),
    )
    assert ended.returncode == 0, ended.stderr
    table = [line.strip("| ") for line in ended.stdout.splitlines() if line.startswith("|")]
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in table]
    assert head == ["host", "proxy", "vhost", "request_time_ms", "bot_kind", "extra"]
    assert rows == [
        ["203.0.113.9", "10.0.0.7", "shop.example", "4", "search", '{"Accept":"text/html"}'],
        ["10.0.0.8", "<NULL>", "<NULL>", "<NULL>", "<NULL>", '{"Accept":null}'],
    ]
