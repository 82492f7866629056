"""Figures of the core alone: microseconds a record, by part and as a whole.

Time is the process's CPU time: these loops wait for nothing, so on an idle machine it is the
time on the clock, and on a busy one it is what that would be.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path
from time import process_time

from tools.bench import straightforward
from tools.bench.setup import Input, Setup, core_properties, read_lines
from udfs.config.core import CoreSettings
from udfs.config.properties import Properties
from udfs.enrich.geo import GeoDatabase
from udfs.enrich.referrer import describe_referrer
from udfs.enrich.user_agent import parse_user_agent
from udfs.enrichment import Enricher, event_id
from udfs.errors import ValidationError
from udfs.flink.progress import StreamProgress
from udfs.flink.wire import pack
from udfs.parse.access_log import LogLine, parser_for, unescape
from udfs.parse.request import describe_page, split_request
from udfs.parse.timestamps import read_timestamp

type Metrics = dict[str, float]

_COLD_RECORDS = 10_000
_LINES_FOR_PARTS = 50_000
_TOLERANCE_MS = 300_000
_SALT = b"a salt for measuring"

# Settings that ask for work which the default leaves out. Nothing here leaves a line out:
# what is measured is the looking.
FEATURES: dict[str, Properties] = {
    "privacy standard": {"weblog.privacy": {"profile": "standard"}},
    "filters": {
        "weblog.filters": {
            "debug.path.prefixes": "/_debug/, /internal/trace/",
            "debug.query.parameters": "debug_trace",
            "exclude.methods": "TRACE",
            "exclude.paths": "/health/*, *.bak",
        }
    },
}


def whole(setup: Setup, log: str) -> Metrics:
    """The core's whole way from bytes to the packed string, over one of the logs."""
    return _warm_and_cold(core_function(core_properties(setup)), _input(setup, log))


def straightforward_whole(setup: Setup, log: str) -> Metrics:
    """The same of the straightforward version."""
    return _warm_and_cold(straightforward.enricher(Path(setup.database)), _input(setup, log))


def features(setup: Setup, log: str) -> Metrics:
    """Microseconds a record, warm, by what is switched on."""
    base = core_properties(setup)
    results = {"off_us": _us(_warm_and_cold(core_function(base), _input(setup, log)))}
    for name, more in FEATURES.items():
        settings = {group: {**base.get(group, {}), **values} for group, values in more.items()}
        function = core_function({**base, **settings})
        results[f"{name}_us"] = _us(_warm_and_cold(function, _input(setup, log)))
    return results


def parts(setup: Setup, log: str) -> Metrics:
    """Microseconds a call of each part, over the values as they come in a log."""
    raw = read_lines(_input(setup, log), _LINES_FOR_PARTS)
    results: Metrics = {"decode_us": _time(bytes.decode, raw)}
    lines = _parsed(raw)
    texts = [line.decode() for line in raw]
    parse = parser_for("combined")
    results["parse_us"] = _time(_unless_refused(parse), texts)
    stamps = [line.timestamp for line in lines]
    read_timestamp.cache_clear()
    results["timestamp new_us"] = _time(read_timestamp, dict.fromkeys(stamps))
    results["timestamp seen_us"] = _time(read_timestamp, stamps)
    results |= _geo_parts(Path(setup.database), [line.host for line in lines])
    agents = [line.agent or "" for line in lines]
    parse_user_agent("Mozilla/5.0")  # loads the rules
    results["agent new_us"] = _time(parse_user_agent, dict.fromkeys(agents))
    results["agent seen_us"] = _time_seen(parse_user_agent, agents)
    requests = [line.request for line in lines]
    results["page new_us"] = _time(_page, dict.fromkeys(requests))
    results["page seen_us"] = _time_seen(_page, requests)
    referrers = [line.referer or "" for line in lines]
    results["referrer new_us"] = _time(_referrer, dict.fromkeys(referrers))
    results["referrer seen_us"] = _time_seen(_referrer, referrers)
    results["event id_us"] = _time(lambda line: event_id(line, 0), raw)
    enricher = Enricher.create(CoreSettings.load(core_properties(setup)))
    for line in raw:
        enricher.process(line)
    results["process_us"] = _time(enricher.process, raw)
    outcomes = [enricher.process(line) for line in raw]
    progress = StreamProgress(_TOLERANCE_MS)
    results["pack_us"] = _time(lambda found: pack(found, progress), outcomes)
    # What no part above accounts for: joining the JSON, and making objects.
    seen = (
        "decode_us", "parse_us", "timestamp seen_us", "geoip seen_us", "agent seen_us",
        "page seen_us", "referrer seen_us", "event id_us",
    )  # fmt: skip
    results["json and rest_us"] = results["process_us"] - sum(results[name] for name in seen)
    return results


def _geo_parts(database: Path, hosts: list[str]) -> Metrics:
    geo = GeoDatabase.open(database)
    distinct = list(dict.fromkeys(hosts))
    known = [host for host in distinct if geo.lookup(host) is not None]
    unknown = [host for host in distinct if geo.lookup(host) is None] or ["192.0.2.1"]
    results = {
        "geoip found_us": _time(geo.lookup, known or distinct),
        "geoip not found_us": _time(geo.lookup, list(islice(cycle(unknown), 5000))),
        "geoip seen_us": _time_seen(geo.lookup, hosts),
    }
    geo.close()
    return results


def core_function(properties: Properties) -> Callable[[bytes], list[bytes]]:
    """The core's whole way, with caches of its own."""
    enricher = Enricher.create(CoreSettings.load(properties), salt=_SALT)
    progress = StreamProgress(_TOLERANCE_MS)
    return lambda data: pack(enricher.process(data), progress)


def _warm_and_cold(function: Callable[[bytes], object], log: Input) -> Metrics:
    lines = read_lines(log)
    # The rules for user agents are loaded at start-up, not by a record.
    started = process_time()
    function(lines[0])
    loaded = process_time()
    cold_lines = lines[: min(_COLD_RECORDS, len(lines) // 2)]
    gc.collect()
    cold = _time(function, cold_lines)
    warm_lines = lines[len(cold_lines) :]
    warm = _time(function, warm_lines)
    return {
        "records_per_s": 1e6 / warm,
        "warm_us": warm,
        "cold_us": cold,
        "first_ms": (loaded - started) * 1000,
    }


def _us(metrics: Metrics) -> float:
    return metrics["warm_us"]


def _input(setup: Setup, log: str) -> Input:
    return setup.made if log == "made" else setup.sample


def _time[T](function: Callable[[T], object], values: Iterable[T]) -> float:
    """Microseconds of CPU time a call."""
    given = list(values)
    started = process_time()
    for value in given:
        function(value)
    return (process_time() - started) / max(len(given), 1) * 1e6


def _time_seen(function: Callable[[str], object], values: Sequence[str]) -> float:
    cached = lru_cache(maxsize=None)(function)
    for value in values:
        cached(value)
    return _time(cached, values)


def _unless_refused(parse: Callable[[str], LogLine]) -> Callable[[str], LogLine | None]:
    def read(text: str) -> LogLine | None:
        try:
            return parse(text)
        except ValidationError:
            return None

    return read


def _parsed(raw: list[bytes]) -> list[LogLine]:
    read = _unless_refused(parser_for("combined"))
    return [line for line in map(read, (one.decode() for one in raw)) if line is not None]


def _page(request: str) -> object:
    path = split_request(unescape(request)).path
    return None if path is None else describe_page(path)


_INTERNAL = frozenset({"semicomplete.com", "example.com"})


def _referrer(referrer: str) -> object:
    return describe_referrer(unescape(referrer), _INTERNAL)
