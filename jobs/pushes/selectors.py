"""What a person may see of what starts jobs on a push."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from jobs.models import Job, Push, PushStart
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.models import Project
from projects.selectors import require_project, visible_projects


def _starts() -> QuerySet[PushStart]:
    return PushStart.objects.select_related("project__workspace", "job", "maker")


def push_starts_of(project: Project, job: Job | None = None) -> QuerySet[PushStart]:
    """What starts jobs of the project on a push, by name. The caller has required PROJECT_VIEW."""
    found = _starts().filter(project=project).order_by("name")
    return found if job is None else found.filter(job=job)


def get_push_start(viewer: User, start_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> PushStart:
    """One in whose project the person holds `permission`. Raises NotFound and PermissionRefused."""
    found: PushStart | None = _starts().filter(pk=start_id, project__in=visible_projects(viewer)).first()
    if found is None:
        raise no_such_start()
    require_project(viewer, permission, found.project)
    return found


def no_such_start() -> NotFound:
    """The error for one that is not there, or not for whoever asks."""
    return NotFound("There is no such webhook, or it is not yours to see.", remedy="See the list of the project's own.")


def pushes_of(start: PushStart) -> QuerySet[Push]:
    """The pushes that were told to it, newest first. The caller has required PROJECT_VIEW."""
    return Push.objects.filter(start=start).select_related("run__workload", "run__job").order_by("-id")


def address_of(start: PushStart) -> str:
    """Where to post pushes to, empty for the project's own repository."""
    return "" if start.via == PushStart.Via.GIT else f"{settings.WEB_URL}/hooks/{start.pk}/"
