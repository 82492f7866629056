"""Made outputs of a run, and hostile log lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from tests.support.rows import Row

# A page must never run such markup, load it, or be restyled by it.
MARKUP = (
    "<script>hacked=1</script>",
    "</script><script>hacked=1</script>",
    "<!--<script>hacked=1",
    "<img/src=x/onerror=hacked=1>",
    "<svg/onload=hacked=1>",
    "'onmouseover='hacked=1",
    "javascript:hacked=1",
    "<style>*{display:none}</style>",
    "<base/href=//evil.example>",
    "{{constructor.constructor('hacked=1')()}}",
    "${hacked=1}",
    "&lt;script&gt;hacked=1",
    "\u2028hacked=1\u2029",
    "\u202egnp.exe",
    "__proto__",
)

TIME = "17/May/2015:10:05:{second:02}"


def hostile_log() -> str:
    """Returns lines that carry the markup in every field that a client controls."""
    lines = []
    for number, markup in enumerate(MARKUP):
        time = f"{TIME.format(second=number)} +0000"
        quoted = markup.replace("\\", "\\\\").replace('"', '\\"')
        good = (
            f'- - [{time}] "GET /{quoted} HTTP/1.1" 404 10 "http://x.example/{quoted}" "{quoted}"'
        )
        lines += [
            f"203.0.113.9 {good}",
            f"{markup.replace(' ', '')} {good}",
            f'203.0.113.9 - - [{time}] "GET /{quoted} HTTP/1.1" 500 1 "{quoted}" "{quoted}',
            f'203.0.113.9 - {quoted} [{quoted}] "GET / HTTP/1.1" 200 1 "-" "-"',
        ]
    return "\n".join(lines) + "\n"


def write_rows(
    results: Path, output: str, rows: Iterable[Row], name: str = "part-0-0", tail: str = ""
) -> Path:
    """Writes rows as Flink does; `tail` is the beginning of an unfinished row."""
    folder = results / output
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
        stream.write(tail)
    return path


IN_PROGRESS = ".part-1f-0-0.inprogress.2c"


def window(minute: int, day: int = 17) -> Row:
    start = f"2015-05-{day:02}T{minute // 60:02}:{minute % 60:02}:00Z"
    end = minute + 1
    return {
        "window_start": start,
        "window_end": f"2015-05-{day:02}T{end // 60:02}:{end % 60:02}:00Z",
    }


def overview(minute: int, requests: int = 10, client: int = 0, server: int = 0) -> Row:
    return window(minute) | {
        "requests": requests,
        "bytes_sent": 100 * requests,
        "client_errors": client,
        "server_errors": server,
        "bot_requests": 1,
    }


def page(minute: int, name: str | None, requests: int, client: int = 0, server: int = 0) -> Row:
    return window(minute) | {
        "webpage": name,
        "requests": requests,
        "client_errors": client,
        "server_errors": server,
    }


def country(minute: int, name: str | None, requests: int) -> Row:
    return window(minute) | {"country": name, "requests": requests, "bytes_sent": 10 * requests}


def client(minute: int, requests: int, browser: str | None = "Chrome") -> Row:
    return window(minute) | {
        "device_type": "desktop",
        "os": "Linux",
        "browser": browser,
        "requests": requests,
        "bytes_sent": 10 * requests,
    }


def bot(minute: int, name: str | None, requests: int, kind: str = "search") -> Row:
    counts = {"requests": requests, "bytes_sent": 10 * requests}
    return window(minute) | {"bot_kind": kind, "bot": name} | counts


def times(
    minute: int, name: str | None, requests: int, *, mean: float, longest: int, p95: float
) -> Row:
    return window(minute) | {
        "webpage": name,
        "requests": requests,
        "mean_ms": mean,
        "max_ms": longest,
        "p95_ms": p95,
    }


def step(minute: int, origin: str | None, target: str, requests: int) -> Row:
    return window(minute) | {"refering_page": origin, "webpage": target, "requests": requests}


def letter(reason: str, raw: str = "not a line", encoding: str = "utf-8") -> Row:
    return {
        "schema": "weblog.dead-letter/1",
        "stage": "parse",
        "reason": reason,
        "message": "the line has another form",
        "raw": raw,
        "raw_encoding": encoding,
        "event_time": None,
        "failed_at": "2026-01-02T03:04:05.000Z",
        "attempts": 1,
    }


OUTPUTS = [
    "alerts", "bots", "dead_letters", "enriched", "errors_per_page", "filtered", "late",
    "page_flow", "traffic_overview", "traffic_per_client", "traffic_per_country",
]  # fmt: skip


def journal(phase: str, **changes: object) -> Row:
    return {
        "id": "run-1",
        "pid": os.getpid(),
        "phase": phase,
        "started_at": "2026-01-02T03:04:05+00:00",
        "outputs": OUTPUTS,
        "geoip": "DBIP-City-Lite",
        "asn": "GeoLite2-ASN",
        "sources": ["access.log"],
        "source_count": 1,
        "lines_total": 100,
        "rest_address": None,
        "message": None,
        "samples": [[1.0, 10], [2.0, 30]],
        **changes,
    }


def summary(**changes: object) -> Row:
    return {
        "lines_in": 100,
        "enriched": 97,
        "filtered": {"blank_line": 1},
        "dead_lettered": {"parse/malformed_line": 2},
        "late": 3,
        "seconds": 12.5,
        "outputs": dict.fromkeys(OUTPUTS, 1),
        "networks": [network("Example Hosting", probes=7), network(None, client=5)],
        **changes,
    }


def network(name: str | None, *, probes: int = 0, client: int = 0, server: int = 0) -> Row:
    counts = {"probes": probes, "client_errors": client, "server_errors": server}
    return {"asn": None if name is None else 64500, "as_org": name} | counts


def write_json(path: Path, document: Row) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def finished_run(output: Path) -> Path:
    """Writes a small finished run with rows for every view."""
    write_json(output / "summary.json", summary())
    write_json(output / "run.json", journal("finished"))
    write_rows(output, "traffic_overview", [overview(m, 10 + m, m % 3, m % 2) for m in range(60)])
    write_rows(
        output,
        "errors_per_page",
        [page(1, "cart", 9, client=2, server=1), page(2, "index", 50), page(2, None, 4, client=4)],
    )
    write_rows(
        output,
        "traffic_per_country",
        [country(1, "France", 40), country(1, "Singapore", 7), country(2, None, 3)],
    )
    write_rows(output, "traffic_per_client", [client(1, 30), client(2, 5, None)])
    write_rows(
        output,
        "bots",
        [bot(1, "Googlebot", 6), bot(2, "Googlebot", 2), bot(2, None, 3, "tool")],
    )
    write_rows(
        output,
        "response_times",
        [
            times(1, "index", 30, mean=20.5, longest=90, p95=60.0),
            times(1, "report", 1, mean=2500.0, longest=2500, p95=2500.0),
            times(1, "rare", 9, mean=5000.0, longest=9000, p95=9000.0),
            times(2, "report", 9, mean=500.0, longest=900, p95=850.0),
        ],
    )
    steps = [step(1, "index", "search", 8), step(2, "index", "search", 4)]
    write_rows(output, "page_flow", [*steps, step(2, "search", "cart", 3)])
    write_rows(
        output,
        "dead_letters",
        [letter("malformed_line"), letter("malformed_line", "/wDDKA==", "base64")],
    )
    write_rows(
        output,
        "alerts",
        [
            {"alert": "errors", "state": "started", "subject": "cart", "metric_value": 0.33,
             "changed_at": "2015-05-17T00:02:00Z", "unused": None},
            {"alert": "errors", "state": "ended", "subject": "cart", "metric_value": 0.0,
             "changed_at": "2015-05-17T00:09:00Z", "unused": None},
        ],
    )  # fmt: skip
    return output
