"""What the model servers of an endpoint used, and what stopping it gave back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils import timezone

from models.endpoints.models import Deployment, Endpoint, Replica
from modelwright.compute import metering
from modelwright.compute.metering import Period, Usage
from modelwright.compute.models import GIB, Workload

LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What was free again when the endpoint was stopped, and what it would have used since then."""

    at: datetime
    cpu: float
    memory_bytes: int
    gpus: int
    since: Usage


@dataclass(frozen=True, slots=True)
class EndpointUsage:
    """Since the endpoint was made, and in the last 30 days. Costs are None without prices."""

    ever: Usage
    lately: Usage
    cost: float | None
    cost_lately: float | None
    currency: str
    given_back: GivenBack | None


def usage_of(endpoint: Endpoint) -> EndpointUsage:
    """What the endpoint used. The caller has required PROJECT_VIEW."""
    now, prices = timezone.now(), metering.rates()
    replicas = Workload.objects.filter(replica__endpoint=endpoint)
    ever = metering.total(replicas, Period(endpoint.created_at - timedelta(days=1), now))
    lately = metering.total(replicas, Period(now - LATELY, now))
    return EndpointUsage(
        ever,
        lately,
        metering.cost(ever, prices) if prices else None,
        metering.cost(lately, prices) if prices else None,
        prices.currency if prices else "",
        _given_back(endpoint, now) if endpoint.state == "stopped" else None,
    )


def _given_back(endpoint: Endpoint, now: datetime) -> GivenBack | None:
    """Of the replicas that the stop ended. None while they are still ending, or where there were none."""
    stopped_at = Deployment.objects.filter(endpoint=endpoint).aggregate(at=Max("ended_at"))["at"]
    if stopped_at is None:
        return None
    ended = Replica.objects.filter(endpoint=endpoint, workload__placed_at__isnull=False)
    ended = ended.filter(workload__finished_at__gte=stopped_at)
    workloads = [replica.workload for replica in ended.select_related("workload")]
    if not workloads:
        return None
    since = metering.NOTHING
    for each in workloads:
        hours = (now - (each.finished_at or now)).total_seconds() / metering.HOUR
        since += Usage(hours * each.cpu, hours * each.memory_bytes / GIB, hours * each.gpus, hours, 1)
    return GivenBack(
        max(each.finished_at or now for each in workloads),
        sum(each.cpu for each in workloads),
        sum(each.memory_bytes for each in workloads),
        sum(each.gpus for each in workloads),
        since,
    )
