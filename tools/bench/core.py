"""Figures of the core without Flink: microseconds a record from bytes to the packed string.

Time is the process's CPU time: these loops wait for nothing, so on an idle machine it is the
time on the clock, and on a busy one it is what that would be.
"""

from __future__ import annotations

import gzip
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import batched
from multiprocessing import get_context
from time import process_time

from aws_kinesis_agg.aggregator import RecordAggregator

from tools.bench import straightforward
from tools.bench.inputs import Setup
from udfs.config.core import CoreSettings
from udfs.config.file import PropertyGroups
from udfs.enrichment import Enricher
from udfs.errors import WebLogError
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import pack
from udfs.outcomes import Enriched
from udfs.parse.timestamps import read_timestamp

type Metrics = dict[str, float]
"""Values by name; each name ends with its unit."""

WARM_UP = 0.5
"""The first half fills the caches. Jobs are measured after the same share: Java's compiler takes
half of the JVM's time in the first 20 seconds of all outputs, a tenth in the second minute."""

_PART_RECORDS, _TOLERANCE_MS, _PARTS = 10_000, 300_000, 10


def core(setup: Setup, log: str) -> Metrics:
    """Returns the core's whole way over a log, such as `made` or `sample`."""
    enricher = _enricher(setup)
    progress = StreamProgress(_TOLERANCE_MS)
    return _over(lambda data: pack(enricher.process(data), progress), setup, log)


def straight(setup: Setup, log: str) -> Metrics:
    """Returns the same of the straightforward version."""
    return _over(straightforward.enricher(setup.database), setup, log)


def two_at_once(setup: Setup) -> Metrics:
    """Returns the rate of two processes over the core, each with half of the made log."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        both = pool.map(partial(core, setup), ("halves/even", "halves/odd"))
        return {"records_per_s": sum(half["records_per_s"] for half in both)}


def _over(function: Callable[[bytes], object], setup: Setup, log: str) -> Metrics:
    # Lines are read and unpacked outside of the time, a part after the other.
    size = max(1, min(_PART_RECORDS, setup.records // 20))
    with gzip.open(setup.log(log)) as stream:
        parts = batched((line.rstrip(b"\n") for line in stream), size)
        each_us = [_each_us(function, part) for part in parts if len(part) == size]
    warm_us = _warm(each_us)
    return {"records_per_s": 1e6 / warm_us, "warm_us": warm_us}


def _warm(each_us: Sequence[float]) -> float:
    return statistics.mean(each_us[int(len(each_us) * WARM_UP) :])


def _enricher(setup: Setup, settings: PropertyGroups | None = None) -> Enricher:
    loaded = CoreSettings.load(setup.core_properties | (settings or {}))
    return Enricher.create(loaded, salt=b"a salt for measuring")


def _each_us(function: Callable[[bytes], object], lines: Sequence[bytes]) -> float:
    # Once before: the rules for user agents are loaded at start-up, not by a record.
    function(lines[0])
    started = process_time()
    for line in lines:
        function(line)
    return (process_time() - started) / len(lines) * 1e6


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which producers put lines: what makes a record, of how many, and settings."""

    record: Callable[..., str | bytes]
    settings: PropertyGroups = field(default_factory=dict)
    lines: int = 1

    def records(self, lines: Sequence[str]) -> Iterator[bytes]:
        """Yields the records of lines."""
        for some in batched(lines, self.lines):
            record = self.record(*some)
            yield record if isinstance(record, bytes) else record.encode()


def shapes(setup: Setup) -> Metrics:
    """Returns microseconds a line of the bundled log, in each shape in turns with the others."""
    with gzip.open(setup.log("sample"), "rt", encoding="utf-8") as log:
        lines = [line.rstrip("\n") for line in log]
    # Others have no fields to put in another order.
    lines = [line for line in lines if straightforward.parse(line)]
    enrichers = {name: _enricher(setup, shape.settings) for name, shape in SHAPES.items()}
    each_us: dict[str, list[float]] = {name: [] for name in SHAPES}
    for part in batched(lines, max(1, len(lines) // _PARTS)):
        for name, shape in SHAPES.items():
            records = [*shape.records(part)]
            started = process_time()
            outcomes = [outcome for data in records for outcome in enrichers[name].process(data)]
            each_us[name].append((process_time() - started) / len(part) * 1e6)
            if sum(isinstance(outcome, Enriched) for outcome in outcomes) != len(part):
                raise WebLogError(f"{name}: not every line becomes a record")
    return {f"{name}_us": _warm(values) for name, values in each_us.items()}


def _fields(line: str) -> straightforward.Record:
    return straightforward.parse(line) or {}


def _joined(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def _kpl(*lines: str) -> bytes:
    aggregator = RecordAggregator()
    for line in lines:
        aggregator.add_user_record("key", line.encode())
    _, _, record = aggregator.clear_and_get().get_contents()
    return bytes(record)


def _cloudwatch(*lines: str) -> bytes:
    events = [{"id": "1", "timestamp": 1, "message": line} for line in lines]
    document = {"messageType": "DATA_MESSAGE", "logGroup": "/ecs/nginx", "logEvents": events}
    return gzip.compress(json.dumps(document).encode())


def _logtojson(line: str) -> str:
    fields = _fields(line)
    return json.dumps({"authuser": fields.pop("user"), **fields})


def _forwarded(line: str) -> str:
    client, _, rest = line.partition(" ")
    return f'10.0.0.7 {rest} "{client}"'


def _nginx_json(line: str) -> str:
    fields = _fields(line)
    return json.dumps({
        "remote_addr": fields["host"], "time_iso8601": read_timestamp(fields["datetime"]).iso,
        "request": fields["request"], "status": fields["response"],
        "body_bytes_sent": fields["bytes"].replace("-", "0"), "http_referer": fields["referer"],
        "http_user_agent": fields["agent"], "request_time": "0.012",
    })  # fmt: skip


def _alb(line: str) -> str:
    fields = _fields(line)
    time, status = read_timestamp(fields["datetime"]).iso, fields["response"]
    return (
        f"https {time} app/web/50dc6c495c0c9188 {fields['host']}:2817 10.0.0.1:80 0.000 0.012 "
        f"0.000 {status} {status} 34 {fields['bytes'].replace('-', '0')} "
        f'"{fields["request"].replace(" /", " https://www.example.com:443/", 1)}" '
        f'"{fields["agent"]}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 - '
        '"Root=1-58337262-36d228ad5d99923122bbe354" "www.example.com" "-" '
        f'0 {time} "forward" "-" "-" "10.0.0.1:80" "{status}" "-" "-"'
    )


_TIMED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D'
SHAPES = {
    "plain": Shape(str),
    "lines": Shape(_joined, lines=50),
    "kpl": Shape(_kpl, lines=50),
    "gzip": Shape(lambda *lines: gzip.compress(_joined(*lines)), lines=50),
    "cloudwatch": Shape(_cloudwatch, lines=50),
    "fluent_bit": Shape(lambda line: json.dumps({"log": line})),
    "log_key": Shape(lambda line: json.dumps(line)[1:-1]),
    "logtojson": Shape(_logtojson),
    "syslog": Shape(lambda line: f"<190>Nov 11 00:00:00 web1 nginx: {line}"),
    "cri": Shape(lambda line: f"2025-11-01T00:00:00.000Z stdout F {line}"),
    "forwarded": Shape(
        _forwarded,
        {"weblog.parser": {"format": "combined_xff"}, "weblog.client": {"source": "forwarded"}},
    ),
    "pattern": Shape(lambda line: f"{line} 12000", {"weblog.parser": {"pattern": _TIMED}}),
    "nginx_json": Shape(_nginx_json, {"weblog.parser": {"format": "json"}}),
    "alb": Shape(_alb, {"weblog.parser": {"format": "alb"}}),
}
