"""Failed look-ups: the number of attempts, the pauses between them, and the outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from flink_app.lookups import service as service_module
from flink_app.lookups.service import NOTHING, Backend, LookupService, LoopThread, pause_seconds
from tests.support.core import Clock
from udfs.config.properties import read_duration
from udfs.errors import TransientError
from udfs.lookups.settings import DnsSettings


class Failing:
    """A service that answers from the n-th call on."""

    largest_call = 10

    def __init__(self, answers_from: int) -> None:
        self.calls = 0
        self._answers_from = answers_from

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        self.calls += 1
        if self.calls < self._answers_from:
            raise TransientError("enrich", "dns", "Timeout")
        return dict.fromkeys(keys, '"found"')

    def close(self) -> None:
        pass


class Crowded:
    """A service without answers that counts its callers at a time."""

    largest_call = 1

    def __init__(self) -> None:
        self.calls = self.most = self._now = 0

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        self.calls += 1
        self._now += 1
        self.most = max(self.most, self._now)
        # The other calls begin now.
        await asyncio.sleep(0)
        self._now -= 1
        return dict.fromkeys(keys, NOTHING)

    def close(self) -> None:
        pass


@contextmanager
def asking(
    backend: Backend, clock: Callable[[], float] = time.monotonic, **settings: str
) -> Iterator[LookupService]:
    thread = LoopThread()
    given = {name.replace("_", "."): value for name, value in settings.items()}
    policy = DnsSettings.load({"weblog.lookups.dns": given})
    try:
        yield LookupService(backend, policy, thread.loop, clock)
    finally:
        thread.close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes the attempts before a pause; no pause takes any time."""
    after: list[int] = []

    def none(attempt: int) -> float:
        after.append(attempt)
        return 0.0

    monkeypatch.setattr(service_module, "pause_seconds", none)
    return after


@pytest.mark.parametrize(
    ("attempts", "answers_from", "calls", "answer"),
    [(1, 2, 1, None), (3, 3, 3, '"found"'), (3, 1, 1, '"found"'), (3, 4, 3, None)],
)
def test_a_transient_failure_is_tried_again_until_attempts_are_over(
    pauses: list[int], attempts: int, answers_from: int, calls: int, answer: str | None
) -> None:
    backend = Failing(answers_from)
    with asking(backend, attempts=str(attempts)) as service:
        assert service.start(["a", "b"]).result() == {"a": answer, "b": answer}
        assert backend.calls == calls
        assert pauses == list(range(1, calls))
        assert service.use().failures == (2 if answer is None else 0)


def test_a_failure_is_kept_for_half_a_minute_and_an_answer_for_its_hour() -> None:
    clock, backend = Clock(), Failing(answers_from=2)
    with asking(backend, clock) as service:
        for later, calls, answer in (
            (0, 1, None),
            (29, 1, None),
            (1, 2, '"found"'),
            (3599, 2, '"found"'),
            (1, 3, '"found"'),
        ):
            clock.now += later
            assert service.start(["a"]).result() == {"a": answer}
            assert backend.calls == calls


@pytest.mark.parametrize("negative_ttl", ["10 s", "2 min"])
def test_that_there_is_no_answer_is_kept_as_long_as_the_settings_say(negative_ttl: str) -> None:
    clock, backend = Clock(), Crowded()
    seconds = read_duration(negative_ttl).total_seconds()
    with asking(backend, clock, cache_negative_ttl=negative_ttl) as service:
        for later, calls in ((0, 1), (seconds - 1, 1), (1, 2)):
            clock.now += later
            assert service.start(["a"]).result() == {"a": NOTHING}
            assert backend.calls == calls


def test_a_failure_is_kept_no_longer_than_that_there_is_no_answer() -> None:
    clock, backend = Clock(), Failing(answers_from=9)
    with asking(backend, clock, cache_negative_ttl="10 s") as service:
        for later, calls in ((0, 1), (9, 1), (1, 2)):
            clock.now += later
            assert service.start(["a"]).result() == {"a": None}
            assert backend.calls == calls


def test_no_more_calls_at_a_time_than_the_settings_say() -> None:
    backend = Crowded()
    with asking(backend, concurrency="3") as service:
        service.start(map(str, range(20))).result()
    assert (backend.calls, backend.most) == (20, 3)


def test_pauses_double_up_to_a_cap_and_are_random() -> None:
    for attempt in range(1, 12):
        longest = min(0.1 * 2 ** (attempt - 1), 5.0)
        drawn = {pause_seconds(attempt) for _ in range(50)}
        assert len(drawn) > 1
        assert all(longest / 2 <= one <= longest for one in drawn)
