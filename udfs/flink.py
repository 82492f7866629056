"""The core as Flink functions. The only module here that knows of Flink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Self

from pyflink.metrics import MetricGroup
from pyflink.table.udf import FunctionContext, ScalarFunction

from udfs.enrichment import Enricher
from udfs.metrics import OutcomeCounts
from udfs.progress import StreamProgress
from udfs.settings import CoreSettings
from udfs.wire import pack

# Managed Flink sends custom metrics to CloudWatch from this group alone.
METRIC_GROUP = "kinesisanalytics"

type SaltOf = Callable[[CoreSettings], bytes | None]
"""Gives the secret salt that the settings name. It is called in each worker, so that the secret
does not travel with the function."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process keeps for its part of the stream."""

    enricher: Enricher
    progress: StreamProgress
    counts: OutcomeCounts

    @classmethod
    def open(
        cls,
        function_context: FunctionContext,
        settings: CoreSettings,
        salt_of: SaltOf,
        *,
        client_address: bool = False,
    ) -> Self:
        """Opens the database and the parsers, and registers the metrics.

        Args:
            function_context: Flink's, of the function that opens.
            settings: The core's settings.
            salt_of: Gives the salt.
            client_address: Outcomes carry the client's address as the log has it.

        Raises:
            ConfigurationError: The GeoIP database or the salt cannot be used.
        """
        salt = salt_of(settings)
        enricher = Enricher.create(settings, salt=salt, client_address=client_address)
        tolerance = settings.time.future_tolerance
        progress = StreamProgress(int(tolerance.total_seconds() * 1000))
        counts = OutcomeCounts()
        report_metrics(function_context.get_metric_group(), counts, enricher)
        return cls(enricher, progress, counts)


class EnrichFunction(ScalarFunction):
    """`enrich(data BYTES) -> STRING`: all outcomes of one source record, packed.

    Args:
        settings: The core's settings; they travel with the function to the workers.
        salt_of: Gives the secret salt.
    """

    def __init__(self, settings: CoreSettings, salt_of: SaltOf) -> None:
        self._settings = settings
        self._salt_of = salt_of
        self._enrich: Callable[[bytes], str] | None = None

    def open(self, function_context: FunctionContext) -> None:
        """Opens the database and the parsers, once in each worker.

        Raises:
            ConfigurationError: The GeoIP database or the salt cannot be used.
        """
        worker = Worker.open(function_context, self._settings, self._salt_of)
        process, progress, counts = worker.enricher.process, worker.progress, worker.counts

        def enrich(data: bytes) -> str:
            started = perf_counter()
            outcomes = process(data)
            packed = pack(outcomes, progress)
            counts.add(outcomes, perf_counter() - started)
            return packed

        self._enrich = enrich

    def is_deterministic(self) -> bool:
        """False: the answer depends on the clock and on the lines seen before.

        It also keeps the planner from calling the function once per column.
        """
        return False

    def eval(self, data: bytes) -> str:
        """Processes one record.

        Raises:
            DatabaseError: The GeoIP database is corrupt; the job fails.
        """
        assert self._enrich is not None, "Flink calls open() first"  # noqa: S101
        return self._enrich(data)


def report_metrics(group: MetricGroup, counts: OutcomeCounts, enricher: Enricher) -> None:
    """Registers the metrics of a worker; they move on when Flink ends a bundle of records.

    Flink asks gauges for their value at the end of each bundle, and only then. The first
    gauge uses that moment to add the sums to the counters, so that a record costs a few
    additions and no call into the metrics library.

    Args:
        group: Flink's metric group of the function.
        counts: Filled by the function.
        enricher: For how well its caches do.
    """
    metrics = group.add_group(METRIC_GROUP)
    records_in = metrics.counter("records_in")
    lines_in = metrics.counter("lines_in")
    enriched = metrics.counter("lines_enriched")

    def micros_per_line() -> int:
        sums = counts.take()
        records_in.inc(sums.records)
        lines_in.inc(sums.lines)
        enriched.inc(sums.enriched)
        for reason, count in sums.filtered.items():
            metrics.add_group("reason", reason).counter("lines_filtered").inc(count)
        for stage, count in sums.dead_lettered.items():
            metrics.add_group("stage", stage).counter("lines_dead_lettered").inc(count)
        return sums.micros_per_line

    metrics.gauge("enrichment_micros_per_line", micros_per_line)
    for name in enricher.cache_use():
        metrics.gauge(f"{name}_cache_hit_percent", _hit_percent(enricher, name))


def _hit_percent(enricher: Enricher, name: str) -> Callable[[], int]:
    def percent() -> int:
        use = enricher.cache_use()[name]
        calls = use.hits + use.misses
        return round(100 * use.hits / calls) if calls else 0

    return percent
