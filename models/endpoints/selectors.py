"""What a person may see of endpoints: those of the projects that they may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects

from models.endpoints.models import Deployment, DeploymentTarget, Endpoint, EndpointKey, Replica
from models.endpoints.paths import Answering, chosen, path_of
from models.endpoints.states import UNDER_WAY
from models.endpoints.ways_back import ways_back
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.models import Project
from projects.selectors import require_project, visible_projects

_VERSIONS = DeploymentTarget.objects.select_related(
    "model_version__model", "model_version__compiled__environment_request"
)
# So far back a rollback without a name looks for what answered otherwise, after the few that served last.
_LOOK_BACK = 200
_LOOK_BACK_AT_ONCE = 20
_AT_ONCE = 4
_TARGETS = Prefetch("targets", queryset=_VERSIONS.order_by("-weight", "pk"))
# What audit log and lineage say of a version.
_NAMES = ("model_version__number", "model_version__manifest_digest", "model_version__model__name")
_NAMED_TARGETS = Prefetch(
    "targets",
    queryset=DeploymentTarget.objects.select_related("model_version__model")
    .only("deployment", "weight", "role", *_NAMES)
    .order_by("-weight", "pk"),
)


def endpoints(viewer: User, *, project: Project | None = None, query: str = "") -> QuerySet[Endpoint]:
    """Endpoints of all projects that the person may see, or of one; newest first. `query` is looked for in names."""
    found: QuerySet[Endpoint] = Endpoint.objects.select_related("project__workspace", "workspace")
    found = found.filter(project__in=visible_projects(viewer).order_by().values("pk"))
    if project is not None:
        found = found.filter(project=project)
    for word in query.split():
        found = found.filter(
            Q(name__icontains=word) | Q(description__icontains=word) | Q(workspace__name__icontains=word)
        )
    return found.order_by("-id")


def get_endpoint(viewer: User, endpoint_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Endpoint:
    """An endpoint in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    endpoint = endpoints(viewer).filter(pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound("There is no such endpoint, or it is not yours to see.", remedy="See the list of endpoints.")
    require_project(viewer, permission, endpoint.project)
    return endpoint


def deployments_of(endpoint: Endpoint) -> QuerySet[Deployment]:
    """The deployments of an endpoint with their targets, newest first. The caller has required PROJECT_VIEW."""
    return (
        Deployment.objects.filter(endpoint=endpoint)
        .select_related("repeats", "actor", "endpoint")
        .prefetch_related(_TARGETS)
        .order_by("-id")
    )


def get_deployment(endpoint: Endpoint, deployment_id: UUID) -> Deployment:
    """One deployment of the endpoint. Raises NotFound."""
    found = deployments_of(endpoint).filter(pk=deployment_id).first()
    if found is None:
        raise NotFound(f"{endpoint.name} has no such deployment.", remedy="See the endpoint's deployments.")
    return found


def named_targets(deployment: Deployment) -> list[DeploymentTarget]:
    """Its targets with the names of their versions; read unless they are at hand."""
    prefetch_related_objects([deployment], _NAMED_TARGETS)
    return list(deployment.targets.all())


def live_with_names(endpoint: Endpoint) -> Deployment | None:
    """What the endpoint serves now, with the names alone of its versions."""
    found = Deployment.objects.filter(endpoint=endpoint, state="live").select_related("repeats")
    return found.prefetch_related(_NAMED_TARGETS).first()


def live_deployment(endpoint: Endpoint) -> Deployment | None:
    """What the endpoint serves now."""
    return deployments_of(endpoint).filter(state="live").first()


def under_way(endpoint: Endpoint) -> Deployment | None:
    """The newest deployment that is on its way to serve."""
    return deployments_of(endpoint).filter(state__in=UNDER_WAY).first()


def rollback_choices(endpoint: Endpoint) -> Sequence[Deployment]:
    """Earlier deployments that once served, the one before the live one first; at most 20."""
    live = live_deployment(endpoint)
    earlier = deployments_of(endpoint).exclude(live_at=None).filter(state="superseded")
    if live is not None:
        earlier = earlier.filter(number__lt=live.number)
    return list(earlier.order_by("-number")[:20])


def default_rollback(endpoint: Endpoint) -> Deployment | None:
    """What a rollback goes back to unless it says otherwise: what served last and answered otherwise than the live
    deployment, before the rollout that this is a step or the end of."""
    back = live_and_way_back(endpoint)[1]
    return get_deployment(endpoint, back.pk) if back is not None else None


def live_and_way_back(endpoint: Endpoint) -> tuple[Deployment | None, Deployment | None]:
    """What serves now, and what `default_rollback` is; of their versions the names alone, since whoever goes back
    waits."""
    served = Deployment.objects.filter(endpoint=endpoint, state__in=("live", "superseded")).exclude(live_at=None)
    # The live one comes first, whatever its number, by the order of the alphabet.
    served = served.select_related("repeats").prefetch_related(_NAMED_TARGETS).order_by("state", "-number")
    newest = list(served[: 1 + _AT_ONCE])
    live = newest[0] if newest and newest[0].state == "live" else None
    if live is None:
        return None, newest[0] if newest else None
    earlier = served.filter(state="superseded", number__lt=live.number)
    if live.rollout_id is not None:
        # A rollout may have more steps than there are choices.
        earlier = earlier.exclude(rollout_id=live.rollout_id)
    # It mostly is the first of them.
    if found := ways_back(live, (each for each in newest[1:] if each.number < live.number)):
        return live, found[0]
    for start in range(0, _LOOK_BACK, _LOOK_BACK_AT_ONCE):
        piece = list(earlier[start : start + _LOOK_BACK_AT_ONCE])
        if found := ways_back(live, piece):
            return live, found[0]
        if len(piece) < _LOOK_BACK_AT_ONCE:
            break
    return live, None


def keys_of(endpoint: Endpoint) -> QuerySet[EndpointKey]:
    """The keys that people made for the endpoint, revoked ones too. The caller has required PROJECT_VIEW."""
    return EndpointKey.objects.filter(endpoint=endpoint, is_internal=False).order_by("-id")


def get_key(endpoint: Endpoint, key_id: UUID) -> EndpointKey:
    """One of the endpoint's keys. Raises NotFound."""
    key = keys_of(endpoint).filter(pk=key_id).first()
    if key is None:
        raise NotFound(f"{endpoint.name} has no such key.", remedy="See the endpoint's keys.")
    return key


def replicas_of(endpoint: Endpoint) -> QuerySet[Replica]:
    """The replicas that serve the endpoint and are not over, newest first. The caller has required PROJECT_VIEW."""
    return (
        Replica.objects.filter(endpoint=endpoint, purpose=Replica.Purpose.SERVE, workload__finished_at=None)
        .select_related("model_version__model", "workload__host")
        .order_by("-id")
    )


def deployable_versions(endpoint: Endpoint) -> QuerySet[ModelVersion]:
    """The versions that may be deployed to the endpoint, newest first. The caller has required PROJECT_VIEW."""
    return versions_ready(endpoint.project)


def versions_ready(project: Project) -> QuerySet[ModelVersion]:
    """The project's versions that are ready, newest first. The caller has required PROJECT_VIEW."""
    return ModelVersion.objects.filter(model__project=project, state="ready").select_related("model").order_by("-id")


def answering(endpoint: Endpoint, deployment: Deployment, replicas: Sequence[Replica]) -> list[Answering]:
    """By which path each version of the deployment answers, by which one it should, and why."""
    found = []
    for target in deployment.targets.all():
        version = target.model_version
        path = path_of(endpoint, version)
        own = sorted((each for each in replicas if each.model_version_id == version.pk), key=lambda each: each.pk)
        healthy = [each for each in own if each.answers]
        asked = chosen(healthy, path.served_by) if healthy else []
        on_its_way = any(each.healthy_at is None and each.served_by == path.served_by for each in own)
        found.append(Answering(version, asked[0].served_by if asked else "", path, on_its_way))
    return found


def replicas_of_workloads(workload_ids: Iterable[UUID]) -> dict[UUID, Replica]:
    """The replica that each of the workloads is. The caller may see them all, as auditors may."""
    found = Replica.objects.filter(workload__in=list(workload_ids))
    return {each.workload_id: each for each in found.select_related("endpoint__workspace", "model_version__model")}
