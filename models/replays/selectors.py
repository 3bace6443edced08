"""What a person may see of replays and drills: those of the endpoints that they may see."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from models.endpoints.models import Endpoint
from models.endpoints.selectors import endpoints
from models.registry.models import ModelVersion
from models.replays.models import Drill, DrillAlert, GoldenRequest, Replay, ReplayChange
from models.replays.way_back import versions_back
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.selectors import require_project

_OF_REPLAY = (
    *("candidate__model", "base__model", "endpoint__project__workspace", "endpoint__workspace"),
    *("workload__host", "base_workload__host"),
)
_OF_DRILL = (
    *("model_version__model", "deployment", "endpoint__project__workspace", "endpoint__workspace"),
    "replica__workload__host",
)


def replays_of(endpoint: Endpoint) -> QuerySet[Replay]:
    """The endpoint's replays, newest first. The caller has required PROJECT_VIEW."""
    return Replay.objects.filter(endpoint=endpoint).select_related(*_OF_REPLAY).order_by("-id")


def get_replay(viewer: User, replay_id: UUID) -> Replay:
    """A replay of an endpoint that the person may see. Raises NotFound."""
    mine = endpoints(viewer).order_by().values("pk")
    found = Replay.objects.filter(pk=replay_id, endpoint__in=mine).select_related(*_OF_REPLAY).first()
    if found is None:
        raise NotFound("There is no such replay, or it is not yours to see.", remedy="See the endpoint's replays.")
    return found


def changes_of(replay: Replay, *, column: str = "", segment: str = "") -> QuerySet[ReplayChange]:
    """The records that the candidate answers otherwise or not at all; of one segment where it is named. The caller may
    see the replay."""
    found = ReplayChange.objects.filter(replay=replay)
    if segment:
        found = found.filter(segments__contains={column: segment})
    return found.order_by("id")


def replays_of_version(version: ModelVersion) -> QuerySet[Replay]:
    """The replays of a candidate on any endpoint, newest first. The caller may see the version."""
    return Replay.objects.filter(candidate=version).select_related(*_OF_REPLAY).order_by("-id")


def replayed_by(workload_ids: Iterable[UUID]) -> dict[UUID, ModelVersion]:
    """The version that each of the workloads asked. The caller may see them all, as auditors may."""
    ids = list(workload_ids)
    asked: dict[UUID, ModelVersion] = {}
    mine = Replay.objects.filter(Q(workload__in=ids) | Q(base_workload__in=ids))
    for replay in mine.select_related("candidate__model", "base__model"):
        asked[replay.workload_id] = replay.candidate
        if replay.base_workload_id is not None and replay.base is not None:
            asked[replay.base_workload_id] = replay.base
    return asked


def drills_of(endpoint: Endpoint) -> QuerySet[Drill]:
    """The endpoint's drills, newest first. The caller has required PROJECT_VIEW."""
    return Drill.objects.filter(endpoint=endpoint).select_related(*_OF_DRILL).order_by("-id")


def get_drill(viewer: User, drill_id: UUID) -> Drill:
    """A drill of an endpoint that the person may see. Raises NotFound."""
    mine = endpoints(viewer).order_by().values("pk")
    found = Drill.objects.filter(pk=drill_id, endpoint__in=mine).select_related(*_OF_DRILL).first()
    if found is None:
        raise NotFound("There is no such drill, or it is not yours to see.", remedy="See the endpoint's drills.")
    return found


def proofs(endpoint: Endpoint) -> list[tuple[ModelVersion, Drill | None, Drill | None]]:
    """For each version that a rollback would go back to: its newest drill that is over, and the one under way."""
    made = []
    for version in versions_back(endpoint):
        mine = drills_of(endpoint).filter(model_version=version)
        newest = mine.first()
        under_way = newest if newest is not None and newest.is_under_way else None
        over = mine.exclude(finished_at=None).first() if under_way else newest
        made.append((version, over, under_way))
    return made


def alerts_of(endpoint: Endpoint) -> QuerySet[DrillAlert]:
    """The alerts of the endpoint's drills, newest first. The caller has required PROJECT_VIEW."""
    found = DrillAlert.objects.filter(endpoint=endpoint).select_related("drill__model_version__model")
    return found.order_by("-id")


def get_alert(viewer: User, alert_id: UUID, permission: Permission) -> DrillAlert:
    """An alert in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    mine = endpoints(viewer).order_by().values("pk")
    found = DrillAlert.objects.filter(pk=alert_id, endpoint__in=mine)
    alert = found.select_related("endpoint__project__workspace", "endpoint__workspace").first()
    if alert is None:
        raise NotFound("There is no such alert, or it is not yours to see.", remedy="See the endpoint's drills.")
    require_project(viewer, permission, alert.endpoint.project)
    return alert


def pinned_of(endpoint: Endpoint) -> QuerySet[GoldenRequest]:
    """What people pinned of the endpoint, newest first. The caller has required PROJECT_VIEW."""
    found = GoldenRequest.objects.filter(endpoint=endpoint).select_related("model_version__model")
    return found.order_by("-id")


def get_pinned(viewer: User, golden_id: UUID, permission: Permission) -> GoldenRequest:
    """A pinned request in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    mine = endpoints(viewer).order_by().values("pk")
    found = GoldenRequest.objects.filter(pk=golden_id, endpoint__in=mine)
    golden = found.select_related("endpoint__project__workspace", "endpoint__workspace", "model_version__model").first()
    if golden is None:
        raise NotFound("There is no such golden request, or it is not yours to see.", remedy="See the endpoint's.")
    require_project(viewer, permission, golden.endpoint.project)
    return golden
