"""What a finished run produced: counted from its output files, not from the job's word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_TOP = 10
_NETWORKS = 50
# What stands in each record of a request with an error, or with an attempt to break in, and in few
# others: those need not be read.
_TELLING = (b'"response":"4', b'"response":"5', b'"probe_')
_PROBE = "probe_"
TELLING_REQUESTS = 10
"""A page with fewer is no slow page: there are always some of which one request took long."""


@dataclass(frozen=True, slots=True)
class PageErrors:
    """Errors of one page over the whole run."""

    webpage: str | None
    requests: int
    client_errors: int
    server_errors: int


@dataclass(frozen=True, slots=True)
class CountryTraffic:
    """Traffic of one country over the whole run; bytes as sent to the clients."""

    country: str | None
    requests: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class BotTraffic:
    """Traffic of one kind of bots over the whole run."""

    bot_kind: str
    requests: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class PageTimes:
    """How long the requests of one page took over the whole run."""

    webpage: str | None
    requests: int
    mean_ms: float
    max_ms: int


@dataclass(frozen=True, slots=True)
class NetworkProbes:
    """Attempts to break in and errors from one network over the whole run."""

    asn: int | None
    as_org: str | None
    probes: int
    client_errors: int
    server_errors: int


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The accounts of a run.

    Attributes:
        lines_in: Lines given to the job, counted before it started.
        enriched: Enriched records written.
        filtered: Lines left out on purpose, by reason.
        dead_lettered: Lines that could not be processed, by `stage/reason`.
        late: Enriched records that came after their window had closed.
        seconds: Wall-clock time of the job, start-up of Flink included.
        errors_per_page: Pages with errors, most first (at most ten).
        traffic_per_country: Countries, most requests first (at most ten).
        bots: Kinds of bots, most requests first.
        slowest_pages: Pages by the mean time of their requests, those with few last (at most ten);
            none where lines do not say it.
        networks: Networks with probes or errors, most probes first (at most fifty); the one that
            is not known has no number.
        outputs: Rows written to each output.
        first_window: Start of the first window, ISO 8601 UTC; None without windows.
        last_window: End of the last window.
    """

    lines_in: int
    enriched: int
    filtered: Mapping[str, int]
    dead_lettered: Mapping[str, int]
    late: int
    seconds: float
    errors_per_page: tuple[PageErrors, ...] = ()
    traffic_per_country: tuple[CountryTraffic, ...] = ()
    bots: tuple[BotTraffic, ...] = ()
    slowest_pages: tuple[PageTimes, ...] = ()
    networks: tuple[NetworkProbes, ...] = ()
    outputs: Mapping[str, int] = field(default_factory=dict)
    first_window: str | None = None
    last_window: str | None = None

    @property
    def accounted_for(self) -> int:
        """Returns the lines with a known end: enriched, filtered or dead-lettered."""
        return self.enriched + sum(self.filtered.values()) + sum(self.dead_lettered.values())

    @property
    def balanced(self) -> bool:
        """Returns whether every line in has exactly one end."""
        return self.accounted_for == self.lines_in

    def to_json(self) -> str:
        """Returns the summary as a JSON document for `summary.json`."""
        return json.dumps(asdict(self) | {"balanced": self.balanced}, indent=2) + "\n"


def summarise(results: Path, outputs: Sequence[str], lines_in: int, seconds: float) -> RunSummary:
    """Counts what lies in the output folders under `results`.

    Args:
        results: Folder with one folder per output that has rows.
        outputs: Names of the outputs that the run had switched on; `enriched` and `late` among
            them.
        lines_in: Lines that were given to the job.
        seconds: How long the job took.
    """
    windows = [
        (row["window_start"], row["window_end"]) for row in _rows(results / "traffic_overview")
    ]
    rows = {name: count_lines(results / name) for name in outputs}
    return RunSummary(
        lines_in=lines_in,
        enriched=rows["enriched"],
        filtered=_counted(row["reason"] for row in _rows(results / "filtered")),
        dead_lettered=_counted(
            f"{row['stage']}/{row['reason']}" for row in _rows(results / "dead_letters")
        ),
        late=rows["late"],
        seconds=round(seconds, 3),
        errors_per_page=_errors_per_page(results / "errors_per_page"),
        traffic_per_country=_traffic_per_country(results / "traffic_per_country"),
        bots=_bots(results / "bots"),
        slowest_pages=_slowest_pages(results / "response_times"),
        networks=_networks(results / "enriched"),
        outputs=rows,
        first_window=min((start for start, _ in windows), default=None),
        last_window=max((end for _, end in windows), default=None),
    )


def data_files(folder: Path) -> list[Path]:
    """Returns the finished files of an output; Flink's unfinished ones start with a dot."""
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )


def count_lines(folder: Path) -> int:
    """Returns the lines in all finished files of an output."""
    total = 0
    for path in data_files(folder):
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total += chunk.count(b"\n")
    return total


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, _lines(folder))


def _lines(folder: Path) -> Iterator[bytes]:
    for path in data_files(folder):
        with path.open("rb") as stream:
            yield from stream


def _counted(reasons: Iterator[str]) -> dict[str, int]:
    return dict(Counter(reasons).most_common())


def _errors_per_page(folder: Path) -> tuple[PageErrors, ...]:
    totals: dict[str | None, list[int]] = {}
    for row in _rows(folder):
        total = totals.setdefault(row["webpage"], [0, 0, 0])
        total[0] += row["requests"]
        total[1] += row["client_errors"]
        total[2] += row["server_errors"]
    pages = [PageErrors(page, *total) for page, total in totals.items() if total[1] + total[2]]
    pages.sort(key=lambda p: (-(p.client_errors + p.server_errors), p.webpage or ""))
    return tuple(pages[:_TOP])


def _traffic_per_country(folder: Path) -> tuple[CountryTraffic, ...]:
    totals: dict[str | None, list[int]] = {}
    for row in _rows(folder):
        total = totals.setdefault(row["country"], [0, 0])
        total[0] += row["requests"]
        total[1] += row["bytes_sent"]
    countries = [CountryTraffic(country, *total) for country, total in totals.items()]
    countries.sort(key=lambda c: (-c.requests, c.country or ""))
    return tuple(countries[:_TOP])


def _bots(folder: Path) -> tuple[BotTraffic, ...]:
    totals: dict[str, list[int]] = {}
    for row in _rows(folder):
        total = totals.setdefault(row["bot_kind"], [0, 0])
        total[0] += row["requests"]
        total[1] += row["bytes_sent"]
    bots = [BotTraffic(kind, *total) for kind, total in totals.items()]
    return tuple(sorted(bots, key=lambda bot: (-bot.requests, bot.bot_kind)))


def _slowest_pages(folder: Path) -> tuple[PageTimes, ...]:
    totals: dict[str | None, tuple[int, float, int]] = {}
    for row in _rows(folder):
        requests, total_ms, max_ms = totals.get(row["webpage"], (0, 0.0, 0))
        totals[row["webpage"]] = (
            requests + row["requests"],
            total_ms + row["mean_ms"] * row["requests"],
            max(max_ms, row["max_ms"]),
        )
    pages = [
        PageTimes(page, requests, round(total_ms / requests, 1), max_ms)
        for page, (requests, total_ms, max_ms) in totals.items()
    ]
    pages.sort(key=lambda p: (p.requests < TELLING_REQUESTS, -p.mean_ms, p.webpage or ""))
    return tuple(pages[:_TOP])


def _networks(folder: Path) -> tuple[NetworkProbes, ...]:
    totals: dict[tuple[int | None, str | None], list[int]] = {}
    for line in _lines(folder):
        if not any(telling in line for telling in _TELLING):
            continue
        row = json.loads(line)
        numbers = (
            any(issue.startswith(_PROBE) for issue in row["quality"]["issues"]),
            row["response"].startswith("4"),
            row["response"].startswith("5"),
        )
        if not any(numbers):
            continue
        total = totals.setdefault((row.get("asn"), row.get("as_org")), [0, 0, 0])
        for column, number in enumerate(numbers):
            total[column] += number
    networks = [NetworkProbes(*network, *total) for network, total in totals.items()]
    networks.sort(key=lambda n: (-n.probes, -(n.client_errors + n.server_errors), n.as_org or ""))
    return tuple(networks[:_NETWORKS])
