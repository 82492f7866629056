"""Answers of look-ups, kept for a while: bounded in number and in age."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

type MonotonicClock = Callable[[], float]
"""Seconds from any fixed instant."""


class LookupCache[T]:
    """A cache whose entries have an end each; of too many the least recently used goes first.

    It may be used by several threads.
    """

    def __init__(self, size: int, clock: MonotonicClock = time.monotonic) -> None:
        """Starts empty.

        Args:
            size: Most entries kept, at least 1.
            clock: Tells the time.
        """
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    def get(self, key: str) -> tuple[T] | None:
        """Returns a key's answer in a tuple, as it may itself be None; None: there is none.

        An entry whose time is over is gone.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and self._clock() < entry[0]:
                self._entries.move_to_end(key)
                self.hits += 1
                return (entry[1],)
            if entry is not None:
                del self._entries[key]
            self.misses += 1
            return None

    def put(self, key: str, answer: T, seconds: float) -> None:
        """Keeps an answer for so many seconds."""
        with self._lock:
            self._entries[key] = (self._clock() + seconds, answer)
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
