"""What the reconciler looks at: each endpoint as the database has it, and what should run and serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db.models import F, Prefetch, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from models.endpoints import sizing
from models.endpoints.asked import NOTHING, Asked, asked
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, Replica
from models.endpoints.paths import Path, chosen, path_of
from models.endpoints.plan import Plan, Wish, make_plan, serving
from models.registry.models import ModelVersion

# So many of an endpoint's newest deployments are looked at for versions to keep warm.
LOOK_BACK = 20


@dataclass
class View:
    """One endpoint as the database has it, and what was found out about it. `seen` is what was asked of it then."""

    endpoint: Endpoint
    deployments: dict[UUID, Deployment]
    seen: Asked = NOTHING
    replicas: dict[UUID, list[Replica]] = field(default_factory=lambda: defaultdict(list))
    plan: Plan = field(default_factory=lambda: Plan(None, None, (), ()))
    sockets: dict[UUID, list[str]] = field(default_factory=dict)
    # By which path each wanted version should answer, and by which one its sockets do.
    paths: dict[UUID, Path] = field(default_factory=dict)
    in_use: dict[UUID, str] = field(default_factory=dict)
    # How many replicas each wanted version needs, which versions have enough of them to take all requests, and which
    # have at least one that is not about to end.
    needed: dict[UUID, int] = field(default_factory=dict)
    ready: set[UUID] = field(default_factory=set)
    staying: set[UUID] = field(default_factory=set)
    # Nothing reliable is known of its replicas in this round.
    in_trouble: bool = False

    @property
    def candidate(self) -> Deployment | None:
        """The deployment that is on its way to serve."""
        return self.deployments[self.plan.candidate.id] if self.plan.candidate else None

    def serving(self) -> Deployment | None:
        """The deployment that the route table should name."""
        wish = serving(self.plan, self._ready_for(self.candidate))
        return self.deployments[wish.id] if wish else None

    def standing(self) -> Deployment | None:
        """Of a stopped endpoint the last deployment that served, where that has a fallback, which answers on."""
        return _standing(self.endpoint, self.deployments)

    def warm(self) -> list[Deployment]:
        """Earlier deployments all of whose versions answer, the latest first; of a rollout, those before it."""
        served = self.serving()
        found = [
            each
            for each in self.deployments.values()
            if each.state == "superseded" and each.live_at is not None and served is not None and each != served
        ]
        if served is not None and served.rollout_id is not None:
            found = [each for each in found if each.rollout_id != served.rollout_id]
        found = [each for each in found if all(one.model_version_id in self.staying for one in each.targets.all())]
        return sorted(found, key=lambda each: each.number, reverse=True)

    def versions(self) -> dict[UUID, ModelVersion]:
        """The versions of its deployments."""
        targets = [target for deployment in self.deployments.values() for target in deployment.targets.all()]
        return {target.model_version_id: target.model_version for target in targets}

    def _ready_for(self, candidate: Deployment | None) -> Collection[UUID]:
        """Going back waits for no more than one replica: what serves now is worse."""
        is_back = candidate is not None and candidate.kind == Deployment.Kind.ROLLBACK
        return self.staying if is_back else self.ready & self.staying


def views(endpoint_ids: Collection[UUID] | None = None) -> list[View]:
    """Of all endpoints, or of those, each with its plan."""
    seen = asked(endpoint_ids)  # First, so that what is asked meanwhile is newer than what was seen.
    versions = DeploymentTarget.objects.select_related(
        "model_version__model", "model_version__environment_request", "model_version__compiled__environment_request"
    )
    targets = Prefetch("targets", versions.order_by("pk"))
    every = Deployment.objects.all() if endpoint_ids is None else Deployment.objects.filter(endpoint__in=endpoint_ids)
    newest = every.annotate(
        place=Window(RowNumber(), partition_by=F("endpoint_id"), order_by=F("number").desc())
    ).filter(place__lte=LOOK_BACK)
    # One that has been live for long may lie further back.
    wanted = Q(pk__in=newest.values("pk")) | Q(state="live")
    found: dict[UUID, dict[UUID, Deployment]] = defaultdict(dict)
    deployments = every.filter(wanted).select_related("endpoint__workspace", "repeats")
    for deployment in deployments.prefetch_related(targets):
        found[deployment.endpoint_id][deployment.pk] = deployment
    endpoints = Endpoint.objects.filter(pk__in=seen).select_related("workspace", "project").order_by("pk")
    made = {one.pk: View(one, found[one.pk], seen[one.pk], plan=_plan(one, found[one.pk])) for one in endpoints}
    running = Replica.objects.filter(
        workload__finished_at=None, purpose=Replica.Purpose.SERVE, endpoint__in=made
    ).select_related(
        "workload__environment_request",
        "workload__host",
        "model_version__model",
        "model_version__environment_request",
    )
    for replica in running.order_by("pk"):
        made[replica.endpoint_id].replicas[replica.model_version_id].append(replica)
    return list(made.values())


def note_answering(view: View, is_healthy: Callable[[Replica], bool]) -> None:
    """Note of each wanted version by which path it should answer, and which of its replicas are to be asked."""
    versions = view.versions()
    for version_id in view.plan.wanted:
        path = view.paths[version_id] = path_of(view.endpoint, versions[version_id])
        needed = view.needed[version_id] = _needed(view, version_id)
        healthy = [replica for replica in view.replicas[version_id] if is_healthy(replica)]
        if healthy:
            to_ask = chosen(healthy, path.served_by, needed)
            view.sockets[version_id] = [replica.socket for replica in to_ask]
            view.in_use[version_id] = to_ask[0].served_by
            if sizing.are_enough(view.replicas[version_id], len(to_ask), needed):
                view.ready.add(version_id)
            if any(replica.workload.cancel_requested_at is None for replica in to_ask):
                view.staying.add(version_id)


def _plan(endpoint: Endpoint, deployments: dict[UUID, Deployment]) -> Plan:
    plan = make_plan([_wish(each) for each in deployments.values()], is_active=endpoint.state == "active")
    standing = _standing(endpoint, deployments)
    targets = standing.targets.all() if standing is not None else ()
    stand_ins = tuple(one.model_version_id for one in targets if one.role == DeploymentTarget.Role.FALLBACK)
    return replace(plan, wanted=stand_ins) if stand_ins else plan


def _standing(endpoint: Endpoint, deployments: dict[UUID, Deployment]) -> Deployment | None:
    served = [(each.live_at, each) for each in deployments.values() if each.live_at is not None]
    if endpoint.state != "stopped" or not served:
        return None
    last = max(served, key=lambda one: (one[0], one[1].number))[1]
    return last if last.fallback else None


def _needed(view: View, version_id: UUID) -> int:
    plan = view.plan
    serves = {wish.id for wish in (plan.live, plan.candidate) if wish is not None}
    return sizing.needed_replicas(
        view.endpoint,
        version_id,
        serving=[view.deployments[id_] for id_ in serves],
        earlier=[each for each in view.deployments.values() if each.live_at is not None and each.pk not in serves],
        now=timezone.now(),
    )


def _wish(deployment: Deployment) -> Wish:
    versions = tuple(target.model_version_id for target in deployment.targets.all())
    return Wish(deployment.pk, deployment.number, deployment.state, versions, deployment.live_at is not None)
