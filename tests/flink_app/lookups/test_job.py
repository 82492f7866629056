"""The running job with look-ups on: a real name server, an emulated DynamoDB, a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import boto3
import pytest

from tests.support.moto_server import moto_server
from tests.support.name_server import SILENCE, UNKNOWN, name_server, usual_name
from tests.support.running import Result, log_line, only, run_job
from tools.run.kinesis.emulator import CREDENTIALS, REGION

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

DELAY_SECONDS = 0.2
# Two of Flink's bundles and a bit, so that there is one that begins after another's look-ups.
LINES = 2100
HOSTS = 60
SILENT, NAMELESS = {"81.2.69.7", "81.2.69.57"}, {f"81.2.69.{n}" for n in range(3, 60, 10)}
PAGES = ("index", "product", "search")
OLD, NEW = "spring", "autumn"


def host_of(number: int) -> str:
    return f"81.2.69.{number % HOSTS}"


def made_lines(folder: Path) -> Path:
    """A line a second: 60 requests in each window, one of each host."""
    log = folder / "access.log"
    log.write_text(
        "".join(
            log_line(
                f"17/May/2015:{10 + number // 3600}:{number // 60 % 60:02}:{number % 60:02} +0000",
                host=host_of(number),
                request=f"GET /{PAGES[number % 3]}.html?n={number} HTTP/1.1",
            )
            for number in range(LINES)
        )
    )
    return log


def campaign(name: str) -> str:
    return f"webpage,owner,campaign\nindex,web team,{name}\nproduct,shop,{name}\n"


def number_of(row: dict[str, str]) -> int:
    return int(row["request"].partition("n=")[2].split()[0])


def windows(result: Result) -> list[tuple[str, int]]:
    return sorted((row["window_start"], row["requests"]) for row in result.rows("traffic_overview"))


def all_windows(less: int = 0) -> list[tuple[str, int]]:
    return [(f"2015-05-17T10:{minute:02}:00Z", HOSTS - less) for minute in range(LINES // 60)]


def test_host_names_and_a_reference_file_that_changes_meanwhile(tmp_path: Path) -> None:
    reference = tmp_path / "pages.csv"
    reference.write_text(campaign(OLD))

    def answer(address: str) -> tuple[float, str]:
        if address in SILENT:
            # The first bundle is under way: it waits for the silent server longer than the
            # interval in which the file is looked at, so the next bundle finds the new one.
            fresh = tmp_path / f"new-{address}.csv"
            fresh.write_text(campaign(NEW))
            fresh.rename(reference)
            return 0.0, SILENCE
        return DELAY_SECONDS, UNKNOWN if address in NAMELESS else usual_name(address)

    with name_server(answer) as server:
        result = run_job(
            tmp_path / "out",
            *only("traffic_overview"),
            *("--set", "weblog.lookups.dns:enabled=true"),
            *("--set", f"weblog.lookups.dns:servers=127.0.0.1:{server.port}"),
            *("--set", "weblog.lookups.dns:patience=1 min"),
            *("--set", f"weblog.reference:file={reference}"),
            *("--set", "weblog.reference:check.interval=1 s"),
            str(made_lines(tmp_path)),
        )
    assert result.status == 0, result.errors
    rows = sorted(result.rows("enriched"), key=number_of)
    assert [number_of(row) for row in rows] == list(range(LINES))
    assert windows(result) == all_windows()
    for row in rows:
        host = row["host"]
        assert row["hostname"] == (None if host in SILENT | NAMELESS else usual_name(host))
        assert row["quality"] == (
            {"status": "ok", "issues": ["lookup_failed"]}
            if host in SILENT
            else {"status": "ok", "issues": []}
        )
    # Each is remembered. Within its time limit a silent server is asked twice.
    asked = server.questions
    assert asked == Counter({f"81.2.69.{n}": 1 for n in range(HOSTS)}) | Counter(
        {host: asked[host] for host in SILENT}
    )

    owners = {"index": "web team", "product": "shop"}
    campaigns = []
    for row in rows:
        found, owner = row["reference"], owners.get(row["webpage"])
        if owner is None:
            assert found is None
        else:
            assert found == {"owner": owner, "campaign": found["campaign"]}
            campaigns.append(found["campaign"])
    # One change, without a restart.
    assert campaigns[0] == OLD
    assert campaigns[-1] == NEW
    assert campaigns == sorted(campaigns, key=[OLD, NEW].index)


def test_reference_data_in_a_table_and_records_that_need_their_host_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)

    def answer(address: str) -> tuple[float, str]:
        return (0.0, SILENCE) if address in SILENT else (DELAY_SECONDS, usual_name(address))

    with moto_server() as endpoint, name_server(answer) as server:
        client = boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION)
        client.create_table(
            TableName="pages",
            KeySchema=[{"AttributeName": "webpage", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "webpage", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(
            TableName="pages", Item={"webpage": {"S": "index"}, "owner": {"S": "web team"}}
        )
        client.close()
        result = run_job(
            tmp_path / "out",
            *only("traffic_overview"),
            *("--set", "weblog.job:execution.mode=thread"),
            *("--set", "weblog.lookups.dns:enabled=true"),
            *("--set", f"weblog.lookups.dns:servers=127.0.0.1:{server.port}"),
            *("--set", "weblog.lookups.dns:patience=1 min"),
            *("--set", "weblog.lookups.dns:on.failure=dead_letter"),
            *("--set", "weblog.lookups.dynamodb:table=pages"),
            *("--set", f"weblog.lookups.dynamodb:region={REGION}"),
            *("--set", f"weblog.lookups.dynamodb:endpoint={endpoint}"),
            *("--set", "weblog.lookups.dynamodb:timeout=20 s"),
            *("--set", "weblog.lookups.dynamodb:patience=1 min"),
            str(made_lines(tmp_path)),
        )
    assert result.status == 0, result.errors
    failing = [number for number in range(LINES) if host_of(number) in SILENT]
    assert result.summary["lines_in"] == LINES
    assert result.summary["dead_lettered"] == {"enrich/lookup_failed": len(failing)}
    letters = result.rows("dead_letters")
    assert sorted(int(row["raw"].partition("n=")[2].split()[0]) for row in letters) == failing
    rows = result.rows("enriched")
    assert len(rows) == LINES - len(failing)
    for row in rows:
        assert row["hostname"] == usual_name(row["host"])
        expected = {"owner": "web team"} if row["webpage"] == "index" else None
        assert row["reference"] == expected
        assert row["quality"]["issues"] == []
    assert windows(result) == all_windows(less=len(SILENT))


def test_a_missing_reference_file_is_told_before_anything_starts(tmp_path: Path) -> None:
    result = run_job(tmp_path / "out", "--set", f"weblog.reference:file={tmp_path / 'none.csv'}")
    assert result.status == 2
    (line,) = result.errors.splitlines()
    assert line.startswith("error: weblog.reference: file = ")
    assert not (tmp_path / "out" / "enriched").exists()
