"""The price of each shape in which producers put lines, in turns with the plain line."""

from __future__ import annotations

import gzip
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import batched
from time import process_time
from typing import Any

from aws_kinesis_agg.aggregator import RecordAggregator

from tools.bench.core import WARM_UP, Metrics
from tools.bench.inputs import Setup
from udfs.config.core import CoreSettings
from udfs.config.file import PropertyGroups
from udfs.enrichment import Enricher
from udfs.errors import WebLogError
from udfs.outcomes import DeadLettered
from udfs.parse.access_log import LogLine, parser_for
from udfs.parse.timestamps import read_timestamp

_LINES_A_RECORD = 50
"""In shapes that pack many lines into a record: some 10 KB of text."""
_PROXY = "10.0.0.7"
_PARTS = 10
_read = parser_for("combined")

type Shaper = Callable[[Sequence[str]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Shape:
    """One way of putting lines: what makes its records, and the settings that it needs."""

    records: Shaper
    settings: PropertyGroups = field(default_factory=dict)


def shapes(setup: Setup) -> Metrics:
    """Returns microseconds of CPU a line of the bundled log, in each shape by its name."""
    with gzip.open(setup.log("sample"), "rt", encoding="utf-8") as log:
        lines = [line.rstrip("\n") for line in log]
    # What the parser refuses has no fields to put in another order.
    lines = [line for line in lines if _fields(line) is not None]
    makers = {name: _enricher(setup, shape.settings) for name, shape in SHAPES.items()}
    each_us: dict[str, list[float]] = {name: [] for name in SHAPES}
    for part in batched(lines, max(1, len(lines) // _PARTS)):
        for name, shape in SHAPES.items():
            each_us[name].append(_each_us(name, makers[name], [*shape.records(part)], len(part)))
    warm = int(_PARTS * WARM_UP)
    return {f"{name}_us": statistics.mean(values[warm:]) for name, values in each_us.items()}


def _enricher(setup: Setup, settings: PropertyGroups) -> Enricher:
    return Enricher.create(CoreSettings.load(setup.core_properties | settings))


def _each_us(name: str, enricher: Enricher, records: Sequence[bytes], lines: int) -> float:
    started = process_time()
    outcomes = [outcome for data in records for outcome in enricher.process(data)]
    took_us = (process_time() - started) * 1e6
    dead = [outcome for outcome in outcomes if isinstance(outcome, DeadLettered)]
    if dead or len(outcomes) != lines:
        raise WebLogError(f"{name}: {len(dead)} dead letters, {len(outcomes)} of {lines} lines")
    return took_us / lines


def _fields(line: str) -> LogLine | None:
    try:
        return _read(line)
    except WebLogError:
        return None


def _each(shaped: Callable[[str], str]) -> Shaper:
    """Returns records of one line each."""
    return lambda lines: [shaped(line).encode() for line in lines]


def _packed(pack: Callable[[Sequence[str]], bytes]) -> Shaper:
    return lambda lines: map(pack, batched(lines, _LINES_A_RECORD))


def _of_fields(shaped: Callable[[LogLine], str]) -> Shaper:
    return _each(lambda line: shaped(_read(line)))


def _kpl(lines: Sequence[str]) -> bytes:
    aggregator = RecordAggregator()
    for line in lines:
        aggregator.add_user_record("key", line.encode())
    _, _, record = aggregator.clear_and_get().get_contents()
    return bytes(record)


def _cloudwatch(lines: Sequence[str]) -> bytes:
    events = [{"id": "1", "timestamp": 1, "message": line} for line in lines]
    document = {"messageType": "DATA_MESSAGE", "logGroup": "/ecs/nginx", "logEvents": events}
    return gzip.compress(json.dumps(document).encode())


def _logtojson(line: LogLine) -> str:
    return _json(
        host=line.host, ident=line.ident, authuser=line.user, datetime=line.timestamp,
        request=line.request, response=line.status, bytes=line.size, referer=line.referer,
        agent=line.agent,
    )  # fmt: skip


def _nginx_json(line: LogLine) -> str:
    return _json(
        remote_addr=line.host, time_iso8601=read_timestamp(line.timestamp).iso,
        request=line.request, status=line.status, body_bytes_sent=line.size.replace("-", "0"),
        http_referer=line.referer, http_user_agent=line.agent, request_time="0.012",
    )  # fmt: skip


def _json(**members: Any) -> str:
    return json.dumps(members)


def _alb(line: LogLine) -> str:
    time = read_timestamp(line.timestamp).iso
    return (
        f"https {time} app/web/50dc6c495c0c9188 {line.host}:2817 10.0.0.1:80 0.000 0.012 0.000 "
        f"{line.status} {line.status} 34 {line.size.replace('-', '0')} "
        f'"{line.request.replace(" /", " https://www.example.com:443/", 1)}" "{line.agent}" '
        'ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 - "Root=1-58337262-36d228ad5d99923122bbe354" '
        f'"www.example.com" "-" 0 {time} "forward" "-" "-" "10.0.0.1:80" "{line.status}" "-" "-"'
    )


SHAPES = {
    "plain": Shape(_each(str)),
    "lines": Shape(_packed(lambda lines: "\n".join(lines).encode())),
    "kpl": Shape(_packed(_kpl)),
    "gzip": Shape(_packed(lambda lines: gzip.compress("\n".join(lines).encode()))),
    "cloudwatch": Shape(_packed(_cloudwatch)),
    "fluent_bit": Shape(_each(lambda line: _json(log=line))),
    "log_key": Shape(_each(lambda line: json.dumps(line)[1:-1])),
    "logtojson": Shape(_of_fields(_logtojson)),
    "syslog": Shape(_each(lambda line: f"<190>Nov 11 00:00:00 web1 nginx: {line}")),
    "cri": Shape(_each(lambda line: f"2025-11-01T00:00:00.000Z stdout F {line}")),
    "forwarded": Shape(
        _each(lambda line: f'{_PROXY}{line[line.index(" ") :]} "{line.split(" ", 1)[0]}"'),
        {"weblog.parser": {"format": "combined_xff"}, "weblog.client": {"source": "forwarded"}},
    ),
    "pattern": Shape(
        _each(lambda line: f"{line} 12000"),
        {"weblog.parser": {
            "pattern": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D'
        }},
    ),
    "nginx_json": Shape(_of_fields(_nginx_json), {"weblog.parser": {"format": "json"}}),
    "alb": Shape(_of_fields(_alb), {"weblog.parser": {"format": "alb"}}),
}  # fmt: skip
