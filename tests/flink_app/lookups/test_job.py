"""The running job with look-ups in a real name server, an emulated DynamoDB and a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.aws import REGION, Aws
from tests.support.cluster import SharedCluster
from tests.support.jobs import Results, run_job
from tests.support.lines import log_line
from tests.support.name_server import SILENCE, UNKNOWN, NameServer, name_server, usual_name

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

DELAY_SECONDS = 0.2
# More than two of Flink's bundles, so that one begins after the look-ups of another.
LINES = 2100
HOSTS = 60
SILENT, NAMELESS = {"81.2.69.7", "81.2.69.57"}, {f"81.2.69.{n}" for n in range(3, 60, 10)}
PAGES = ("index", "product", "search")
OLD, NEW = "spring", "autumn"


def host_of(number: int) -> str:
    return f"81.2.69.{number % HOSTS}"


def made_lines() -> str:
    """Returns a line for each second: each window has 60 requests, one of each host."""
    return "".join(
        log_line(
            f"17/May/2015:{10 + number // 3600}:{number // 60 % 60:02}:{number % 60:02} +0000",
            host=host_of(number),
            request=f"GET /{PAGES[number % 3]}.html?n={number} HTTP/1.1",
        )
        for number in range(LINES)
    )


def dns(server: NameServer) -> dict[str, str]:
    return {"enabled": "true", "servers": f"127.0.0.1:{server.port}", "patience": "1 min"}


def campaign(name: str) -> str:
    return f"webpage,owner,campaign\nindex,web team,{name}\nproduct,shop,{name}\n"


def number_of(row: dict[str, str]) -> int:
    return int(row["request"].partition("n=")[2].split()[0])


def windows(results: Results) -> list[tuple[str, int]]:
    rows = results.rows("traffic_overview")
    return sorted((row["window_start"], row["requests"]) for row in rows)


def all_windows(less: int = 0) -> list[tuple[str, int]]:
    return [(f"2015-05-17T10:{minute:02}:00Z", HOSTS - less) for minute in range(LINES // 60)]


def test_host_names_and_a_reference_file_that_changes_meanwhile(
    cluster: SharedCluster, tmp_path: Path
) -> None:
    reference = tmp_path / "pages.csv"
    reference.write_text(campaign(OLD))

    def answer(address: str) -> tuple[float, str]:
        if address in SILENT:
            # The first bundle waits for the silent server, for longer than the interval between two
            # looks at the file. So the next bundle finds the new file.
            fresh = tmp_path / f"new-{address}.csv"
            fresh.write_text(campaign(NEW))
            fresh.rename(reference)
            return 0.0, SILENCE
        return DELAY_SECONDS, UNKNOWN if address in NAMELESS else usual_name(address)

    with name_server(answer) as server:
        settings = {
            "weblog.job": {"execution.mode": "process"},
            "weblog.lookups.dns": dns(server),
            "weblog.reference": {"file": str(reference), "check.interval": "1 s"},
        }
        log = made_lines()
        results = run_job(cluster, tmp_path, log, "traffic_overview", settings=settings)
    rows = sorted(results.rows("enriched"), key=number_of)
    assert [number_of(row) for row in rows] == list(range(LINES))
    assert windows(results) == all_windows()
    for row in rows:
        host = row["host"]
        assert row["hostname"] == (None if host in SILENT | NAMELESS else usual_name(host))
        assert row["quality"] == (
            {"status": "ok", "issues": ["lookup_failed"]}
            if host in SILENT
            else {"status": "ok", "issues": []}
        )
    # The job remembers each answer. A silent server gets two questions within the time limit.
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
    # The campaign changes once, without a restart.
    assert campaigns[0] == OLD
    assert campaigns[-1] == NEW
    assert campaigns == sorted(campaigns, key=[OLD, NEW].index)


def test_reference_data_in_a_table_and_records_that_need_their_host_name(
    cluster: SharedCluster, aws: Aws, tmp_path: Path
) -> None:
    def answer(address: str) -> tuple[float, str]:
        return (0.0, SILENCE) if address in SILENT else (DELAY_SECONDS, usual_name(address))

    client = aws.client("dynamodb")
    client.create_table(
        TableName="pages",
        KeySchema=[{"AttributeName": "webpage", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "webpage", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.put_item(TableName="pages", Item={"webpage": {"S": "index"}, "owner": {"S": "web team"}})
    client.close()
    with name_server(answer) as server:
        settings = {
            "weblog.job": {"execution.mode": "thread"},
            "weblog.lookups.dns": dns(server) | {"on.failure": "dead_letter"},
            "weblog.lookups.dynamodb": {
                "table": "pages",
                "region": REGION,
                "endpoint": aws.endpoint,
                "timeout": "20 s",
                "patience": "1 min",
            },
        }
        log = made_lines()
        results = run_job(cluster, tmp_path, log, "traffic_overview", settings=settings)
    failing = [number for number in range(LINES) if host_of(number) in SILENT]
    letters = results.rows("dead_letters")
    assert {(row["stage"], row["reason"]) for row in letters} == {("enrich", "lookup_failed")}
    assert sorted(int(row["raw"].partition("n=")[2].split()[0]) for row in letters) == failing
    rows = results.rows("enriched")
    assert len(rows) == LINES - len(failing)
    for row in rows:
        assert row["hostname"] == usual_name(row["host"])
        expected = {"owner": "web team"} if row["webpage"] == "index" else None
        assert row["reference"] == expected
        assert row["quality"]["issues"] == []
    assert windows(results) == all_windows(less=len(SILENT))
