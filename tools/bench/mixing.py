"""Numbers that look random and are always the same for the same number."""

from __future__ import annotations

from collections.abc import Sequence

_MASK = (1 << 64) - 1


def mix(number: int, salt: int) -> int:
    """64 well mixed bits (the finalizer of SplitMix64)."""
    value = (number + salt * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


def one_of[T](choices: Sequence[T], number: int) -> T:
    """The choice that a number picks."""
    return choices[number % len(choices)]
