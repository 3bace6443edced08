"""How likely counts are by chance: exact tests of shares. No database, no clock."""

from __future__ import annotations

import math

# Terms that add less than this to a sum end it.
NEGLIGIBLE = 1e-15


def at_least(hits: int, trials: int, share: float) -> float:
    """The chance of `hits` or more of `trials` where each hits with chance `share` (binomial, exact).

    1.0 where there are no more than are to be expected: nobody asks how likely that is.
    """
    if trials == 0 or hits <= share * trials:
        return 1.0
    if share <= 0.0:
        return 0.0
    term = math.exp(_choose(trials, hits) + hits * math.log(share) + (trials - hits) * math.log1p(-share))
    odds, total, count = share / (1.0 - share), term, hits
    while count < trials and term > NEGLIGIBLE * total:
        term *= (trials - count) / (count + 1) * odds
        total += term
        count += 1
    return min(total, 1.0)


def at_least_as_many(hits: int, trials: int, base_hits: int, base_trials: int) -> float:
    """The chance that of all hits so many or more fall on `trials` where both are hit alike (Fisher's exact test).

    1.0 where the share is no larger than the base's, and where either was not tried.
    """
    if not trials or not base_trials or hits * base_trials <= base_hits * trials:
        return 1.0
    both, all_hits = trials + base_trials, hits + base_hits
    term = math.exp(_choose(all_hits, hits) + _choose(both - all_hits, trials - hits) - _choose(both, trials))
    total, count = term, hits
    while count < min(all_hits, trials) and term > NEGLIGIBLE * total:
        term *= (all_hits - count) * (trials - count) / ((count + 1) * (both - all_hits - trials + count + 1))
        total += term
        count += 1
    return min(total, 1.0)


def _choose(total: int, part: int) -> float:
    """The logarithm of the number of ways to choose `part` of `total`."""
    return math.lgamma(total + 1) - math.lgamma(part + 1) - math.lgamma(total - part + 1)
