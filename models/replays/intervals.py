"""Confidence intervals of shares, of their differences, and of areas under curves. Pure functions, no tables.

Sources: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, for one share; R. G. Newcombe, Statistics in Medicine 17
(1998) 873, method 10, for the difference of two shares of different records; the same, 17 (1998) 2635, method 10, for
two shares of the same records; E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988) 837, for two
areas under the curve of the same records, from placements by midranks (X. Sun, W. Xu, IEEE Signal Process. Lett. 21
(2014) 1389).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import comb, sqrt
from statistics import NormalDist
from typing import NamedTuple

LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate and the ends of its interval."""

    value: float
    low: float
    high: float


def quantile(level: float = LEVEL) -> float:
    """How many standard deviations an interval of the level reaches to both sides: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(hits: float, total: float, *, level: float = LEVEL) -> Interval:
    """The share `hits / total`, `total` at least 1, with Wilson's score interval. The numbers need not be whole."""
    z2 = quantile(level) ** 2
    share = hits / total
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = sqrt(z2 * (share * (1 - share) / total + z2 / (4 * total * total))) / (1 + z2 / total)
    # Where all or none are hits the end is exact; what is left are last digits.
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == total else min(1.0, middle + half)
    return Interval(share, low, high)


def difference(hits: float, total: float, other_hits: float, other_total: float, *, level: float = LEVEL) -> Interval:
    """How much larger the first share is than the other, of different records."""
    one, other = wilson(hits, total, level=level), wilson(other_hits, other_total, level=level)
    value = one.value - other.value
    low = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    high = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(value, value - low, value + high)


def paired_difference(both: int, first: int, second: int, neither: int, *, level: float = LEVEL) -> Interval:
    """How much larger the first share is than the second, of the same records: hits of both, of one alone, of none."""
    total = both + first + second + neither
    one, two = wilson(both + first, total, level=level), wilson(both + second, total, level=level)
    phi = _phi(both, first, second, neither)
    value = (first - second) / total
    down, up = one.value - one.low, two.high - two.value
    low = sqrt(max(0.0, down * down - 2 * phi * down * up + up * up))
    up, down = one.high - one.value, two.value - two.low
    high = sqrt(max(0.0, up * up - 2 * phi * up * down + down * down))
    return Interval(value, max(-1.0, value - low), min(1.0, value + high))


def _phi(both: int, first: int, second: int, neither: int) -> float:
    """How the two go together, towards zero by Newcombe's correction for continuity."""
    total = both + first + second + neither
    below = (both + first) * (second + neither) * (both + second) * (first + neither)
    if not below:
        return 0.0
    above: float = both * neither - first * second
    if above > 0:
        above = max(above - total / 2, 0.0)
    return above / sqrt(below)


def exact_mcnemar(first: int, second: int) -> float:
    """The two-sided probability that of `first + second` discordant records so uneven a split is chance."""
    total, smaller = first + second, min(first, second)
    if total > 1000:
        # Exact sums of such large numbers take long, and the normal law is as good.
        return 2 * NormalDist().cdf(-max(0.0, abs(first - second) - 1) / sqrt(total))
    tail = sum(comb(total, count) for count in range(smaller + 1))
    return min(1.0, float(2 * tail / 2**total))


def mean_difference(values: Sequence[float], *, level: float = LEVEL) -> Interval:
    """The mean of paired differences with the normal interval of their mean; at least one value."""
    count = len(values)
    mean = sum(values) / count
    if count < 2:
        return Interval(mean, mean, mean)
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    half = quantile(level) * sqrt(variance / count)
    return Interval(mean, mean - half, mean + half)


class Areas(NamedTuple):
    """Areas under the curve of old and new scores, and how much larger the new one is."""

    before: float
    after: float
    difference: Interval


def areas(
    positive: Sequence[tuple[float, float]], negative: Sequence[tuple[float, float]], *, level: float = LEVEL
) -> Areas | None:
    """The areas of `(old score, new score)` of true and false records, None without two of each."""
    if len(positive) < 2 or len(negative) < 2:
        return None
    old = _placements([pair[0] for pair in positive], [pair[0] for pair in negative])
    new = _placements([pair[1] for pair in positive], [pair[1] for pair in negative])
    before, after = sum(old[0]) / len(positive), sum(new[0]) / len(positive)
    variance = sum(
        _variance([b - a for a, b in zip(*sides, strict=True)]) / len(sides[0]) for sides in zip(old, new, strict=True)
    )
    half = quantile(level) * sqrt(max(0.0, variance))
    value = after - before
    return Areas(before, after, Interval(value, max(-1.0, value - half), min(1.0, value + half)))


def _placements(positive: Sequence[float], negative: Sequence[float]) -> tuple[list[float], list[float]]:
    """For each true record the share of false ones that score lower, for each false one that of true ones higher."""
    together = _midranks([*positive, *negative])
    own, other = _midranks(positive), _midranks(negative)
    trues, falses = len(positive), len(negative)
    of_true = [(rank - mine) / falses for rank, mine in zip(together[:trues], own, strict=True)]
    of_false = [1 - (rank - mine) / trues for rank, mine in zip(together[trues:], other, strict=True)]
    return of_true, of_false


def _midranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    place = 0
    for _, group in groupby(order, key=values.__getitem__):
        members = list(group)
        for index in members:
            ranks[index] = place + (len(members) + 1) / 2
        place += len(members)
    return ranks


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
