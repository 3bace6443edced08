"""Metrics that model code counts: they stand on the gateway's `/metrics`, with the endpoint's name beside them.

    from modelwright_runtime import metrics

    unknown = metrics.counter("unknown_regions", "Rows whose region the model has never seen.")
    unknown.inc(3)

Declare them where the module is loaded, or wherever it suits: the same declaration again gives the same metric. In a
run, where nobody asks for them, they cost next to nothing. All of them may be used from any thread.
"""

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

MAX_METRICS = 50
MAX_SERIES = 100
MAX_NAME = 64
MAX_HELP = 200
MAX_LABELS = 4
MAX_LABEL_VALUE = 64
MAX_BUCKETS = 30
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
RESERVED = frozenset(("endpoint", "model", "version", "replica", "le", "job", "instance"))

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_lock = threading.Lock()
_metrics: dict[str, _Metric] = {}


class _Metric:
    """What the kinds share: a name, what it means, and one value for each set of labels."""

    kind = ""

    def __init__(self, name: str, help: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.help = help
        self.labels = labels
        self._series: dict[tuple[str, ...], Any] = {}

    def _key(self, labels: dict[str, Any]) -> tuple[str, ...] | None:
        """None where there are already as many series as there may be: a label's values must not grow for ever."""
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} is told apart by {list(self.labels)}, not by {sorted(labels)}")
        key = tuple(str(labels[name])[:MAX_LABEL_VALUE] for name in self.labels)
        if key not in self._series and sum(len(metric._series) for metric in _metrics.values()) >= MAX_SERIES:
            return None
        return key

    def snapshot(self) -> dict[str, Any]:
        """What a pong says of it."""
        series = [
            {"labels": dict(zip(self.labels, key, strict=True)), **self._plain(value)}
            for key, value in self._series.items()
        ]
        return {"name": self.name, "kind": self.kind, "help": self.help, "series": series}

    def _plain(self, value: Any) -> dict[str, Any]:
        return {"value": value}


class Counter(_Metric):
    """Something that only grows."""

    kind = "counter"

    def inc(self, amount: float = 1, **labels: Any) -> None:
        """Add `amount`. Raises `ValueError` when it is negative or no number."""
        if not math.isfinite(amount) or amount < 0:
            raise ValueError(f"{self.name} is a counter: it grows by a number of at least 0, not by {amount}")
        with _lock:
            key = self._key(labels)
            if key is not None:
                self._series[key] = self._series.get(key, 0) + amount


class Gauge(_Metric):
    """Something that rises and falls."""

    kind = "gauge"

    def set(self, value: float, **labels: Any) -> None:
        """It is `value` now."""
        with _lock:
            key = self._key(labels)
            if key is not None:
                self._series[key] = float(value)

    def inc(self, amount: float = 1, **labels: Any) -> None:
        """It has grown by `amount`, which may be negative."""
        with _lock:
            key = self._key(labels)
            if key is not None:
                self._series[key] = self._series.get(key, 0.0) + float(amount)


class Histogram(_Metric):
    """How often values fell below each of some bounds."""

    kind = "histogram"

    def __init__(self, name: str, help: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> None:
        super().__init__(name, help, labels)
        self.bounds = bounds

    def observe(self, value: float, **labels: Any) -> None:
        """One more value; one that is no number is left out."""
        value = float(value)
        if math.isnan(value):
            return
        with _lock:
            key = self._key(labels)
            if key is None:
                return
            counts, total = self._series.get(key) or ([0] * (len(self.bounds) + 1), 0.0)
            counts[bisect_left(self.bounds, value)] += 1
            self._series[key] = (counts, total + value)

    def _plain(self, value: Any) -> dict[str, Any]:
        counts, total = value
        return {"bounds": list(self.bounds), "counts": list(counts), "sum": total}


_Kind = TypeVar("_Kind", bound=_Metric)


def counter(name: str, help: str = "", *, labels: Sequence[str] = ()) -> Counter:
    """The counter of that name; on `/metrics` it is `modelwright_model_<name>_total`. Raises `ValueError`."""
    return _declared(Counter(name, help, tuple(labels)))


def gauge(name: str, help: str = "", *, labels: Sequence[str] = ()) -> Gauge:
    """The gauge of that name; on `/metrics` it is `modelwright_model_<name>`. Raises `ValueError`."""
    return _declared(Gauge(name, help, tuple(labels)))


def histogram(
    name: str, help: str = "", *, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS
) -> Histogram:
    """The histogram of that name, with rising upper bounds `buckets`. Raises `ValueError`."""
    bounds = tuple(float(bound) for bound in buckets)
    rising = all(one < other for one, other in pairwise(bounds))
    if not 1 <= len(bounds) <= MAX_BUCKETS or not rising or not all(map(math.isfinite, bounds)):
        raise ValueError(f"the buckets of {name} must be 1 to {MAX_BUCKETS} rising numbers")
    return _declared(Histogram(name, help, tuple(labels), bounds))


def snapshot() -> list[dict[str, Any]]:
    """Every metric with at least one value, as JSON can say it."""
    with _lock:
        return [metric.snapshot() for metric in _metrics.values() if metric._series]


def _declared(metric: _Kind) -> _Kind:
    _check(metric)
    with _lock:
        known = _metrics.get(metric.name)
        if known is not None:
            if type(known) is not type(metric) or known.labels != metric.labels:
                raise ValueError(
                    f"{metric.name} is already declared as a {known.kind} with labels {list(known.labels)}"
                )
            return known
        if len(_metrics) >= MAX_METRICS:
            raise ValueError(f"a model may declare {MAX_METRICS} metrics, and {metric.name} would be one more")
        _metrics[metric.name] = metric
        return metric


def _check(metric: _Metric) -> None:
    if len(metric.name) > MAX_NAME or not _NAME.match(metric.name):
        raise ValueError(
            f"{metric.name!r} is no name of a metric: take small letters, digits and underscores, {MAX_NAME} at most, "
            "beginning with a letter"
        )
    if len(metric.help) > MAX_HELP:
        raise ValueError(f"what {metric.name} means must be told in {MAX_HELP} characters")
    if len(metric.labels) > MAX_LABELS or len(set(metric.labels)) != len(metric.labels):
        raise ValueError(f"{metric.name} may have {MAX_LABELS} labels, each once")
    for label in metric.labels:
        if len(label) > MAX_NAME or not _NAME.match(label) or label in RESERVED:
            raise ValueError(f"{label!r} cannot be a label of {metric.name}; {sorted(RESERVED)} are the platform's own")
