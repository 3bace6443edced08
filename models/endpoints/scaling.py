"""How many replicas an endpoint may have and wants, and what it promises: checks, and the number by its load."""

from __future__ import annotations

import math
from typing import Any

from django.db import transaction

from models.endpoints.models import Endpoint
from models.endpoints.services import audit, endpoint_target
from models.endpoints.sizing import wanted_replicas
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import ValidationFailed

MOST_REPLICAS = 100
LOWEST_TARGET, HIGHEST_TARGET = 50.0, 99.999
# In the order in which they depend on each other.
FIELDS = ("min_replicas", "max_replicas", "target_concurrency", "target_queue_ms", "availability_target")
_ABOVE_ZERO = {"target_concurrency": ("requests in flight", 10_000.0), "target_queue_ms": ("milliseconds", 600_000.0)}


def check_scaling(endpoint: Endpoint, wanted: dict[str, Any]) -> dict[str, Any]:
    """What of `wanted` is about replicas and the target, checked against each other and what stays as it is; with the
    number of replicas that follows from new bounds. Raises ValidationFailed."""
    wanted = dict(wanted)
    fewest = _whole(wanted.get("min_replicas", endpoint.min_replicas), "min_replicas")
    most = _whole(wanted.get("max_replicas", endpoint.max_replicas), "max_replicas")
    if most < fewest:
        raise ValidationFailed(
            f"At most {most} and at least {fewest} replicas contradict each other.",
            remedy="Give the same number twice to have always so many, or a larger one for the most.",
            field="max_replicas" if "max_replicas" in wanted else "min_replicas",
        )
    for name, (unit, limit) in _ABOVE_ZERO.items():
        if name in wanted and not _is_within(wanted[name], 0.1, limit):
            raise ValidationFailed(
                f"{wanted[name]} {unit} are no bound for another replica.",
                remedy=f"Give a number from 0.1 to {limit:g}.",
                field=name,
            )
    target = wanted.get("availability_target")
    if target is not None and not _is_within(target, LOWEST_TARGET, HIGHEST_TARGET):
        raise ValidationFailed(
            f"{target} % is no target that can be watched.",
            remedy=f"Give percent from {LOWEST_TARGET:g} to {HIGHEST_TARGET:g}, such as 99.9, or nothing to promise "
            "nothing. 100 % would leave no budget for errors at all.",
            field="availability_target",
        )
    if {"min_replicas", "max_replicas"} & wanted.keys():
        within = Endpoint(min_replicas=fewest, max_replicas=most, wanted_replicas=endpoint.wanted_replicas)
        wanted["wanted_replicas"] = wanted_replicas(within)
    return wanted


def _whole(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_REPLICAS:
        raise ValidationFailed(
            f"An endpoint cannot have {value} replicas of a version.",
            remedy=f"Give a whole number from 1 to {MOST_REPLICAS}; to serve nothing, stop the endpoint.",
            field=field,
        )
    return value


def _is_within(value: Any, lowest: float, highest: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and lowest <= value <= highest


@transaction.atomic
def set_wanted_replicas(
    endpoint: Endpoint, wanted: int, *, reason: str, evidence: dict[str, Any], acting_user: Actor
) -> bool:
    """Have so many replicas of what takes requests, within the endpoint's bounds as they are now. False where that
    changes nothing. The caller is the platform itself: people change the bounds."""
    locked = Endpoint.objects.select_for_update(of=("self",)).select_related("project", "workspace").get(pk=endpoint.pk)
    before = wanted_replicas(locked)
    locked.wanted_replicas = wanted
    now = wanted_replicas(locked)
    if now == before or locked.state != "active":
        return False
    Endpoint.objects.filter(pk=locked.pk).update(wanted_replicas=now)
    audit(
        AuditAction.ENDPOINT_SCALED,
        endpoint_target(locked),
        locked,
        acting_user=acting_user,
        before={"replicas": before},
        after={"replicas": now, **evidence},
        reason=reason,
    )
    return True
