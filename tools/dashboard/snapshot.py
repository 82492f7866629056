"""The run as one JSON document: what the page and the report show.

Only what was added since the last look is read, and what is kept has a bound, so a look
costs the same after gigabytes as at the start.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from flink_app.sql_files import output_files
from tools.dashboard.runs import Run
from tools.dashboard.tail import OutputTail, RestartedError
from tools.dashboard.views import View, output_views
from tools.local.journal import FINISHED
from tools.local.text import shown

SCHEMA = "weblog.dashboard/1"
# Counted while a run goes; afterwards the summary says how many.
_COUNTED = ("enriched", "late")
_BYTES_PER_LOOK = 16_000_000
_COUNTED_BYTES_PER_LOOK = 256_000_000
_MOST_REASONS = 50
_MOST_NETWORKS = 50


class RunReader:
    """Follows the results of one run.

    Args:
        run_id: The run that is followed.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._alerts = tuple(file.name for file in output_files() if file.kind == "alerts")
        self._start()

    def _start(self) -> None:
        self._views = output_views(self._alerts)
        self._tails = {name: OutputTail() for name in (*self._views, *_COUNTED)}
        self._counts = dict.fromkeys(_COUNTED, 0)
        self._unreadable = 0

    def look(self, run: Run) -> bool:
        """Reads what is new, up to some megabytes.

        Returns:
            Whether there was something; if so, there may be more.
        """
        before = self._read_bytes()
        try:
            self._look(run)
        except RestartedError:
            self._start()
            return True
        return self._read_bytes() != before

    def _look(self, run: Run) -> None:
        for name, view in self._views.items():
            for lines in self._tails[name].read(run.results / name, _BYTES_PER_LOOK):
                for line in lines.split(b"\n")[:-1]:
                    self._add(view, line)
        if run.summary is None:
            for name in _COUNTED:
                tail = self._tails[name]
                for lines in tail.read(run.results / name, _COUNTED_BYTES_PER_LOOK):
                    self._counts[name] += lines.count(b"\n")

    def _add(self, view: View, line: bytes) -> None:
        try:
            view.add(orjson.loads(line))
        except (ValueError, KeyError, TypeError):
            self._unreadable += 1

    def document(self, run: Run, output: str) -> dict[str, Any]:
        """Returns the snapshot.

        Args:
            run: The run as it is now.
            output: The output folder as the user named it.
        """
        views = {name: view.document() for name, view in self._views.items()}
        return {
            "schema": SCHEMA,
            "run": self._run(run, output),
            "accounts": self._accounts(run, views),
            "throughput": throughput(run.journal.get("samples") or []),
            "overview": views["traffic_overview"],
            "pages": views["errors_per_page"],
            "countries": views["traffic_per_country"],
            "clients": views["traffic_per_client"],
            "bots": views["bots"],
            "times": views["response_times"],
            "flow": views["page_flow"],
            "networks": _networks(run),
            "dead_letters": views["dead_letters"],
            "alerts": [{"output": name, **views[name]} for name in self._alerts],
        }

    def _run(self, run: Run, output: str) -> dict[str, Any]:
        journal = run.journal
        samples = journal.get("samples") or []
        seen = self._seen_bytes()
        summary = run.summary or {}
        outputs = journal.get("outputs") or list(summary.get("outputs", {}))
        return {
            "id": run.id,
            "state": run.state,
            "output": shown(output, 300),
            "started_at": journal.get("started_at"),
            "ended_at": journal.get("ended_at"),
            "seconds": summary.get("seconds"),
            "sources": [shown(source, 200) for source in journal.get("sources", [])],
            "source_count": journal.get("source_count", 0),
            "lines_total": journal.get("lines_total", summary.get("lines_in")),
            "lines_read": samples[-1][1] if samples else summary.get("lines_in"),
            "message": shown(journal["message"], 600) if journal.get("message") else None,
            "geoip": shown(journal["geoip"], 80) if journal.get("geoip") else None,
            "asn": shown(journal["asn"], 80) if journal.get("asn") else None,
            "outputs": [shown(name, 80) for name in outputs],
            "reading": min(1.0, self._read_bytes() / seen) if seen else 1.0,
            "unreadable": self._unreadable,
        }

    def _accounts(self, run: Run, views: dict[str, Any]) -> dict[str, Any]:
        if run.summary is None or run.state != FINISHED:
            return {
                "final": False,
                "lines_in": run.journal.get("lines_total"),
                "enriched": self._counts["enriched"],
                "late": self._counts["late"],
                "filtered": views["filtered"]["rows"],
                "filtered_count": views["filtered"]["count"],
                "dead_lettered_count": views["dead_letters"]["count"],
            }
        summary = run.summary
        filtered = summary["filtered"]
        return {
            "final": True,
            "lines_in": summary["lines_in"],
            "enriched": summary["enriched"],
            "late": summary["late"],
            "filtered": [
                {"reason": shown(reason, 100), "count": count}
                for reason, count in list(filtered.items())[:_MOST_REASONS]
            ],
            "filtered_count": sum(filtered.values()),
            "dead_lettered_count": sum(summary["dead_lettered"].values()),
        }

    def _read_bytes(self) -> int:
        return sum(self._tails[name].bytes_read for name in self._views)

    def _seen_bytes(self) -> int:
        return sum(self._tails[name].bytes_seen for name in self._views)


def _networks(run: Run) -> list[dict[str, Any]] | None:
    """Networks of probes; None where they have not been counted."""
    networks = (run.summary or {}).get("networks")
    if networks is None:
        return None
    return [
        network | {"as_org": shown(network["as_org"]) if network.get("as_org") else None}
        for network in networks[:_MOST_NETWORKS]
    ]


def throughput(samples: list[list[float]]) -> dict[str, list[float]]:
    """Returns the lines a second between samples of (seconds, lines read so far).

    Args:
        samples: From the run's journal.

    Returns:
        `seconds` at the end of each interval and `rate` in it.
    """
    seconds: list[float] = []
    rates: list[float] = []
    for (begin, before), (end, after) in pairwise([[0.0, 0], *samples]):
        if end > begin:
            seconds.append(end)
            rates.append(round(max(0.0, (after - before) / (end - begin)), 1))
    return {"seconds": seconds, "rate": rates}


def finished_snapshot(run: Run, output: Path) -> dict[str, Any]:
    """Returns the snapshot of results that no longer change, read to their end."""
    reader = RunReader(run.id)
    while reader.look(run):
        pass
    return reader.document(run, str(output))
