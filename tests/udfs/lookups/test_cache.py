from __future__ import annotations

from tests.support.core import Clock
from udfs.lookups.cache import LookupCache
from udfs.lookups.circuit_breaker import CircuitBreaker


def test_an_answer_is_kept_until_its_time_is_over() -> None:
    clock = Clock()
    cache: LookupCache[str | None] = LookupCache(10, clock)
    cache.put("a", "A", 60)
    cache.put("b", None, 5)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (("A",), (None,), None)
    clock.now += 5
    assert (cache.get("a"), cache.get("b")) == (("A",), None)
    clock.now += 55
    assert cache.get("a") is None
    assert (cache.hits, cache.misses) == (3, 3)


def test_the_least_recently_used_goes_first() -> None:
    cache: LookupCache[str] = LookupCache(2, Clock())
    cache.put("a", "A", 60)
    cache.put("b", "B", 60)
    cache.get("a")
    cache.put("c", "C", 60)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (("A",), None, ("C",))


def test_only_failures_in_a_row_open_the_breaker() -> None:
    breaker = CircuitBreaker(3, 30, Clock())
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed):
        outcome()
    assert breaker.allow()
    breaker.failed()
    breaker.failed()
    assert not breaker.allow()
    assert breaker.opened == 1


def test_after_the_pause_one_call_probes() -> None:
    clock = Clock()
    breaker = CircuitBreaker(1, 30, clock)
    breaker.failed()
    clock.now += 29
    assert not breaker.allow()
    clock.now += 1
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.failed()
    clock.now += 29
    assert not breaker.allow()
    clock.now += 1
    assert breaker.allow()
    breaker.succeeded()
    assert [breaker.allow(), breaker.allow()] == [True, True]
    assert breaker.opened == 1


def test_a_probe_that_never_ends_does_not_close_the_way_for_ever() -> None:
    clock = Clock()
    breaker = CircuitBreaker(1, 30, clock)
    breaker.failed()
    clock.now += 30
    assert breaker.allow()
    clock.now += 30
    assert breaker.allow()
