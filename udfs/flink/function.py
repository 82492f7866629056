"""The core as a Flink function, with its metrics and its log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Self

from pyflink.metrics import MetricGroup
from pyflink.table.udf import FunctionContext, ScalarFunction, udf

from udfs.config.core import CoreSettings
from udfs.enrich.geo_source import ObjectStore
from udfs.enrichment import Enricher, GeoKind
from udfs.errors import DatabaseError
from udfs.flink.log import logger_of_worker
from udfs.flink.metrics import OutcomeCounts
from udfs.flink.progress import StreamProgress
from udfs.flink.upkeep import Upkeep
from udfs.flink.wire import pack
from udfs.flink.worker_log import WorkerLog
from udfs.log_line import Level

# Managed Flink sends custom metrics to CloudWatch only from this group.
METRIC_GROUP = "kinesisanalytics"

ENRICH_RESULT = "ARRAY<BYTES>"
"""SQL type of what `enrich` gives: see `udfs.flink.wire`."""

type SaltOf = Callable[[CoreSettings], bytes | None]
"""Gives the secret salt that the settings name. It is called in each worker, so that the secret
does not travel with the function."""


@dataclass(frozen=True, slots=True)
class Worker:
    """The state of a worker process for its part of the stream."""

    enricher: Enricher
    progress: StreamProgress
    counts: OutcomeCounts
    upkeep: Upkeep
    """Runs between two records once it is due by `perf_counter`."""
    close: Callable[[], None]

    @classmethod
    def open(
        cls,
        function_context: FunctionContext,
        settings: CoreSettings,
        salt_of: SaltOf,
        store: ObjectStore,
        *,
        client_address: bool = False,
    ) -> Self:
        """Opens the database and the parsers, and registers the metrics.

        Args:
            function_context: Flink's, of the function that opens.
            settings: The core's settings.
            salt_of: Gives the salt.
            store: Reads GeoIP databases in S3.
            client_address: Outcomes carry the client's address as the log has it.

        Raises:
            ConfigurationError: A GeoIP database or the salt cannot be used.
        """
        salt = salt_of(settings)
        enricher = Enricher.create(settings, salt=salt, store=store, client_address=client_address)
        tolerance = settings.time.future_tolerance
        progress = StreamProgress(int(tolerance.total_seconds() * 1000))
        counts = OutcomeCounts()
        log = WorkerLog(_write)
        collect = report_metrics(function_context.get_metric_group(), counts, enricher, log)

        def write_interval() -> None:
            collect()
            log.interval({name: _hit_percent(enricher, name)() for name in enricher.cache_use()})

        upkeep = Upkeep()
        log_seconds = settings.pipeline.log_interval.total_seconds()
        upkeep.add(log_seconds, write_interval, perf_counter())
        reload_seconds = settings.geoip.reload_interval.total_seconds()
        if reload_seconds:
            for kind in enricher.geo_kinds:
                reload = partial(_reload_geo, enricher, kind, log, counts)
                upkeep.add(reload_seconds, reload, perf_counter())
        log.event("start", "INFO", geoip=_databases(enricher))
        return cls(enricher, progress, counts, upkeep, write_interval)


class EnrichFunction(ScalarFunction):
    """`enrich(data BYTES) -> ARRAY<BYTES>`: all outcomes of one source record, packed.

    Args:
        settings: The core's settings; they travel with the function to the workers.
        salt_of: Gives the secret salt.
        store: Reads GeoIP databases in S3.
    """

    def __init__(self, settings: CoreSettings, salt_of: SaltOf, store: ObjectStore) -> None:
        self._settings = settings
        self._salt_of = salt_of
        self._store = store
        self._enrich: Callable[[bytes], list[bytes]] | None = None
        self._close: Callable[[], None] | None = None

    def open(self, function_context: FunctionContext) -> None:
        """Opens the database and the parsers, once in each worker.

        Raises:
            ConfigurationError: A GeoIP database or the salt cannot be used.
        """
        worker = Worker.open(function_context, self._settings, self._salt_of, self._store)
        process, progress, counts = worker.enricher.process, worker.progress, worker.counts
        upkeep = worker.upkeep

        def enrich(data: bytes) -> list[bytes]:
            started = perf_counter()
            if started >= upkeep.due:
                upkeep.run(started)
            outcomes = process(data)
            packed = pack(outcomes, progress)
            counts.add(outcomes, perf_counter() - started)
            return packed

        self._enrich = enrich
        self._close = worker.close

    def close(self) -> None:
        """Writes the last log line."""
        if self._close is not None:
            self._close()

    def is_deterministic(self) -> bool:
        """Returns False: the answer depends on the clock and on the lines seen before.

        It also keeps the planner from calling the function once per column.
        """
        return False

    def eval(self, data: bytes) -> list[bytes]:
        """Processes one record.

        Raises:
            DatabaseError: The GeoIP database is corrupt; the job fails.
        """
        assert self._enrich is not None, "Flink calls open() first"  # noqa: S101
        return self._enrich(data)


def enrich_function(settings: CoreSettings, salt_of: SaltOf, store: ObjectStore) -> ScalarFunction:
    """Returns `enrich` as it is registered for SQL."""
    enrich = EnrichFunction(settings, salt_of, store)
    function: ScalarFunction = udf(enrich, result_type=ENRICH_RESULT)
    return function


_LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


def _write(level: Level, line: str) -> None:
    logger_of_worker().log(_LEVELS[level], "%s", line)


def _reload_geo(enricher: Enricher, kind: GeoKind, log: WorkerLog, counts: OutcomeCounts) -> None:
    try:
        if enricher.reload_geo(kind):
            log.event("geoip_reload", "INFO", geoip=_databases(enricher), database=kind)
    except DatabaseError as error:
        counts.reload_failures += 1
        databases = _databases(enricher)
        log.event("geoip_reload", "ERROR", geoip=databases, database=kind, error=error.problem)


def _databases(enricher: Enricher) -> str:
    in_use = [database for database in (enricher.geo, enricher.asn) if database is not None]
    return ", ".join(str(database) for database in in_use) or "none"


def report_metrics(
    group: MetricGroup, counts: OutcomeCounts, enricher: Enricher, log: WorkerLog
) -> Callable[[], None]:
    """Registers the metrics of a worker; they move on when Flink ends a bundle of records.

    Flink asks gauges for their value at the end of each bundle, and only then. The first
    gauge uses that moment to add the sums to the counters, so that a record costs a few
    additions and no call into the metrics library. In thread mode Flink never asks, and
    knows no metrics of Python functions at all: the log lines tell the figures there.

    Args:
        group: Flink's metric group of the function.
        counts: Filled by the function.
        enricher: For how well its caches do.
        log: Gets the same sums.

    Returns:
        Brings metrics and log up to date.
    """
    metrics = group.add_group(METRIC_GROUP)
    records_in = metrics.counter("records_in")
    lines_in = metrics.counter("lines_in")
    enriched = metrics.counter("lines_enriched")
    reload_failures = metrics.counter("geoip_reload_failures")

    micros_per_line = 0

    def collect() -> None:
        nonlocal micros_per_line
        sums = counts.take()
        if sums.records:
            micros_per_line = sums.micros_per_line
        log.add(sums)
        records_in.inc(sums.records)
        lines_in.inc(sums.lines)
        enriched.inc(sums.enriched)
        reload_failures.inc(sums.reload_failures)
        for reason, count in sums.filtered.items():
            metrics.add_group("reason", reason).counter("lines_filtered").inc(count)
        for stage, count in sums.dead_lettered.items():
            metrics.add_group("stage", stage).counter("lines_dead_lettered").inc(count)

    def latest_micros_per_line() -> int:
        collect()
        return micros_per_line

    metrics.gauge("enrichment_micros_per_line", latest_micros_per_line)
    for name in enricher.cache_use():
        metrics.gauge(f"{name}_cache_hit_percent", _hit_percent(enricher, name))
    return collect


def _hit_percent(enricher: Enricher, name: str) -> Callable[[], int]:
    def percent() -> int:
        use = enricher.cache_use()[name]
        calls = use.hits + use.misses
        return round(100 * use.hits / calls) if calls else 0

    return percent
