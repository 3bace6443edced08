"""How large each replica of an endpoint is: a size that administrators of the installation have made, GPUs included."""

from __future__ import annotations

from typing import Any

from models.endpoints.models import Endpoint
from modelwright.compute.models import ResourceProfile
from modelwright.compute.services import check_size
from modelwright.core.errors import ValidationFailed

FIELD = "profile"
SHOWN = (FIELD, "cpu", "memory_bytes", "gpus", "labels")


def check_profile(wanted: dict[str, Any]) -> dict[str, Any]:
    """`wanted` with what its `profile` stands for, where it names one; empty is the usual size of replicas.

    Raises ValidationFailed for an unknown one, QuotaExceeded for one that no host could hold.
    """
    if FIELD not in wanted:
        return wanted
    name = wanted[FIELD] or ""
    if not name:
        return {**wanted, **_facts(Endpoint(), "")}
    profile = ResourceProfile.objects.filter(name=name).first() if isinstance(name, str) else None
    if profile is None:
        names = ", ".join(ResourceProfile.objects.order_by("name").values_list("name", flat=True))
        raise ValidationFailed(
            f"There is no size called {str(name)[:80]!r}.",
            remedy=f"Give one of: {names or 'none, as no size has been made yet'}; or nothing for the usual one.",
            field=FIELD,
        )
    check_size(profile.cpu, profile.memory_bytes, gpus=profile.gpus, labels=profile.labels)
    return {**wanted, **_facts(profile, profile.name)}


def _facts(size: ResourceProfile | Endpoint, name: str) -> dict[str, Any]:
    return {
        FIELD: name,
        "cpu": size.cpu,
        "memory_bytes": size.memory_bytes,
        "gpus": size.gpus,
        "labels": dict(size.labels),
    }
