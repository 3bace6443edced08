"""Counters and histograms in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Sample = tuple[str, str, str, float]


class Metrics:
    """What the gateway counts about requests. Unknown endpoints share the empty label, so strangers add no series."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], int] = defaultdict(int)
        self._latency: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = defaultdict(float)

    def count(self, endpoint: str, status: int) -> None:
        """One request was answered."""
        self._requests[endpoint, status] += 1

    def observe(self, endpoint: str, seconds: float) -> None:
        """One prediction took that long, from the last byte of the request to the answer."""
        counts = self._latency.get(endpoint)
        if counts is None:
            counts = self._latency[endpoint] = [0] * (len(BUCKETS) + 1)
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[endpoint] += seconds

    def render(self, more: Iterable[Sample]) -> bytes:
        """The exposition; `more` holds `(name, type, labels, value)` of what others count."""
        lines = ["# TYPE modelwright_gateway_requests_total counter"]
        for (endpoint, status), count in sorted(self._requests.items()):
            lines.append(f'modelwright_gateway_requests_total{{endpoint="{endpoint}",status="{status}"}} {count}')
        lines.append("# TYPE modelwright_gateway_request_seconds histogram")
        for endpoint, counts in sorted(self._latency.items()):
            lines.extend(self._histogram(endpoint, counts))
        for name, kind, labels, value in more:
            lines += [f"# TYPE {name} {kind}", f"{name}{labels} {value:g}"]
        return ("\n".join(lines) + "\n").encode()

    def _histogram(self, endpoint: str, counts: list[int]) -> Iterable[str]:
        name = "modelwright_gateway_request_seconds"
        total = 0
        for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
            total += count
            yield f'{name}_bucket{{endpoint="{endpoint}",le="{bound}"}} {total}'
        yield f'{name}_sum{{endpoint="{endpoint}"}} {self._seconds[endpoint]:.6f}'
        yield f'{name}_count{{endpoint="{endpoint}"}} {total}'
