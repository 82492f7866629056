"""Sums that stay small however much is added to them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

type Key = str | None

_LEAST_MARGIN = 3600

# Lengths in seconds that a reader can count in.
_STEPS = (1, 5, 10, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800)


class Totals:
    """Sums by key, for a bounded number of keys.

    When there are twice as many keys as wanted, the smaller half is summed up as `others`.
    A key that was dropped and comes again starts from zero, so small sums are lower bounds
    once there are others.

    Args:
        columns: Numbers in each sum.
        keep: Keys to keep.
        rank: Gives what the larger keys have more of.
        largest: Columns at the end that keep the largest number in place of the sum.
    """

    def __init__(
        self,
        columns: int,
        keep: int,
        rank: Callable[[Sequence[int]], Sequence[float]],
        largest: int = 0,
    ) -> None:
        self._sums: dict[Key, list[int]] = {}
        self._columns = columns
        self._keep = keep
        self._rank = rank
        self._summed = columns - largest
        self.others: list[int] = [0] * columns
        """Returns the sum of the keys that were dropped."""

    def add(self, key: Key, *numbers: int) -> None:
        """Adds one number to each column of a key."""
        sums = self._sums.get(key)
        if sums is None:
            if len(self._sums) >= 2 * self._keep:
                self._drop()
            sums = self._sums[key] = [0] * self._columns
        sums[:] = self._joined(sums, numbers)

    def largest(self, count: int) -> tuple[list[tuple[Key, list[int]]], list[int]]:
        """Returns the largest keys with their sums, and the sum of all others."""
        ranked = self._ranked()
        rest = list(self.others)
        for _, sums in ranked[count:]:
            rest = self._joined(rest, sums)
        return ranked[:count], rest

    def total(self) -> list[int]:
        """Returns the sum of everything that was added."""
        result = list(self.others)
        for sums in self._sums.values():
            result = self._joined(result, sums)
        return result

    def _joined(self, left: Sequence[int], right: Sequence[int]) -> list[int]:
        columns = enumerate(zip(left, right, strict=True))
        return [a + b if column < self._summed else max(a, b) for column, (a, b) in columns]

    def _ranked(self) -> list[tuple[Key, list[int]]]:
        return sorted(
            self._sums.items(),
            key=lambda item: (*(-number for number in self._rank(item[1])), item[0] or ""),
        )

    def _drop(self) -> None:
        ranked = self._ranked()
        for _, sums in ranked[self._keep :]:
            self.others = self._joined(self.others, sums)
        self._sums = dict(ranked[: self._keep])


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers over time, in steps of equal length without gaps.

    Attributes:
        step: Seconds of a step.
        starts: Seconds since 1970-01-01 UTC of each step.
        columns: For each column its numbers.
        outside: Sum of the first column of steps far off, which are left out.
    """

    step: int
    starts: list[int]
    columns: list[list[int]]
    outside: int


class TimeTotals:
    """Sums by time, for a bounded number of times.

    Args:
        columns: Numbers in each sum; the first tells how much a time matters.
        keep: Times to keep; with more, steps get longer.
    """

    def __init__(self, columns: int, keep: int = 4096) -> None:
        self._sums: dict[int, list[int]] = {}
        self._columns = columns
        self._keep = keep
        self._step = 1

    def add(self, start: int, length: int, numbers: Iterable[int]) -> None:
        """Adds numbers to a window of so many seconds."""
        if length > self._step:
            self._coarsen(_nice(length))
        slot = start - start % self._step
        sums = self._sums.get(slot)
        if sums is None:
            while len(self._sums) >= self._keep:
                self._coarsen(_nice(self._step + 1))
                slot = start - start % self._step
            sums = self._sums.setdefault(slot, [0] * self._columns)
        for column, number in enumerate(numbers):
            sums[column] += number

    def series(self, most: int) -> Series:
        """Returns the sums in at most so many steps."""
        slots, outside = self._main_part()
        if not slots:
            return Series(self._step, [], [[] for _ in range(self._columns)], 0)
        step = self._step
        while (slots[-1] - slots[0]) // step + 2 > most:
            step = _nice(step + 1)
        first, last = (slot - slot % step for slot in (slots[0], slots[-1]))
        starts = list(range(first, last + 1, step))
        columns = [[0] * len(starts) for _ in range(self._columns)]
        for slot in slots:
            position = (slot - slot % step - first) // step
            for column, number in enumerate(self._sums[slot]):
                columns[column][position] += number
        return Series(step, starts, columns, outside)

    def _main_part(self) -> tuple[list[int], int]:
        """Returns the times without the few that lie far off, as lines with a wrong clock do."""
        slots = sorted(self._sums)
        if not slots:
            return slots, 0
        weights = [self._sums[slot][0] for slot in slots]
        running = list(accumulate(weights))
        # Between them lies all but a hundredth.
        low = slots[bisect_right(running, running[-1] // 200)]
        high = slots[bisect_left(running, running[-1] - running[-1] // 200)]
        margin = max(high - low, _LEAST_MARGIN)
        near = [slot for slot in slots if low - margin <= slot <= high + margin]
        return near, running[-1] - sum(self._sums[slot][0] for slot in near)

    def _coarsen(self, step: int) -> None:
        self._step = step
        former, self._sums = self._sums, {}
        for slot, numbers in former.items():
            sums = self._sums.setdefault(slot - slot % step, [0] * self._columns)
            for column, number in enumerate(numbers):
                sums[column] += number


def _nice(seconds: int) -> int:
    for step in _STEPS:
        if step >= seconds:
            return step
    step = _STEPS[-1]
    while step < seconds:
        step *= 2
    return step
