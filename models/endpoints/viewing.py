"""What the reconciler looks at: each endpoint as the database has it, and what should run and serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
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
from models.endpoints.ways_back import ways_back
from models.registry.models import ModelVersion

# So many of an endpoint's newest deployments are looked at for versions to keep warm.
LOOK_BACK = 30

_ENDPOINTS = Endpoint.objects.select_related("workspace", "project").order_by("pk")
_TARGETS = Prefetch("targets", DeploymentTarget.objects.order_by("pk"))
_VERSIONS = Prefetch(
    "targets__model_version",
    ModelVersion.objects.select_related("model", "environment_request", "compiled__environment_request"),
)
_RUNNING = (
    Replica.objects.filter(workload__finished_at=None, purpose=Replica.Purpose.SERVE)
    .select_related(
        "workload__environment_request",
        "workload__host",
        "model_version__model",
        "model_version__environment_request",
    )
    .order_by("pk")
)


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
        """Earlier deployments all of whose versions answer and that a rollback may go back to, the latest first."""
        served = self.serving()
        if served is None:
            return []
        found = ways_back(served, _once_served(self.deployments.values()))
        return [each for each in found if all(one.model_version_id in self.staying for one in each.targets.all())]

    def versions(self) -> dict[UUID, ModelVersion]:
        """The versions of its deployments."""
        targets = [target for deployment in self.deployments.values() for target in deployment.targets.all()]
        return {target.model_version_id: target.model_version for target in targets}

    def _ready_for(self, candidate: Deployment | None) -> Collection[UUID]:
        """Going back waits for no more than one replica: what serves now is worse."""
        is_back = candidate is not None and candidate.kind == Deployment.Kind.ROLLBACK
        return self.staying if is_back else self.ready & self.staying


def views(endpoint_ids: Collection[UUID] | None = None, *, look_back: int = LOOK_BACK) -> list[View]:
    """Of all endpoints, or of those, each with its plan. `look_back`: how many of the newest deployments it knows."""
    seen = asked(endpoint_ids)  # First, so that what is asked meanwhile is newer than what was seen.
    endpoints = {one.pk: one for one in _ENDPOINTS.filter(pk__in=seen)}
    found = _deployments(endpoints, look_back)
    made = {id_: View(one, found[id_], seen[id_], plan=_plan(one, found[id_])) for id_, one in endpoints.items()}
    for replica in _RUNNING.filter(endpoint__in=made):
        made[replica.endpoint_id].replicas[replica.model_version_id].append(replica)
    return list(made.values())


def _deployments(endpoints: Mapping[UUID, Endpoint], look_back: int) -> dict[UUID, dict[UUID, Deployment]]:
    """Of each endpoint by their ids. However many name it, an endpoint, a version or an earlier deployment is read
    once."""
    newest = Deployment.objects.filter(endpoint__in=endpoints).annotate(
        place=Window(RowNumber(), partition_by=F("endpoint_id"), order_by=F("number").desc())
    )
    # One that has been live for long may lie further back.
    wanted = Q(pk__in=newest.filter(place__lte=look_back).values("pk")) | Q(state="live", endpoint__in=endpoints)
    rows = {one.pk: one for one in Deployment.objects.filter(wanted).prefetch_related(_TARGETS, _VERSIONS)}
    found: dict[UUID, dict[UUID, Deployment]] = defaultdict(dict)
    for deployment in rows.values():
        deployment.endpoint = endpoints[deployment.endpoint_id]
        if deployment.repeats_id in rows:
            deployment.repeats = rows[deployment.repeats_id]
        found[deployment.endpoint_id][deployment.pk] = deployment
    return found


def note_answering(view: View, is_healthy: Callable[[Replica], bool]) -> None:
    """Note of each wanted version by which path it should answer, and which of its replicas are to be asked."""
    versions = view.versions()
    for version_id in view.plan.wanted:
        path = view.paths[version_id] = path_of(view.endpoint, versions[version_id])
        needed = view.needed[version_id] = _needed(view, version_id)
        healthy = [replica for replica in view.replicas[version_id] if is_healthy(replica)]
        if to_hope_for := _lively(healthy):
            to_ask = chosen(to_hope_for, path.served_by, needed)
            view.sockets[version_id] = [replica.socket for replica in to_ask]
            view.in_use[version_id] = to_ask[0].served_by
            answering = [replica for replica in to_ask if replica.answers]
            if sizing.are_enough(view.replicas[version_id], len(answering), needed):
                view.ready.add(version_id)
            if any(replica.workload.cancel_requested_at is None for replica in answering):
                view.staying.add(version_id)


def _lively(healthy: list[Replica]) -> list[Replica]:
    """Those that answer, and while none does, those that are silent and not given up: they may only be busy."""
    given_up = [each for each in healthy if each.silent_since and each.workload.cancel_requested_at]
    staying = [each for each in healthy if each not in given_up]
    return [each for each in staying if each.answers] or staying


def _plan(endpoint: Endpoint, deployments: dict[UUID, Deployment]) -> Plan:
    plan = make_plan(_wishes(deployments.values()), is_active=endpoint.state == "active")
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


def _wishes(deployments: Collection[Deployment]) -> list[Wish]:
    live = next((each for each in deployments if each.state == "live"), None)
    served = _once_served(deployments)
    back = {each.pk for each in (ways_back(live, served) if live is not None else served)}
    return [_wish(each, each.pk in back) for each in deployments]


def _once_served(deployments: Collection[Deployment]) -> list[Deployment]:
    return [each for each in deployments if each.state == "superseded" and each.live_at is not None]


def _wish(deployment: Deployment, is_way_back: bool) -> Wish:
    versions = tuple(target.model_version_id for target in deployment.targets.all())
    return Wish(deployment.pk, deployment.number, deployment.state, versions, is_way_back)
