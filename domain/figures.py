"""Counts, averages, medians and shares, the same to the last digit however they are computed.

Integers only. An average, and the median of an even number of values (the mean of the middle two), is
rounded to whole seconds, halves upwards; a share is given in hundredths of a percent, rounded likewise.
Grouping by unit, site or month is up to the caller: these functions see one group.
"""

from collections.abc import Iterable

from msgspec import Struct


class Figures(Struct, frozen=True):
    """Of durations in seconds. An empty group has neither average nor median."""

    count: int
    total_s: int
    average_s: int | None
    median_s: int | None


class Share(Struct, frozen=True):
    """How many of those that can be told were in time."""

    met: int
    measured: int
    basis_points: int | None
    """7500 = 75 %; ``None`` of nothing."""


def rounded(numerator: int, denominator: int) -> int:
    """The quotient as a whole number, halves upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


def figures(seconds: Iterable[int]) -> Figures:
    """Count, sum, average and median of one group."""
    ordered = sorted(seconds)
    count, total_s = len(ordered), sum(ordered)
    if not ordered:
        return Figures(0, 0, None, None)
    middle_two = ordered[(count - 1) // 2] + ordered[count // 2]
    return Figures(count, total_s, rounded(total_s, count), rounded(middle_two, 2))


def share(met: int, measured: int) -> Share:
    assert 0 <= met <= measured
    return Share(met, measured, rounded(10_000 * met, measured) if measured else None)
