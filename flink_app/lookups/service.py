"""Asks a slow service for many keys at once, and remembers what it said.

Python functions of Flink are called with a bundle of records (up to 1000, or what came in a
second) and the operator waits for the bundle's end; so all keys of a bundle are looked up at
the same time and the bundle waits once, for the slowest, and never longer than its patience.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from udfs.errors import TransientError
from udfs.lookups.cache import LookupCache
from udfs.lookups.circuit_breaker import CircuitBreaker
from udfs.lookups.settings import LookupPolicy

NOTHING = "null"
"""The answer that there is none."""

_LONGEST_FAILURE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0

type Answers = dict[str, str | None]
"""JSON text by key; None where the look-up failed."""


class Backend(Protocol):
    """A service that can be asked."""

    largest_call: int
    """Keys that go into one call."""

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Asks once.

        A key whose value is None has failed for good, one that is missing may be asked for again.

        Raises:
            TransientError: The service did not answer, or not usefully.
            ConfigurationError: The settings are wrong; nothing will help.
        """

    def close(self) -> None:
        """Gives back what it holds."""


class LoopThread:
    """An event loop in a thread of its own, which ends with the process at the latest."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lookups", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def close(self) -> None:
        """Ends all that still runs."""
        if self.loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class LookupUse(NamedTuple):
    """How look-ups did since the start."""

    hits: int
    misses: int
    failures: int
    breaker_opened: int


class PendingAnswers:
    """Answers that are on their way."""

    def __init__(self, known: Answers, coming: Future[Answers] | None) -> None:
        self._known = known
        self._coming = coming

    def result(self) -> Answers:
        """Waits for them.

        Raises:
            ConfigurationError: The service can never answer.
        """
        if self._coming is None:
            return self._known
        return self._known | self._coming.result()


class LookupService:
    """Look-ups of one kind: cache, bounded concurrency, time limits, retries, breaker."""

    def __init__(
        self,
        backend: Backend,
        policy: LookupPolicy,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._loop = loop
        self._timeout = policy.timeout.total_seconds()
        self._patience = policy.patience.total_seconds()
        self._attempts = policy.attempts
        self._ttl = policy.cache_ttl.total_seconds()
        self._negative_ttl = policy.cache_negative_ttl.total_seconds()
        self._failure_ttl = min(self._negative_ttl, _LONGEST_FAILURE_SECONDS)
        self._cache: LookupCache[str | None] = LookupCache(policy.cache_size, clock)
        self._breaker = CircuitBreaker(
            policy.breaker_failures, policy.breaker_pause.total_seconds(), clock
        )
        self._slots = asyncio.Semaphore(policy.concurrency)
        # Only the loop's thread touches it.
        self._in_flight: dict[str, asyncio.Task[Answers]] = {}
        self._failures = 0

    def start(self, keys: Iterable[str]) -> PendingAnswers:
        """Begins to look up keys; those known are answered from memory."""
        known: Answers = {}
        missing: list[str] = []
        for key in keys:
            entry = self._cache.get(key)
            if entry is None:
                missing.append(key)
            else:
                known[key] = entry[0]
        coming = (
            asyncio.run_coroutine_threadsafe(self._resolve(missing), self._loop)
            if missing
            else None
        )
        return PendingAnswers(known, coming)

    def use(self) -> LookupUse:
        """Returns how it did since the start."""
        return LookupUse(self._cache.hits, self._cache.misses, self._failures, self._breaker.opened)

    def close(self) -> None:
        """Gives back what the service's client holds."""
        self._backend.close()

    async def _resolve(self, keys: list[str]) -> Answers:
        size = self._backend.largest_call
        new = [key for key in keys if key not in self._in_flight]
        for start in range(0, len(new), size):
            call = new[start : start + size]
            task = self._loop.create_task(self._look_up(call))
            self._in_flight |= dict.fromkeys(call, task)
        waiting = {key: self._in_flight[key] for key in keys}
        done, _ = await asyncio.wait(set(waiting.values()), timeout=self._patience)
        return {key: task.result()[key] if task in done else None for key, task in waiting.items()}

    async def _look_up(self, keys: list[str]) -> Answers:
        try:
            return await self._with_retries(keys)
        finally:
            for key in keys:
                del self._in_flight[key]

    async def _with_retries(self, keys: list[str]) -> Answers:
        answers: Answers = {}
        for attempt in range(1, self._attempts + 1):
            async with self._slots:
                if not self._breaker.allow():
                    # Not remembered: the next record may find the service well.
                    self._failures += len(keys)
                    return answers | dict.fromkeys(keys)
                try:
                    async with asyncio.timeout(self._timeout):
                        fetched = await self._backend.fetch(keys)
                except (TransientError, TimeoutError, OSError):
                    self._breaker.failed()
                else:
                    self._breaker.succeeded()
                    self._remember(fetched)
                    answers |= fetched
                    keys = [key for key in keys if key not in fetched]
                    if not keys:
                        return answers
            if attempt < self._attempts:
                await asyncio.sleep(pause_seconds(attempt))
        failed: Answers = dict.fromkeys(keys)
        self._remember(failed)
        return answers | failed

    def _remember(self, answers: Mapping[str, str | None]) -> None:
        for key, answer in answers.items():
            if answer is None:
                self._failures += 1
                seconds = self._failure_ttl
            else:
                seconds = self._negative_ttl if answer == NOTHING else self._ttl
            self._cache.put(key, answer, seconds)


def pause_seconds(attempt: int) -> float:
    """Returns the pause after a failed attempt: at random below a limit that doubles."""
    longest = min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311 - only spreads the calls
