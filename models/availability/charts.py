"""What the page of an endpoint's availability draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from models.availability.budget import WINDOW, Counts, budget_left
from models.availability.counts import Step, steps
from models.endpoints.models import Endpoint


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time up to now; `step` is that of its charts."""

    name: str
    words: str
    length: timedelta
    step: timedelta
    refresh: int


MONTH = Period("30d", "30 days", timedelta(days=30), timedelta(hours=6), 300)
PERIODS = {
    period.name: period
    for period in (
        Period("1h", "hour", timedelta(hours=1), timedelta(minutes=1), 15),
        Period("24h", "24 hours", timedelta(hours=24), timedelta(minutes=15), 60),
        Period("7d", "7 days", timedelta(days=7), timedelta(hours=2), 300),
        MONTH,
    )
}
# A month in finer steps is more than a chart shows.
FINEST_BUDGET = timedelta(minutes=30)
CHARTS = {"requests": "Requests that were not answered", "budget": "Error budget left"}


def period_of(name: str) -> Period:
    """The period of that name; 30 days where there is none."""
    return PERIODS.get(name, MONTH)


def chart(endpoint: Endpoint, name: str, period: Period) -> dict[str, Any]:
    """What `static/js/charts.js` draws. The caller has required PROJECT_VIEW."""
    until = timezone.now()
    if name == "budget" and endpoint.availability_target is not None:
        target = endpoint.availability_target
        found = _rolling(endpoint, period, until)
        values = [100 * budget_left(step.counts, target) if step.counts.requests else None for step in found]
        return _document("% left", [step.at for step in found], [("error budget left", values)])
    found = steps(endpoint.pk, until - period.length, until, period.step)
    minutes = period.step / timedelta(minutes=1)
    lines = [
        ("failed", [_per_minute(step, step.counts.failed, minutes) for step in found]),
        ("turned away", [_per_minute(step, step.counts.refused, minutes) for step in found]),
    ]
    return _document("per minute", [step.at for step in found], lines)


def _per_minute(step: Step, count: int, minutes: float) -> float | None:
    return count / minutes if step.counts.requests else None


def _rolling(endpoint: Endpoint, period: Period, until: datetime) -> list[Step]:
    """At each step's end what was counted in the 30 days until then."""
    each = max(period.step, FINEST_BUDGET)
    found = steps(endpoint.pk, until - period.length - WINDOW, until, each)
    reach = int(WINDOW / each)
    running = [Counts(), *_sums(step.counts for step in found)]
    first = len(found) - int(period.length / each)
    return [
        Step(found[place].at + each, _less(running[place + 1], running[max(place + 1 - reach, 0)]))
        for place in range(max(first, 0), len(found))
    ]


def _sums(counts: Iterable[Counts]) -> list[Counts]:
    found, so_far = [], Counts()
    for each in counts:
        so_far += each
        found.append(so_far)
    return found


def _less(one: Counts, other: Counts) -> Counts:
    return Counts(one.answered - other.answered, one.refused - other.refused, one.failed - other.failed)


def _document(unit: str, moments: list[datetime], lines: list[tuple[str, list[float | None]]]) -> dict[str, Any]:
    x = [moment.timestamp() for moment in moments]
    series = [{"label": label, "x": x, "y": values} for label, values in lines]
    return {"x_label": "time", "y_label": unit, "time": True, "gaps": True, "series": series}
