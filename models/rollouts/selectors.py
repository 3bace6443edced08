"""What a person may see of rollouts: those of the endpoints that they may see."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from models.endpoints.models import Endpoint
from models.rollouts.models import Rollout, RolloutEvent
from models.rollouts.states import OPEN
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.selectors import require_project, visible_projects

_RELATED = (
    "endpoint__workspace",
    "endpoint__project__workspace",
    "model_version__model",
    "base_version__model",
    "before",
    "deployment",
)


def rollouts_of(endpoint: Endpoint) -> QuerySet[Rollout]:
    """The rollouts of an endpoint, newest first. The caller has required PROJECT_VIEW."""
    return Rollout.objects.filter(endpoint=endpoint).select_related(*_RELATED).order_by("-id")


def get_rollout(viewer: User, rollout_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Rollout:
    """A rollout in whose project the person holds `permission`. Raises NotFound, PermissionRefused."""
    visible = visible_projects(viewer).order_by().values("pk")
    found = Rollout.objects.filter(endpoint__project__in=visible, pk=rollout_id).select_related(*_RELATED).first()
    if found is None:
        raise NotFound("There is no such rollout, or it is not yours to see.", remedy="Open it from its endpoint.")
    require_project(viewer, permission, found.endpoint.project)
    return found


def open_rollout(endpoint: Endpoint) -> Rollout | None:
    """The one that is not over. The caller has required PROJECT_VIEW."""
    return rollouts_of(endpoint).filter(state__in=OPEN).first()


def events_of(rollout: Rollout) -> QuerySet[RolloutEvent]:
    """What happened in it, newest first. The caller has required PROJECT_VIEW."""
    return RolloutEvent.objects.filter(rollout=rollout).select_related("deployment").order_by("-id")
