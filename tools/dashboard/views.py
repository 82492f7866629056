"""What is made of each output's rows: bounded sums and samples, as the page shows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson

from tools.dashboard.totals import Key, TimeTotals, Totals
from tools.local.summary import TELLING_REQUESTS
from tools.local.text import raw_line, shown
from udfs.enrich.countries import country_names
from udfs.record.keys import FIELD_SEPARATOR, keys

type Row = dict[str, Any]

_PAGES_KEPT = 5000
_PAGES_SHOWN = 50
_NAMES_KEPT = 1000
_NAMES_SHOWN = 15
_REASONS_KEPT = 30
_SAMPLES = 5
_SAMPLE_LENGTH = 500
_ALERTS_SHOWN = 200
_ALERTS_BYTES = 150_000
_ALERT_VALUE_LENGTH = 120
_STEPS_SHOWN = 120
_FLOW_PAGES = 12
_STEPS_LISTED = 30

_OVERVIEW = ("requests", "client_errors", "server_errors", "bot_requests", "bytes_sent")


class View(Protocol):
    """Takes rows, gives what is to be shown of them all."""

    def add(self, row: Row) -> None:
        """Takes a row."""

    def document(self) -> dict[str, Any]:
        """Returns what is shown, as JSON; its size has a bound."""


class Overview:
    """The whole site over event time, from `traffic_overview`."""

    def __init__(self) -> None:
        self._time = TimeTotals(len(_OVERVIEW))
        self._totals = dict.fromkeys(_OVERVIEW, 0)

    def add(self, row: Row) -> None:
        """Takes a window."""
        begin = _seconds(row["window_start"])
        numbers = [row[name] for name in _OVERVIEW]
        self._time.add(begin, _seconds(row["window_end"]) - begin, numbers)
        for name, number in zip(_OVERVIEW, numbers, strict=True):
            self._totals[name] += number

    def document(self) -> dict[str, Any]:
        """Returns totals, and a series of at most 120 steps."""
        series = self._time.series(_STEPS_SHOWN)
        return {
            "totals": self._totals,
            "step": series.step,
            "starts": series.starts,
            "outside": series.outside,
            **dict(zip(_OVERVIEW, series.columns, strict=True)),
        }


class ErrorPages:
    """Pages by number of errors, from `errors_per_page`."""

    def __init__(self) -> None:
        self._pages = Totals(3, _PAGES_KEPT, lambda s: (s[1] + s[2], s[0]))

    def add(self, row: Row) -> None:
        """Takes a page's window."""
        self._pages.add(row["webpage"], row["requests"], row["client_errors"], row["server_errors"])

    def document(self) -> dict[str, Any]:
        """Returns the pages with most errors, and what the others have together."""
        pages, rest = self._pages.largest(_PAGES_SHOWN)
        _, client, server = self._pages.total()
        return {
            "rows": [
                {
                    "name": _name(page),
                    "requests": sums[0],
                    "client_errors": sums[1],
                    "server_errors": sums[2],
                }
                for page, sums in pages
                if sums[1] + sums[2]
            ],
            "errors": client + server,
            "errors_of_others": rest[1] + rest[2],
        }


class Countries:
    """Traffic by country, from `traffic_per_country`."""

    def __init__(self) -> None:
        self._countries = Totals(2, _NAMES_KEPT, lambda sums: (sums[0],))
        self._codes = {name: code for code, name in country_names().items()}

    def add(self, row: Row) -> None:
        """Takes a country's window."""
        self._countries.add(row["country"], row["requests"], row["bytes_sent"])

    def document(self) -> dict[str, Any]:
        """Returns all countries; the world has fewer than are kept."""
        countries, _ = self._countries.largest(300)
        return {
            "rows": [
                {
                    "name": _name(country),
                    "code": self._codes.get(country or ""),
                    "requests": sums[0],
                    "bytes_sent": sums[1],
                }
                for country, sums in countries
            ]
        }


class TrafficBy:
    """Traffic by each of some columns, such as those of `bots`.

    Args:
        columns: Their names.
    """

    def __init__(self, *columns: str) -> None:
        self._totals = {name: Totals(2, _NAMES_KEPT, lambda sums: (sums[0],)) for name in columns}

    def add(self, row: Row) -> None:
        """Takes a window."""
        for name, totals in self._totals.items():
            totals.add(row[name], row["requests"], row["bytes_sent"])

    def document(self) -> dict[str, Any]:
        """Returns the largest of each, and the sum of the others."""
        return {name: _named(totals) for name, totals in self._totals.items()}


class ResponseTimes:
    """Pages by the mean time of their requests, those with few last, from `response_times`."""

    def __init__(self) -> None:
        # Requests and their time; the longest and the largest percentile, as percentiles of several
        # windows make none of all.
        self._pages = Totals(4, _PAGES_KEPT, _slowness, largest=2)

    def add(self, row: Row) -> None:
        """Takes a page's window."""
        requests = row["requests"]
        total = round(row["mean_ms"] * requests)
        self._pages.add(row["webpage"], requests, total, row["max_ms"], round(row["p95_ms"]))

    def document(self) -> dict[str, Any]:
        """Returns the slowest pages, and how many requests the others have."""
        pages, rest = self._pages.largest(_PAGES_SHOWN)
        return {
            "rows": [
                {
                    "name": _name(page),
                    "requests": sums[0],
                    "mean_ms": sums[1] / sums[0],
                    "max_ms": sums[2],
                    "p95_ms": sums[3],
                }
                for page, sums in pages
            ],
            "requests_of_others": rest[0],
        }


class PageFlow:
    """Steps from page to page, from `page_flow`."""

    def __init__(self) -> None:
        self._steps = Totals(1, _PAGES_KEPT, lambda sums: sums)

    def add(self, row: Row) -> None:
        """Takes the window of a step."""
        self._steps.add(keys(row["refering_page"], row["webpage"]), row["requests"])

    def document(self) -> dict[str, Any]:
        """Returns the most frequent steps, as a matrix of their pages and as a list."""
        ranked, _ = self._steps.largest(2 * _PAGES_KEPT)
        steps = {_pages_of(key): sums[0] for key, sums in ranked}
        # In the order of the most frequent step of each.
        origins: dict[str, None] = {}
        targets: dict[str, None] = {}
        for origin, target in steps:
            if len(origins | {origin: None}) <= _FLOW_PAGES >= len(targets | {target: None}):
                origins[origin] = targets[target] = None
        matrix = [[steps.get((origin, target), 0) for target in targets] for origin in origins]
        requests = self._steps.total()[0]
        return {
            "requests": requests,
            "requests_of_others": requests - sum(map(sum, matrix)),
            "origins": [_name(page or None) for page in origins],
            "targets": [_name(page or None) for page in targets],
            "matrix": matrix,
            "rows": [
                {"origin": _name(origin or None), "target": _name(target), "requests": count}
                for (origin, target), count in list(steps.items())[:_STEPS_LISTED]
            ],
        }


class DeadLetters:
    """Dead letters by reason, each with its first samples."""

    def __init__(self) -> None:
        self._counts = Totals(1, _REASONS_KEPT, lambda sums: sums)
        self._samples: dict[str, list[dict[str, Any]]] = {}

    def add(self, row: Row) -> None:
        """Takes a letter."""
        reason = shown(f"{row['stage']}/{row['reason']}", 100)
        self._counts.add(reason, 1)
        samples = self._samples.get(reason)
        if samples is None:
            if len(self._samples) >= _REASONS_KEPT:
                return
            samples = self._samples[reason] = []
        raw = raw_line(row, _SAMPLE_LENGTH)
        # The same line again and again would tell nothing more.
        if len(samples) < _SAMPLES and all(sample["raw"] != raw for sample in samples):
            samples.append(
                {
                    "message": shown(row.get("message") or ""),
                    "raw": raw,
                    "encoding": shown(row.get("raw_encoding") or "", 20),
                    "failed_at": shown(row.get("failed_at") or "", 30),
                    "attempts": shown(row.get("attempts", 1), 10),
                }
            )

    def document(self) -> dict[str, Any]:
        """Returns reasons, most frequent first."""
        reasons, rest = self._counts.largest(_REASONS_KEPT)
        return {
            "count": self._counts.total()[0],
            "others": rest[0],
            "rows": [
                {"reason": reason, "count": sums[0], "samples": self._samples.get(reason or "", [])}
                for reason, sums in reasons
            ],
        }


class FilteredLines:
    """Lines left out on purpose, by reason."""

    def __init__(self) -> None:
        self._counts = Totals(1, _REASONS_KEPT, lambda sums: sums)

    def add(self, row: Row) -> None:
        """Takes a filtered line."""
        self._counts.add(shown(row["reason"], 100), 1)

    def document(self) -> dict[str, Any]:
        """Returns reasons, most frequent first."""
        reasons, rest = self._counts.largest(_REASONS_KEPT)
        return {
            "count": self._counts.total()[0],
            "others": rest[0],
            "rows": [{"reason": reason, "count": sums[0]} for reason, sums in reasons],
        }


class Alerts:
    """Rows of an output of kind `alerts`, whatever columns it has."""

    def __init__(self) -> None:
        self._latest: deque[Row] = deque(maxlen=_ALERTS_SHOWN)
        self._count = 0

    def add(self, row: Row) -> None:
        """Takes an alert's start or end."""
        self._count += 1
        self._latest.append(
            {
                shown(name, 40): value
                if value is None or isinstance(value, bool | int | float)
                else shown(value, _ALERT_VALUE_LENGTH)
                for name, value in list(row.items())[:24]
            }
        )

    def document(self) -> dict[str, Any]:
        """Returns the latest rows, the newest first, with those columns that say something."""
        rows: list[Row] = []
        size = 0
        # Where hours of a log pass in seconds, an end may be written before its start.
        in_order = sorted(self._latest, key=lambda row: str(row.get("changed_at") or ""))
        for row in reversed(in_order):
            size += len(orjson.dumps(row))
            if size > _ALERTS_BYTES:
                break
            rows.append(row)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        columns = [name for name in columns if any(row.get(name) is not None for row in rows)]
        return {
            "count": self._count,
            "columns": columns,
            "rows": [[row.get(name) for name in columns] for row in rows],
        }


def _slowness(sums: Sequence[int]) -> tuple[bool, float]:
    requests, total_ms, *_ = sums
    return requests >= TELLING_REQUESTS, total_ms / requests


def _pages_of(key: Key) -> tuple[str, str]:
    origin, _, target = (key or "").partition(FIELD_SEPARATOR)
    return origin, target


def _named(totals: Totals) -> dict[str, Any]:
    largest, rest = totals.largest(_NAMES_SHOWN)
    return {
        "rows": [
            {"name": _name(name), "requests": sums[0], "bytes_sent": sums[1]}
            for name, sums in largest
        ],
        "others": {"requests": rest[0], "bytes_sent": rest[1]},
    }


def _name(key: Key) -> str | None:
    return None if key is None else shown(key)


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def output_views(alerts: Sequence[str]) -> Mapping[str, View]:
    """Returns a new view for each output that is shown.

    Args:
        alerts: Names of the outputs of kind `alerts`.
    """
    return {
        "traffic_overview": Overview(),
        "errors_per_page": ErrorPages(),
        "traffic_per_country": Countries(),
        "traffic_per_client": TrafficBy("device_type", "browser", "os"),
        "bots": TrafficBy("bot_kind", "bot"),
        "response_times": ResponseTimes(),
        "page_flow": PageFlow(),
        "dead_letters": DeadLetters(),
        "filtered": FilteredLines(),
        **{name: Alerts() for name in alerts},
    }
