"""What a person may see of an endpoint's availability."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from models.availability.budget import WINDOW, Counts, budget_left, requests_left
from models.availability.burning import LENGTHS, Burn, burns
from models.availability.counts import counted_until, lately
from models.availability.models import AvailabilityAlert, Load
from models.endpoints.models import Endpoint, Replica


@dataclass(frozen=True, slots=True)
class Figures:
    """How an endpoint stands. `counts` are of the 30 days until now; without a target there is no budget and nothing
    burns. `counted_until` is the newest minute that gateways told of, None where they never did."""

    target: float | None
    counts: Counts
    budget_left: float | None
    requests_left: int | None
    burns: tuple[Burn, ...]
    counted_until: datetime | None
    load: Load | None
    alerts: tuple[AvailabilityAlert, ...]

    @property
    def availability(self) -> float | None:
        """In percent; None without requests."""
        return self.counts.availability

    @property
    def is_missed(self) -> bool:
        """Whether the budget is used up."""
        return self.budget_left is not None and self.budget_left < 0


def figures(endpoint: Endpoint) -> Figures:
    """How the endpoint stands now. The caller has required PROJECT_VIEW."""
    target = endpoint.availability_target
    counted = lately([endpoint.pk], [WINDOW, *LENGTHS], timezone.now())[endpoint.pk]
    counts = counted[WINDOW]
    return Figures(
        target,
        counts,
        None if target is None else budget_left(counts, target),
        None if target is None else requests_left(counts, target),
        () if target is None else tuple(burns(lambda length: counted[length], target)),
        counted_until(endpoint.pk),
        Load.objects.filter(endpoint=endpoint).first(),
        tuple(alerts_of(endpoint).filter(state="open")),
    )


def alerts_of(endpoint: Endpoint) -> QuerySet[AvailabilityAlert]:
    """Alerts of the endpoint, the newest first. The caller has required PROJECT_VIEW."""
    return AvailabilityAlert.objects.filter(endpoint=endpoint).order_by("-id")


@dataclass(frozen=True, slots=True)
class VersionReplicas:
    """The replicas of one version: how many there are, how many answer, and on how many hosts those are."""

    version_id: UUID
    version: str
    running: int
    healthy: int
    hosts: int


def replicas_by_version(endpoint: Endpoint) -> list[VersionReplicas]:
    """Of what runs or is about to. The caller has required PROJECT_VIEW."""
    found = Replica.objects.filter(endpoint=endpoint, workload__finished_at=None, purpose=Replica.Purpose.SERVE)
    by_version: dict[UUID, list[Replica]] = {}
    for replica in found.select_related("model_version__model", "workload").order_by("pk"):
        if replica.workload.cancel_requested_at is None:
            by_version.setdefault(replica.model_version_id, []).append(replica)
    return [
        VersionReplicas(
            version_id,
            str(replicas[0].model_version),
            len(replicas),
            sum(each.answers for each in replicas),
            len({each.workload.host_id for each in replicas if each.answers}),
        )
        for version_id, replicas in by_version.items()
    ]
