"""When using up the error budget is worth an alert: several windows, several burn rates.

The rules are those that Google's Site Reliability Workbook recommends for a window of 30 days (chapter 5, "Alerting on
SLOs", approach 6, table 5-8): the long window says that it matters, the short one that it still goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from models.availability.budget import Counts, allowed_share, burn_rate

# With few requests one that failed is a large share, and no reason to wake anybody.
FEWEST_LOST = 3
# A target that lets many fail cannot be missed by so much; an outage must be seen all the same.
OF_THE_FASTEST = 0.9


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert opens where both windows burn at `rate` times the allowed speed, and closes when the short one does
    not. `budget` is the share of 30 days' budget that is gone when the long window has burnt like that."""

    name: str
    severity: str
    rate: float
    long: timedelta
    short: timedelta
    budget: float


RULES = (
    Rule("fast", "page", 14.4, timedelta(hours=1), timedelta(minutes=5), 0.02),
    Rule("medium", "page", 6.0, timedelta(hours=6), timedelta(minutes=30), 0.05),
    Rule("slow", "ticket", 1.0, timedelta(days=3), timedelta(hours=6), 0.10),
)
BY_NAME = {rule.name: rule for rule in RULES}
LENGTHS = sorted({length for rule in RULES for length in (rule.long, rule.short)})


@dataclass(frozen=True, slots=True)
class Burn:
    """How a rule stands: the burn rates of its windows, and from which rate on it is an alert."""

    rule: Rule
    threshold: float
    long: float
    short: float
    counts: Counts

    @property
    def long_seconds(self) -> float:
        """The long window."""
        return self.rule.long.total_seconds()

    @property
    def short_seconds(self) -> float:
        """The short window."""
        return self.rule.short.total_seconds()

    @property
    def opens(self) -> bool:
        """Whether it is an alert."""
        return self.counts.lost >= FEWEST_LOST and self.long >= self.threshold and self.short >= self.threshold

    @property
    def goes_on(self) -> bool:
        """Whether an alert that is open stays so."""
        return self.short >= self.threshold


def burns(counted: Callable[[timedelta], Counts], target: float) -> list[Burn]:
    """How each rule stands. `counted` tells what was counted in so long a time until now."""
    found = []
    for rule in RULES:
        threshold = min(rule.rate, OF_THE_FASTEST / allowed_share(target))
        long, short = counted(rule.long), counted(rule.short)
        found.append(Burn(rule, threshold, burn_rate(long, target), burn_rate(short, target), long))
    return found
