"""What the shapes cost in which producers on AWS put lines: microseconds a line of the core."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from time import process_time

from aws_kinesis_agg.aggregator import RecordAggregator

from tools.bench import straightforward
from tools.bench.core import Metrics, make_enricher, warm_mean
from tools.bench.inputs import Setup
from udfs.config.file import PropertyGroups
from udfs.errors import WebLogError
from udfs.outcomes import Enriched
from udfs.parse.timestamps import read_timestamp

_PARTS = 10


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
    enrichers = {name: make_enricher(setup, shape.settings) for name, shape in SHAPES.items()}
    each_us: dict[str, list[float]] = {name: [] for name in SHAPES}
    for part in batched(lines, max(1, len(lines) // _PARTS)):
        for name, shape in SHAPES.items():
            records = [*shape.records(part)]
            started = process_time()
            outcomes = [outcome for data in records for outcome in enrichers[name].process(data)]
            each_us[name].append((process_time() - started) / len(part) * 1e6)
            if sum(isinstance(outcome, Enriched) for outcome in outcomes) != len(part):
                raise WebLogError(f"{name}: not every line becomes a record")
    return {f"{name}_us": warm_mean(values) for name, values in each_us.items()}


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
