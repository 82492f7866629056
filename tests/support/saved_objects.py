"""Saved objects of OpenSearch Dashboards: the visualisations' queries and expected answers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.rows import Row

_BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"
_HOURLY = "1h"
type Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class Visualisation:
    """A visualisation: the aggregations of its metrics and buckets, and its alias."""

    title: str
    alias: str
    metrics: Sequence[Row]
    buckets: Sequence[Row]

    def request(self) -> Row:
        """Returns the search request of Dashboards."""
        metrics = {
            one["id"]: {one["type"]: {"field": one["params"]["field"]}}
            for one in self.metrics
            if one["type"] != "count"
        }
        aggregations: Row = metrics
        for bucket in reversed(self.buckets):
            inner = {"aggs": aggregations} if aggregations else {}
            # An outer bucket has the metrics too, which order the inner buckets.
            aggregations = {bucket["id"]: self._bucket(bucket) | inner}
            if bucket is not self.buckets[0]:
                aggregations |= metrics
        return {"size": 0, "aggs": aggregations}

    def _bucket(self, bucket: Row) -> Row:
        given = bucket["params"]
        asked: Row = {"field": given["field"]}
        if bucket["type"] == "terms":
            by = next(one for one in self.metrics if one["id"] == given["orderBy"])
            by_name = "_count" if by["type"] == "count" else by["id"]
            asked |= {"size": given["size"], "order": {by_name: given["order"]}}
        elif bucket["type"] == "date_histogram":
            asked |= {"fixed_interval": _HOURLY, "min_doc_count": 1}
        else:
            asked |= {"precision": given["precision"]}
        return {bucket["type"]: asked}

    def shown(self, answer: Row) -> dict[tuple[Any, ...], Numbers]:
        """Returns the metrics in an answer by the keys of their buckets."""
        return dict(self._shown(answer["aggregations"], 0, ()))

    def _shown(
        self, node: Row, depth: int, path: tuple[Any, ...]
    ) -> Iterator[tuple[tuple[Any, ...], Numbers]]:
        if depth == len(self.buckets):
            yield (
                path,
                {
                    one["id"]: node["doc_count"]
                    if one["type"] == "count"
                    else node[one["id"]]["value"]
                    for one in self.metrics
                },
            )
            return
        for bucket in node[self.buckets[depth]["id"]]["buckets"]:
            yield from self._shown(bucket, depth + 1, (*path, bucket["key"]))

    def expected(self, rows: Sequence[Row]) -> dict[tuple[Any, ...], Numbers]:
        """Returns all metrics over an output's rows by the keys of their buckets."""
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in rows:
            path = tuple(_KEYS[one["type"]](one, row) for one in self.buckets)
            if None not in path:
                groups[path].append(row)
        return {path: self._measured(group) for path, group in groups.items()}

    def _measured(self, rows: list[Row]) -> Numbers:
        measured: Numbers = {}
        for one in self.metrics:
            values = [row[one["params"]["field"]] for row in rows if one["type"] != "count"]
            present = [value for value in values if value is not None]
            match one["type"]:
                case "count":
                    measured[one["id"]] = len(rows)
                case "sum":
                    measured[one["id"]] = sum(present)
                case "max":
                    measured[one["id"]] = max(present, default=float("-inf"))
                case "avg":
                    measured[one["id"]] = sum(present) / len(present)
        return measured


def visualisations(file: Path) -> list[Visualisation]:
    """Returns the visualisations in a file of saved objects."""
    objects = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    titles = {
        one["id"]: one["attributes"]["title"] for one in objects if one["type"] == "index-pattern"
    }
    made = []
    for one in objects:
        if one["type"] == "visualization":
            state = json.loads(one["attributes"]["visState"])
            (reference,) = one["references"]
            metrics = [agg for agg in state["aggs"] if agg["schema"] == "metric"]
            buckets = [agg for agg in state["aggs"] if agg["schema"] != "metric"]
            title = one["attributes"]["title"]
            made.append(Visualisation(title, titles[reference["id"]], metrics, buckets))
    return made


def _hour(bucket: Row, row: Row) -> int:
    time = datetime.fromisoformat(row[bucket["params"]["field"]])
    return int(time.timestamp()) // 3600 * 3_600_000


def _cell(bucket: Row, row: Row) -> str | None:
    """Returns the geohash of a row's place: bits of longitude and latitude in turns."""
    place = row[bucket["params"]["field"]]
    if place is None:
        return None
    bounds = {"lon": [-180.0, 180.0], "lat": [-90.0, 90.0]}
    bits = ""
    for number in range(5 * bucket["params"]["precision"]):
        axis = "lat" if number % 2 else "lon"
        low, high = bounds[axis]
        middle = (low + high) / 2
        upper = place[axis] >= middle
        bounds[axis] = [middle, high] if upper else [low, middle]
        bits += "01"[upper]
    return "".join(_BASE32[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


_KEYS: dict[str, Callable[[Row, Row], Any]] = {
    "terms": lambda bucket, row: row[bucket["params"]["field"]],
    "date_histogram": _hour,
    "geohash_grid": _cell,
}
