"""The core as Flink functions. The only module here that knows of Flink."""

from __future__ import annotations

from collections.abc import Callable

from pyflink.table.udf import FunctionContext, ScalarFunction

from udfs.enrichment import Enricher
from udfs.progress import StreamProgress
from udfs.settings import CoreSettings
from udfs.wire import pack


class EnrichFunction(ScalarFunction):
    """`enrich(data BYTES) -> STRING`: all outcomes of one source record, packed.

    Args:
        settings: The core's settings; they travel with the function to the workers.
    """

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._enrich: Callable[[bytes], str] | None = None

    def open(self, function_context: FunctionContext) -> None:  # noqa: ARG002 - Flink's signature
        """Opens the database and the parsers, once in each worker.

        Raises:
            ConfigurationError: The GeoIP database cannot be used.
        """
        enricher = Enricher.create(self._settings)
        tolerance = self._settings.time.future_tolerance
        progress = StreamProgress(int(tolerance.total_seconds() * 1000))
        self._enrich = lambda data: pack(enricher.process(data), progress)

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
