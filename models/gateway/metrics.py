"""What the gateway counts about requests and frames. Counting costs a look-up in a dictionary and an addition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence

from models.gateway.pending import Pending
from modelwright.core.exposition import Family, Histogram

# Of rows in one frame.
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)


class Metrics:
    """Of one process. Unknown endpoints share the empty label, so strangers add no series."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], int] = defaultdict(int)
        # Those of them that did not ask for a prediction.
        self._others: dict[tuple[str, int], int] = defaultdict(int)
        self._latency: dict[str, Histogram] = defaultdict(Histogram)
        self._waited: dict[str, Histogram] = defaultdict(Histogram)
        self._rows: dict[str, Histogram] = defaultdict(lambda: Histogram(ROWS))
        self._shadows: dict[tuple[str, str], int] = defaultdict(int)
        self._fallbacks: dict[tuple[str, str], int] = defaultdict(int)
        self._batches_sent = 0
        self._rows_sent = 0

    def count(self, endpoint: str, status: int) -> None:
        """One request was answered."""
        self._requests[endpoint, status] += 1

    def is_other(self, endpoint: str, status: int) -> None:
        """A request that is counted did not ask for a prediction."""
        self._others[endpoint, status] += 1

    def predictions(self) -> dict[tuple[str, int], int]:
        """How many requests for predictions were answered since the start, by endpoint and status."""
        others = self._others
        return {key: count - others.get(key, 0) for key, count in self._requests.items() if key[0]}

    def predicted(self, batch: Sequence[Pending], now: float) -> None:
        """They are about to be answered; each took from the last byte of its request until `now`."""
        name, observe = "", None
        for pending in batch:
            if observe is None or pending.endpoint.name is not name:
                name = pending.endpoint.name
                observe = self._latency[name].observe
            observe(now - pending.received)

    def sent(self, endpoint: str, rows: int, waited: float) -> None:
        """A frame left for a replica; its first request waited for `waited` seconds."""
        self._batches_sent += 1
        self._rows_sent += rows
        self._rows[endpoint].observe(rows)
        self._waited[endpoint].observe(waited)

    def shadowed(self, endpoint: str, outcome: str) -> None:
        """A shadow was asked, or left out."""
        self._shadows[endpoint, outcome] += 1

    def fell_back(self, endpoint: str, why: str) -> None:
        """The fallback answered."""
        self._fallbacks[endpoint, why] += 1

    def families(self, endpoints: Container[str]) -> Iterable[Family]:
        """Everything about these endpoints, and what belongs to none."""
        requests = Family("modelwright_gateway_requests_total", "counter", "Requests answered, by status.")
        for (endpoint, status), count in sorted(self._requests.items()):
            if not endpoint or endpoint in endpoints:
                requests.add(count, endpoint=endpoint, status=str(status))
        shadows = Family("modelwright_gateway_shadows_total", "counter", "Shadows asked or left out for want of room.")
        fallbacks = Family("modelwright_gateway_fallbacks_total", "counter", "Requests that the fallback answered.")
        for family, label, found in ((shadows, "outcome", self._shadows), (fallbacks, "why", self._fallbacks)):
            for (endpoint, value), count in sorted(found.items()):
                if endpoint in endpoints:
                    family.add(count, **{"endpoint": endpoint, label: value})
        batches = Family("modelwright_gateway_batches_total", "counter", "Frames sent to replicas.")
        batches.add(self._batches_sent)
        rows = Family("modelwright_gateway_rows_total", "counter", "Rows sent to replicas.")
        rows.add(self._rows_sent)
        return (
            requests,
            _histograms(
                "modelwright_gateway_request_seconds",
                "From the last byte of a request to the answer that holds its prediction.",
                self._latency,
                endpoints,
            ),
            _histograms(
                "modelwright_gateway_queue_seconds",
                "How long the first request of each frame waited for a replica.",
                self._waited,
                endpoints,
            ),
            _histograms("modelwright_gateway_batch_rows", "Rows of each frame.", self._rows, endpoints),
            batches,
            rows,
            shadows,
            fallbacks,
        )


def _histograms(name: str, help: str, found: dict[str, Histogram], endpoints: Container[str]) -> Family:
    family = Family(name, "histogram", help)
    for endpoint, histogram in sorted(found.items()):
        if endpoint in endpoints:
            family.add_histogram(histogram.bounds, histogram.counts, histogram.total, (("endpoint", endpoint),))
    return family
