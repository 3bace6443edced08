"""What a target allows, what of it is used up, and how fast: plain numbers, no database.

Words and formulas are those of Google's Site Reliability Workbook, chapters 2 and 5: the *error budget* is the share of
requests that the target lets fail; the *burn rate* is how many times as fast as allowed it is used up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

WINDOW = timedelta(days=30)
LOWEST_TARGET, HIGHEST_TARGET = 50.0, 99.999


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests that were answered, that were turned away for want of room, and that failed."""

    answered: int = 0
    refused: int = 0
    failed: int = 0

    @property
    def requests(self) -> int:
        """Those that should have been answered."""
        return self.answered + self.refused + self.failed

    @property
    def lost(self) -> int:
        """Those of them that were not."""
        return self.refused + self.failed

    @property
    def availability(self) -> float | None:
        """In percent; None without requests."""
        return 100 * self.answered / self.requests if self.requests else None

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.answered + other.answered, self.refused + other.refused, self.failed + other.failed)


def total(counts: Iterable[Counts]) -> Counts:
    """All of them together."""
    found = Counts()
    for each in counts:
        found += each
    return found


def allowed_share(target: float) -> float:
    """The share of requests that may fail, of a target in percent below 100."""
    return 1 - target / 100


def burn_rate(counts: Counts, target: float) -> float:
    """1 uses the budget up exactly by the end of the window; 0 without requests."""
    return counts.lost / counts.requests / allowed_share(target) if counts.requests else 0.0


def budget_left(counts: Counts, target: float) -> float:
    """The share of the budget that is left: 1 is all of it, below 0 it is overdrawn."""
    return 1 - burn_rate(counts, target)


def requests_left(counts: Counts, target: float) -> int:
    """How many more of the window's requests might have failed; negative where too many did."""
    return int(allowed_share(target) * counts.requests + 1e-9) - counts.lost
