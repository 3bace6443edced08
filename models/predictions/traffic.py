"""What an endpoint's page draws of its traffic: rate, latency and failures over an hour, a day or a week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from models.endpoints.models import Endpoint
from models.predictions.rates import Rate, buckets_of


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time up to now. `step` is that of its charts; every `refresh` seconds they are drawn anew."""

    name: str
    words: str
    length: timedelta
    step: timedelta
    refresh: int


HOUR = Period("1h", "hour", timedelta(hours=1), timedelta(minutes=1), 15)
PERIODS = {
    period.name: period
    for period in (
        HOUR,
        Period("24h", "24 hours", timedelta(hours=24), timedelta(minutes=10), 60),
        Period("7d", "7 days", timedelta(days=7), timedelta(hours=1), 300),
    )
}

_Value = Callable[[Rate], float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing: its lines, and what the axis says."""

    name: str
    label: str
    unit: str
    lines: tuple[tuple[str, _Value], ...]


CHARTS = {
    chart.name: chart
    for chart in (
        Chart("rate", "Requests", "per second", (("requests", lambda rate: rate.per_second),)),
        Chart(
            "latency",
            "Latency",
            "ms",
            (
                ("p50", lambda rate: rate.p50_ms),
                ("p95", lambda rate: rate.p95_ms),
                ("p99", lambda rate: rate.p99_ms),
            ),
        ),
        Chart(
            "errors",
            "Requests that the model failed",
            "%",
            (("failed", lambda rate: None if rate.error_share is None else 100 * rate.error_share),),
        ),
    )
}


def period_of(name: str) -> Period:
    """The period of that name; an hour where there is none."""
    return PERIODS.get(name, HOUR)


def traffic(endpoint: Endpoint, period: Period, *, until: datetime | None = None) -> list[Rate]:
    """Whole steps, the last of which ends with the last whole minute. The caller has required PROJECT_VIEW."""
    end = _whole_minute(until)
    return buckets_of(endpoint, end - period.length, end, period.step)


def in_all(endpoint: Endpoint, period: Period, *, until: datetime | None = None, role: str | None = None) -> Rate:
    """The period as one; of what was answered in that role alone, where it is given."""
    end = _whole_minute(until)
    rate, *_ = buckets_of(endpoint, end - period.length, end, period.length, role=role)
    return rate


def document(chart: Chart, rates: list[Rate]) -> dict[str, Any]:
    """What `static/js/charts.js` draws. Nothing is drawn where nothing was asked: gaps stay gaps."""
    return {
        "x_label": "time",
        "y_label": chart.unit,
        "time": True,
        "gaps": True,
        "series": [
            {
                "label": label,
                "x": [rate.at.timestamp() for rate in rates],
                "y": [value(rate) for rate in rates],
            }
            for label, value in chart.lines
        ],
    }


def _whole_minute(moment: datetime | None) -> datetime:
    moment = moment or timezone.now()
    return moment - timedelta(seconds=moment.second, microseconds=moment.microsecond)
