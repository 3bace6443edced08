"""Looks at the load of endpoints every few seconds, and has as many replicas of each as that speaks for."""

from __future__ import annotations

import logging
import time
from collections import deque
from uuid import UUID

from django.utils import timezone

from models.availability import gateway_load
from models.availability.autoscaling import PATIENCE_SECONDS, Bounds, Measured, Patience, Told, advice, measured
from models.availability.models import Load
from models.endpoints.models import Endpoint, Replica
from models.endpoints.scaling import set_wanted_replicas
from models.endpoints.sizing import wanted_replicas
from modelwright.accounts.actors import Actor

logger = logging.getLogger(__name__)

SCALER = Actor.system("replica scaler")
# What is measured is what happened in so many seconds at least.
INTERVAL_SECONDS = 10.0


class Scaler:
    """Of one process. What it has seen it forgets with that: then the number of replicas does not fall for a while."""

    def __init__(self, *, interval: float = INTERVAL_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        self._interval = interval
        self._patience = patience
        self._seen: deque[tuple[float, dict[str, Told]]] = deque()
        self._of: dict[UUID, Patience] = {}

    def tick(self) -> None:
        """Look once. Without an answer of the gateway everything stays as it is."""
        told, now = gateway_load.ask(), time.monotonic()
        if told is None:
            self._seen.clear()
            return
        self._seen.append((now, told))
        while len(self._seen) > 1 and now - self._seen[1][0] >= self._interval:
            self._seen.popleft()
        then, before = self._seen[0]
        if now - then < self._interval:
            return
        endpoints = list(Endpoint.objects.filter(state="active").select_related("workspace"))
        starting = _starting()
        loads = []
        for endpoint in endpoints:
            name = endpoint.path
            load = measured(before[name], told[name], now - then) if name in before and name in told else None
            if load is not None:
                loads.append(self._look_at(endpoint, load, now, all_answer=endpoint.pk not in starting))
        self._of = {endpoint.pk: self._of[endpoint.pk] for endpoint in endpoints if endpoint.pk in self._of}
        _keep(loads)

    def _look_at(self, endpoint: Endpoint, load: Measured, now: float, *, all_answer: bool) -> Load:
        current = wanted_replicas(endpoint)
        bounds = Bounds(
            max(endpoint.min_replicas, 1),
            max(endpoint.max_replicas, endpoint.min_replicas, 1),
            endpoint.target_concurrency,
            endpoint.target_queue_ms,
        )
        given = advice(load, current, bounds, all_answer=all_answer)
        if bounds.most > bounds.fewest:
            patience = self._of.setdefault(endpoint.pk, Patience(self._patience))
            decided = patience.decide(now, given, current)
            if decided.replicas != current:
                _change(endpoint, decided.replicas, decided.reason, load)
        return Load(
            endpoint=endpoint,
            at=timezone.now(),
            concurrency=load.concurrency,
            queue_ms=load.queue_ms,
            refused=load.refused,
            recommended=given.replicas,
        )


def _change(endpoint: Endpoint, replicas: int, reason: str, load: Measured) -> None:
    evidence = {"concurrency": round(load.concurrency, 2), "refused": load.refused}
    if load.queue_ms is not None:
        evidence["queue_ms"] = round(load.queue_ms, 2)
    if set_wanted_replicas(endpoint, replicas, reason=reason, evidence=evidence, acting_user=SCALER):
        logger.info("%s has %d replicas from now on: %s", endpoint.path, replicas, reason)


def _starting() -> set[UUID]:
    """The endpoints that have replicas which do not answer yet."""
    found = Replica.objects.filter(workload__finished_at=None, workload__cancel_requested_at=None)
    return set(found.filter(healthy_at=None, purpose=Replica.Purpose.SERVE).values_list("endpoint_id", flat=True))


def _keep(loads: list[Load]) -> None:
    fields = ["at", "concurrency", "queue_ms", "refused", "recommended"]
    Load.objects.bulk_create(loads, update_conflicts=True, unique_fields=["endpoint"], update_fields=fields)
