"""The counts over the outputs of a finished run."""

from __future__ import annotations

from pathlib import Path

import orjson

from tests.support.jobs import RECORDS
from tests.support.rows import Row
from tools.local.summary import NetworkProbes, summarise

PROBE = "probe_path_traversal"


def record(asn: int | None, org: str | None, response: str, *issues: str) -> Row:
    return {
        # This text of the log looks like a record.
        "request": 'GET /"response":"404","probe_ HTTP/1.1',
        "response": response,
        "asn": asn,
        "as_org": org,
        "quality": {"status": "ok", "issues": list(issues)},
    }


def test_networks_of_probes_and_errors(tmp_path: Path) -> None:
    assert summarise(tmp_path, RECORDS, 0, 1.0).networks == ()
    rows = [
        record(1, "Quiet", "200"),
        *[record(2, "Errors", "404")] * 3,
        record(2, "Errors", "503"),
        record(3, "Prober", "404", "odd_client", PROBE),
        record(3, "Prober", "200", PROBE),
        record(None, None, "500"),
    ]
    (tmp_path / "enriched").mkdir()
    # The job writes rows without spaces.
    written = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    (tmp_path / "enriched" / "part-0").write_bytes(written)
    assert summarise(tmp_path, RECORDS, 9, 1.0).networks == (
        NetworkProbes(3, "Prober", 2, 1, 0),
        NetworkProbes(2, "Errors", 0, 3, 1),
        NetworkProbes(None, None, 0, 0, 1),
    )
