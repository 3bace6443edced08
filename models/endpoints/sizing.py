"""How many replicas of a version an endpoint needs, which of them are asked, and which are too many. No database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, Replica

# What took requests until a moment ago stays as large as it was for so long: a rollback then has to carry all of them.
FULL_AFTERWARDS = timedelta(hours=1)

_Role = DeploymentTarget.Role
_TAKES_REQUESTS = (_Role.LIVE, _Role.CANARY, _Role.NODE)


def wanted_replicas(endpoint: Endpoint) -> int:
    """Of each version that takes requests: what is wanted, within the endpoint's bounds; at least 1."""
    return max(min(endpoint.wanted_replicas, endpoint.max_replicas), endpoint.min_replicas, 1)


def needed_replicas(
    endpoint: Endpoint,
    version_id: UUID,
    *,
    serving: Iterable[Deployment],
    earlier: Iterable[Deployment],
    now: datetime,
) -> int:
    """Of one version. `serving` are the live deployment and the one on its way, `earlier` those that served before.

    One that takes requests needs all that are wanted, one that is asked beside them (a shadow) one alone. A fallback
    and a version that is only kept warm need the endpoint's fewest; for an hour after it served, a version needs all.
    """
    fewest, all_of_them = max(endpoint.min_replicas, 1), wanted_replicas(endpoint)
    found = [0]
    for deployment in serving:
        for target in deployment.targets.all():
            if target.model_version_id == version_id:
                is_asked = target.role in _TAKES_REQUESTS and (target.weight > 0 or target.role == _Role.NODE)
                found.append(all_of_them if is_asked else 1 if target.role == _Role.SHADOW else fewest)
    for deployment in earlier:
        if any(target.model_version_id == version_id for target in deployment.targets.all()):
            served_lately = deployment.ended_at is not None and now - deployment.ended_at < FULL_AFTERWARDS
            found.append(all_of_them if deployment.live_at is not None and served_lately else fewest)
    return max(*found, 1)


def in_order(replicas: Iterable[Replica]) -> list[Replica]:
    """The ones to keep first: those that answer before others, from as many hosts as there are, the oldest first."""
    by_host: dict[object, int] = defaultdict(int)
    places: dict[UUID, int] = {}
    for replica in sorted(replicas, key=lambda each: (not each.answers, each.pk)):
        places[replica.pk] = by_host[replica.workload.host_id]
        by_host[replica.workload.host_id] += 1
    return sorted(replicas, key=lambda each: (not each.answers, places[each.pk], each.pk))


def too_many(replicas: Iterable[Replica], needed: int) -> list[Replica]:
    """Those beyond what is needed, of each path by which they answer. Those that are ending already are none."""
    by_path: dict[str, list[Replica]] = defaultdict(list)
    for replica in replicas:
        if replica.workload.cancel_requested_at is None:
            by_path[replica.served_by].append(replica)
    return [each for found in by_path.values() for each in in_order(found)[needed:]]


def are_enough(replicas: Sequence[Replica], asked: int, needed: int) -> bool:
    """Whether `asked` that answer are enough to take all requests: all that are needed, but for those that no host has
    room for at present, which nobody should wait for."""
    without_room = sum(1 for each in replicas if each.workload.state == "queued" and each.workload.waiting_reason)
    return asked > 0 and asked >= needed - without_room
