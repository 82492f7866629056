"""`enrich` with look-ups, as a vectorised Flink function.

Flink's own AsyncDataStream also waits for all its records at each bundle's end. It costs ten times
as much a record and does not run in thread mode, so it is not used.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import pandas as pd  # type: ignore[import-untyped]
from pyflink.table.udf import FunctionContext, ScalarFunction

from flink_app.lookups.batch import BatchEnricher
from flink_app.lookups.service import LookupService
from udfs.config.core import CoreSettings
from udfs.enrich.geo_source import ObjectStore
from udfs.flink.function import METRIC_GROUP, SaltOf, Worker
from udfs.flink.wire import pack
from udfs.lookups.settings import LookupSettings


class EnrichWithLookups(ScalarFunction):
    """`enrich(data BYTES) -> ARRAY<BYTES>` for a batch of records at a time.

    Args:
        core: The core's settings.
        lookups: What is looked up.
        salt_of: Gives the secret salt, in each worker.
        store: Reads GeoIP databases in S3.
    """

    def __init__(
        self,
        core: CoreSettings,
        lookups: LookupSettings,
        salt_of: SaltOf,
        store: ObjectStore,
    ) -> None:
        self._core = core
        self._salt_of = salt_of
        self._store = store
        self._lookups = lookups
        self._batch: BatchEnricher | None = None

    def open(self, function_context: FunctionContext) -> None:
        """Opens the database, the parsers and what look-ups need, once in each worker.

        Raises:
            ConfigurationError: Something cannot be opened.
        """
        worker = Worker.open(
            function_context, self._core, self._salt_of, self._store, client_address=True
        )
        self._progress, self._counts = worker.progress, worker.counts
        self._upkeep, self._close_worker = worker.upkeep, worker.close
        self._batch = BatchEnricher.open(worker.enricher, self._lookups)
        metrics = function_context.get_metric_group().add_group(METRIC_GROUP)
        for name, service in self._batch.services.items():
            for measure in ("hits", "misses", "failures", "breaker_opened"):
                metrics.gauge(f"{name}_lookup_{measure}", _figure(service, measure))

    def close(self) -> None:
        """Ends look-ups under way, and writes the last log line."""
        if self._batch is not None:
            self._batch.close()
            self._close_worker()

    def is_deterministic(self) -> bool:
        """Returns False: the answer depends on the clock, on services and on former lines."""
        return False

    def eval(self, data: pd.Series[bytes]) -> pd.Series[list[bytes]]:
        """Processes a batch.

        Raises:
            DatabaseError: The GeoIP database is corrupt; the job fails.
            ConfigurationError: A service can never answer; the job fails.
        """
        assert self._batch is not None, "Flink calls open() first"  # noqa: S101
        started = perf_counter()
        if started >= self._upkeep.due:
            self._upkeep.run(started)
        processed = self._batch.process(data.tolist())
        seconds = (perf_counter() - started) / max(len(processed), 1)
        packed = []
        for outcomes in processed:
            packed.append(pack(outcomes, self._progress))
            self._counts.add(outcomes, seconds)
        return pd.Series(packed, index=data.index, dtype=object)


def _figure(service: LookupService, name: str) -> Callable[[], int]:
    return lambda: getattr(service.use(), name)
