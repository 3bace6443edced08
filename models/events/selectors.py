"""What a person may see of sinks and of the stream: those of the projects that they may see. The sinks of a workspace
are for its administrators, because what is sent there is of projects that others may not see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from models.events.batches import filters_of
from models.events.cloudevents import Event, events_of
from models.events.models import DeadLetter, Sink
from models.events.ordering import head
from models.events.reading import Filters, backlog, newest, read
from models.events.rows import load, load_without_values
from models.events.states import OPEN
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound
from projects.models import Project
from projects.selectors import authorize, project_permissions, require_project, visible_projects
from workspaces.models import Workspace
from workspaces.selectors import administered_workspaces
from workspaces.selectors import authorize as authorize_in_workspace

_SEE_DETAILS = {Permission.ENDPOINT_MANAGE, Permission.AUDIT_READ}


def authorize_for(acting_user: Actor, home: Project | Workspace) -> str:
    """Require what it takes to manage sinks there, and return the role for the audit row. Raises NotFound,
    PermissionRefused."""
    if isinstance(home, Project):
        return authorize(acting_user, Permission.ENDPOINT_MANAGE, home)
    return authorize_in_workspace(acting_user, Permission.WORKSPACE_MANAGE, home)


def sinks_of(home: Project | Workspace) -> QuerySet[Sink]:
    """The sinks of the project, or of the workspace itself, newest first, each with how many letters are open. The
    caller has required PROJECT_VIEW of the project, WORKSPACE_MANAGE of the workspace."""
    found: QuerySet[Sink] = Sink.objects.select_related("project__workspace", "workspace")
    found = found.filter(project=home) if isinstance(home, Project) else found.filter(workspace=home)
    return found.annotate(open_letters=Count("letters", filter=Q(letters__state__in=OPEN))).order_by("-id")


def sinks_beside(project: Project) -> int:
    """How many sinks of the workspace get the project's events, too. The caller has required PROJECT_VIEW."""
    return Sink.objects.filter(workspace=project.workspace_id).count()


def get_sink(viewer: User, sink_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Sink:
    """A sink in whose project the person holds `permission`, or of a workspace that they administer. Raises NotFound,
    PermissionRefused."""
    projects = visible_projects(viewer).order_by().values("pk")
    workspaces = administered_workspaces(viewer).order_by().values("pk")
    visible = Sink.objects.filter(Q(project__in=projects) | Q(workspace__in=workspaces))
    sink: Sink | None = visible.select_related("project__workspace", "workspace").filter(pk=sink_id).first()
    if sink is None:
        raise NotFound("There is no such sink, or it is not yours to see.", remedy="See the project's events.")
    if sink.project is not None:
        require_project(viewer, permission, sink.project)
    return sink


def letters_of(sink: Sink) -> QuerySet[DeadLetter]:
    """What the sink did not take, newest first. The caller has required PROJECT_VIEW."""
    found: QuerySet[DeadLetter] = DeadLetter.objects.filter(sink=sink)
    return found.order_by("-id")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sink is: things that wait for it, since when the first of them does, letters that are open."""

    waiting: int
    waiting_since: datetime | None
    open_letters: int


def progress_of(sink: Sink) -> Progress:
    """How far the sink is. The caller has required PROJECT_VIEW."""
    waiting, since = backlog(sink.position, filters_of(sink))
    return Progress(waiting, since, DeadLetter.objects.filter(sink=sink, state__in=OPEN).count())


@dataclass(frozen=True, slots=True)
class Page:
    """Events after a position, and the position to go on from. `oldest` is the first that the stream still has."""

    events: list[Event]
    position: int
    head: int
    oldest: int


def stream_of(
    project: Project,
    viewer: User,
    *,
    after: int,
    limit: int,
    families: Collection[str],
    endpoint_ids: Collection[UUID] = (),
) -> Page:
    """The project's events after the position, of at most `limit` things. The caller has required PROJECT_VIEW. What
    the audit log has of a change is for those who may have it sent to a sink, and for auditors."""
    now = head()
    with_details = bool(project_permissions(viewer, project) & _SEE_DETAILS)
    things, end, rows = load(read(after, limit, Filters(project.pk, list(endpoint_ids), families)))
    events = [event for thing in things for event in events_of(thing, rows, families, with_details=with_details)]
    return Page(events, end, now.position, now.kept_from)


def newest_of(home: Project | Workspace, *, limit: int, families: Collection[str]) -> list[Event]:
    """The last events of the project or workspace, newest first, none of them with data. The caller has required what
    `sinks_of` takes."""
    of_project = isinstance(home, Project)
    things = newest(limit, Filters(home.pk if of_project else None, (), families, None if of_project else home.pk))
    rows = load_without_values(things)
    return [event for thing in things for event in reversed(list(events_of(thing, rows, families)))][:limit]
