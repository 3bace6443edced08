"""Shares of records that come from units (people, customers, devices), each of which met one version only.

Records of one unit are alike, so they say less than as many of different units. Source: J. N. K. Rao, A. J. Scott, A
simple method for the analysis of clustered binary data, Biometrics 48 (1992) 577: hits and records are divided by the
design effect, and then treated as if they were independent.
"""

from __future__ import annotations

from collections.abc import Sequence


def effective(units: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Hits and records as so many independent ones would be, from hits and records of each unit.

    Never more than there are. A single unit says as much as one record: nothing is known of how units differ.
    """
    total = sum(records for _, records in units)
    hits = sum(right for right, _ in units)
    if not total:
        return 0.0, 0.0
    share, count = hits / total, len(units)
    if count == 1:
        return share, 1.0
    if share in (0.0, 1.0):
        # No unit differs from another; each counts once, as nothing says how many of its records are news.
        return share * count, float(count)
    spread = count / (count - 1) * sum((right - share * records) ** 2 for right, records in units) / total**2
    effect = max(1.0, spread * total / (share * (1 - share)))
    return hits / effect, total / effect
