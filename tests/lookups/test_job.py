"""The whole job with look-ups on: nothing is lost, and windows close as without them."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from tests.job.running import SAMPLE, Result, run_job
from tests.lookups.name_server import SILENCE, UNKNOWN, name_server, usual_name

pytestmark = [pytest.mark.minicluster, pytest.mark.slow]

DELAY_SECONDS = 0.2
WINDOWS = "traffic_overview"


def answer(address: str) -> tuple[float, str]:
    """Every tenth address has no name, every fiftieth name server is dead."""
    number = int(address.rpartition(".")[2])
    if number % 50 == 7:
        return 0.0, SILENCE
    return DELAY_SECONDS, UNKNOWN if number % 10 == 3 else usual_name(address)


def expected(address: str) -> tuple[str | None, bool]:
    """Host name, and whether the look-up fails."""
    kind = answer(address)[1]
    if kind == SILENCE:
        return None, True
    return None if kind == UNKNOWN else kind, False


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run_job(tmp_path_factory.mktemp("plain") / "out")


@pytest.mark.parametrize("mode", ["process", "thread"])
def test_the_sample_with_slow_host_names(plain: Result, tmp_path: Path, mode: str) -> None:
    with name_server(answer) as server:
        result = run_job(
            tmp_path / "out",
            *("--set", f"weblog.job:execution.mode={mode}"),
            *("--set", "weblog.lookups.dns:enabled=true"),
            *("--set", f"weblog.lookups.dns:servers=127.0.0.1:{server.port}"),
            *("--set", "weblog.lookups.dns:patience=1 min"),
        )
    assert result.status == 0, result.errors
    assert result.summary["lines_in"] == 10_000
    assert result.summary["enriched"] == 9_999
    assert result.summary["late"] == plain.summary["late"] == 0

    rows = result.rows("enriched")
    # The address of every line, read from the log without the project's code.
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as log:
        hosts = Counter(line.split(" ", 1)[0] for line in log)
    assert sum((Counter(row["host"] for row in rows) - hosts).values()) == 0
    for row in rows:
        name, failed = expected(row["host"])
        assert row["hostname"] == name
        assert ("lookup_failed" in row["quality"]["issues"]) == failed
    assert any("lookup_failed" in row["quality"]["issues"] for row in rows)
    assert any(row["hostname"] for row in rows)
    # A dead server's address is asked for twice within its time limit, any other once.
    assert all(
        count == 1 for address, count in server.questions.items() if not expected(address)[1]
    )

    def without_additions(row: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in row.items() if key not in {"hostname", "quality"}}

    assert [without_additions(row) for row in rows] == [
        without_additions(row) for row in plain.rows("enriched")
    ]
    assert sorted(result.lines(WINDOWS)) == sorted(plain.lines(WINDOWS))


def test_reference_data_in_a_file(plain: Result, tmp_path: Path) -> None:
    pages = tmp_path / "pages.csv"
    pages.write_text("webpage,owner,campaign\nindex,web team,spring\n", encoding="utf-8")
    result = run_job(tmp_path / "out", "--set", f"weblog.reference:file={pages}")
    assert result.status == 0, result.errors
    rows = result.rows("enriched")
    assert len(rows) == 9_999
    index = {"owner": "web team", "campaign": "spring"}
    assert all(row["reference"] == (index if row["webpage"] == "index" else None) for row in rows)
    assert sorted(result.lines(WINDOWS)) == sorted(plain.lines(WINDOWS))


def test_a_missing_reference_file_is_told_before_anything_starts(tmp_path: Path) -> None:
    result = run_job(tmp_path / "out", "--set", f"weblog.reference:file={tmp_path / 'none.csv'}")
    assert result.status != 0
    assert "weblog.reference: file" in result.errors
    assert not (tmp_path / "out" / "enriched").exists()
