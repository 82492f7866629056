"""The cold start and the frame around each invocation, which both functions share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from aws.objects import S3Objects
from aws.salt import resolve_salt
from lambda_app.deadline import Context, Deadline
from lambda_app.log import Invocation, init_line, invocation_line
from lambda_app.settings import Settings, settings_from
from lambda_app.tally import Tally
from udfs.enrich.user_agent import parse_user_agent
from udfs.enrichment import Enricher
from udfs.errors import WebLogError
from udfs.log_line import Level


class Work(Protocol):
    """The work of a function on an event."""

    @property
    def event_type(self) -> str:
        """Returns the short name for logs."""

    def run(self, event: Mapping[str, Any], deadline: Deadline, tally: Tally) -> Any:
        """Answers one event and counts."""


class Function:
    """Runs invocations and writes one log line for each.

    Args:
        work: What to do.
        enricher: The core, for its cache figures.
        namespace: CloudWatch namespace of the metrics.
        clock: Seconds since 1970-01-01 UTC.
        write: Takes a log line.
    """

    def __init__(
        self,
        work: Work,
        enricher: Enricher,
        namespace: str,
        *,
        clock: Callable[[], float] = time.time,
        write: Callable[[str], object] = print,
    ) -> None:
        self._work = work
        self._enricher = enricher
        self._namespace = namespace
        self._clock = clock
        self._write = write
        self._cache_use = (0, 0)

    def __call__(self, event: Mapping[str, Any], context: Context) -> Any:
        """Answers an event; what it raises is logged by type and passed on to Lambda."""
        start = time.perf_counter()
        tally = Tally()
        problem: str | None = None
        try:
            return self._work.run(event, Deadline(context), tally)
        except BaseException as error:
            problem = type(error).__name__
            tally.failed = tally.records
            raise
        finally:
            invocation = Invocation(
                timestamp_ms=int(self._clock() * 1000),
                request_id=context.aws_request_id,
                function_name=context.function_name,
                event_type=self._work.event_type,
                duration_ms=(time.perf_counter() - start) * 1000,
                tally=tally,
                error=problem,
                cache_hit_percent=self._cache_hit_percent(),
            )
            self._write(invocation_line(invocation, self._namespace))

    def _cache_hit_percent(self) -> float | None:
        """Returns the percent of hits since the last call."""
        use = self._enricher.cache_use().values()
        hits, misses = sum(cache.hits for cache in use), sum(cache.misses for cache in use)
        new_hits, new_misses = hits - self._cache_use[0], misses - self._cache_use[1]
        self._cache_use = (hits, misses)
        looked_up = new_hits + new_misses
        return 100 * new_hits / looked_up if looked_up else None


def start(
    make: Callable[[Settings, Enricher], Work],
    environ: Mapping[str, str] = os.environ,
    write: Callable[[str], object] = print,
) -> Function:
    """Makes a function ready for its first event, and writes a log line about its start.

    All that takes long is done here, at import: Lambda gives the start-up more processor time
    than an invocation of a small function, and snapshots and provisioned concurrency take it
    away altogether. The first event would otherwise wait for the user agent rules.

    Raises:
        ConfigurationError: The settings are wrong, or the salt they ask for is missing.
    """
    started = time.perf_counter()
    try:
        settings = settings_from(environ)
        enricher = Enricher.create(
            settings.core,
            salt=resolve_salt(settings.core),
            store=S3Objects(),
            # Read whole when the package was made: the cold start does not wait for it again.
            trusts_own_files=True,
            client_address=settings.reference.file is not None,
            max_unpacked_bytes=settings.function.gzip_maximum_bytes,
        )
        parse_user_agent("warm-up")
        work = make(settings, enricher)
    except WebLogError as error:
        write(init_line(_start_up(environ, started), "ERROR", error=str(error)))
        raise
    level, geoip = _geoip(settings, enricher)
    ignored = ", ".join(settings.ignored)
    write(init_line(_start_up(environ, started), level, geoip=geoip, ignored_groups=ignored))
    return Function(work, enricher, settings.function.metrics_namespace, write=write)


def _start_up(environ: Mapping[str, str], started: float) -> Invocation:
    return Invocation(
        timestamp_ms=int(time.time() * 1000),
        request_id="",
        function_name=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        event_type="init",
        duration_ms=(time.perf_counter() - started) * 1000,
        tally=Tally(),
    )


def _geoip(settings: Settings, enricher: Enricher) -> tuple[Level, str]:
    """Returns the GeoIP database's members of the log line."""
    if enricher.geo is None:
        return "WARNING", "none: city, country and location are null"
    age = enricher.geo.age(datetime.now(UTC)).days
    built = str(enricher.geo)
    if age > settings.core.geoip.database_max_age_days:
        return "WARNING", f"{built}, {age} days old"
    return "INFO", built
