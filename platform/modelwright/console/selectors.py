"""What an auditor sees: audit rows, and the state of the chain over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent, AuditSeal
from modelwright.audit.sealing import Verdict, verify
from modelwright.audit.selectors import moment_of, search
from modelwright.core.errors import NotFound, ValidationFailed
from modelwright.core.listing import Column, Filter, Listing
from projects.models import Project
from projects.selectors import visible_projects
from workspaces.models import Workspace

MAX_VALUES = 200


@dataclass(frozen=True, slots=True)
class Chain:
    """The state of the seal. `verdict` is None where the links were not recomputed."""

    length: int
    last_digest: str
    last_sealed_at: datetime | None
    unsealed: int
    verdict: Verdict | None


def chain(viewer: User, *, recompute: bool = False) -> Chain:
    """The state of the chain. Raises PermissionRefused."""
    require_site(viewer, Permission.AUDIT_READ)
    last = AuditSeal.objects.order_by("-position").first()
    length = last.position if last else 0
    return Chain(
        length=length,
        last_digest=last.digest if last else "",
        last_sealed_at=last.sealed_at if last else None,
        unsealed=max(AuditEvent.objects.count() - length, 0),
        verdict=verify() if recompute else None,
    )


def event(viewer: User, event_id: UUID) -> AuditEvent:
    """One audit row. Raises PermissionRefused, NotFound."""
    require_site(viewer, Permission.AUDIT_READ)
    row = AuditEvent.objects.filter(pk=event_id).first()
    if row is None:
        raise NotFound("There is no audit row with this id.", remedy="Search the audit log.")
    return row


def seal_of(row: AuditEvent) -> AuditSeal | None:
    """The link over a row, None while it waits for the sealer."""
    return AuditSeal.objects.filter(event_id=row.pk).first()


def _since(rows: Any, text: str) -> Any:
    return rows.filter(at__gte=_moment(text, "since"))


def _until(rows: Any, text: str) -> Any:
    return rows.filter(at__lt=_moment(text, "until"))


def _moment(text: str, field: str) -> datetime:
    try:
        return moment_of(text, field)
    except ValidationFailed as error:
        raise ValueError(f"{error.message} {error.remedy}") from None


def _kinds() -> list[tuple[str, str]]:
    kinds = AuditEvent.objects.order_by("target_kind").values_list("target_kind", flat=True).distinct()[:MAX_VALUES]
    return [(kind, kind.replace("-", " ")) for kind in kinds]


def _projects(viewer: User) -> list[tuple[str, str]]:
    projects = visible_projects(viewer).order_by("workspace__name", "name")[:MAX_VALUES]
    return [(str(project.pk), f"{project.workspace.name} / {project.name}") for project in projects]


@dataclass(frozen=True, slots=True)
class Place:
    """The workspace and project of a row as they are called now, None where there is none (any more)."""

    workspace: Workspace | None
    project: Project | None


def place_of(row: AuditEvent) -> Place:
    """Where a row's thing is. The caller may read the audit log, and so may see everything."""
    return Place(
        Workspace.objects.filter(pk=row.workspace_id).first() if row.workspace_id else None,
        Project.objects.filter(pk=row.project_id).first() if row.project_id else None,
    )


def listing(viewer: User, params: Mapping[str, Any]) -> Listing[AuditEvent]:
    """The auditor's list, filtered by a page's parameters. Raises PermissionRefused."""
    require_site(viewer, Permission.AUDIT_READ)
    columns = [
        Column("Time", "at", "at"),
        Column("Actor", "actor", "actor_name"),
        Column("Role"),
        Column("Action", "action"),
        Column("Thing", "thing", ("target_kind", "target_name")),
        Column("Reason"),
        Column("Details", hidden_label=True),
    ]
    filters = [
        Filter("q", "Text in names and reasons", ("target_name", "actor_name", "reason")),
        Filter("action", "Action", ("action",), choices=[(a.value, a.value) for a in AuditAction]),
        Filter("actor_name", "Actor", ("actor_name",)),
        Filter("target_kind", "Kind of thing", ("target_kind",), choices=_kinds()),
        Filter("target_id", "Thing's id", ("target_id",), rare=True),
        Filter("project_id", "Project", ("project_id",), choices=_projects(viewer)),
        Filter("request_id", "Request's id", ("request_id",), rare=True),
        Filter("since", "From day", kind="date", apply=_since),
        Filter("until", "Before day", kind="date", apply=_until),
    ]
    return Listing(search({}), params, columns=columns, filters=filters, default_sort="-at")
