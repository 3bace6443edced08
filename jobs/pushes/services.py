"""Writes to what starts jobs on a push."""

from __future__ import annotations

import base64
import re
import secrets
from typing import TypedDict, Unpack

from django.db import transaction

from jobs.models import Job, PushStart
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import encrypt
from modelwright.core.errors import Conflict, NotFound, ValidationFailed
from modelwright.core.etags import check_revision
from modelwright.core.saving import insert, update
from projects.models import Project
from projects.selectors import authorize

MOST_STARTS = 50
# What Git lets stand in no branch's name (git-check-ref-format); a pattern such as `feature/*` among it.
_NO_BRANCH = re.compile(r"[\s~^:?*\[\\]|\.\.|//|@\{|\A[-/.]|[/.]\Z|\.lock\Z")


class PushStartChanges(TypedDict, total=False):
    """What may be changed. `job` is a name."""

    description: str
    job: str
    branch: str
    is_active: bool


@transaction.atomic
def create_push_start(
    project: Project, *, name: str, via: str, job: str, branch: str = "", description: str = "", acting_user: Actor
) -> tuple[PushStart, str]:
    """Have pushes start a job, as the acting person; returns its secret, which nobody is shown again.

    The secret is empty for the project's own repository.
    Raises ValidationFailed, NotFound, Conflict, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    authorize(acting_user, Permission.RUN_START, project)
    if PushStart.objects.filter(project=project).count() >= MOST_STARTS:
        raise Conflict(f"A project has at most {MOST_STARTS} of them.", remedy="Delete one first.")
    secret = "" if via == PushStart.Via.GIT else _new_secret(via)
    start = PushStart(
        project=project,
        name=name,
        description=description,
        via=via,
        job=_job(project, job),
        branch=_branch(branch),
        secret=encrypt(secret) if secret else "",
        maker=acting_user.user,
    )
    insert(start, taken=f"The project has one called {name!r} already.")
    _audit(AuditAction.PUSH_START_CREATED, start, acting_user, role, after=facts_of(start))
    return start, secret


@transaction.atomic
def change_push_start(
    start: PushStart, *, expected_revision: int | None = None, acting_user: Actor, **changes: Unpack[PushStartChanges]
) -> PushStart:
    """Change it. From then on its runs are the acting person's.

    Raises PreconditionFailed, ValidationFailed, NotFound, PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_EDIT, start.project)
    authorize(acting_user, Permission.RUN_START, start.project)
    start = _locked(start)
    check_revision(start.revision, expected_revision)
    before = facts_of(start)
    if "job" in changes:
        start.job = _job(start.project, changes["job"])
    if "branch" in changes:
        start.branch = _branch(changes["branch"])
    start.description = changes.get("description", start.description)
    start.is_active = changes.get("is_active", start.is_active)
    start.maker = acting_user.user
    start.revision += 1
    update(start, ["job", "branch", "description", "is_active", "maker", "revision"])
    _audit(AuditAction.PUSH_START_CHANGED, start, acting_user, role, before=before, after=facts_of(start))
    return start


@transaction.atomic
def make_secret(start: PushStart, *, acting_user: Actor) -> str:
    """Another secret, which nobody is shown again; the one before is worthless. Raises Conflict where none is used."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, start.project)
    start = _locked(start)
    if start.via == PushStart.Via.GIT:
        raise Conflict("Pushes to the project's own repository need no secret.", remedy="Leave it as it is.")
    secret = _new_secret(start.via)
    start.secret = encrypt(secret)
    start.revision += 1
    update(start, ["secret", "revision"])
    _audit(AuditAction.PUSH_START_SECRET_MADE, start, acting_user, role)
    return secret


@transaction.atomic
def delete_push_start(start: PushStart, *, acting_user: Actor) -> None:
    """Delete it with the list of its pushes; the runs stay. Raises NotFound where somebody was faster."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, start.project)
    start = _locked(start)
    _audit(AuditAction.PUSH_START_DELETED, start, acting_user, role, before=facts_of(start))
    start.delete()


def facts_of(start: PushStart) -> dict[str, object]:
    """What the audit log says of it."""
    return {
        "description": start.description,
        "via": start.via,
        "job": start.job.name,
        "branch": start.branch,
        "is_active": start.is_active,
        "maker": start.maker.username if start.maker else None,
    }


def target_of(start: PushStart) -> Target:
    """How the audit log names it."""
    return Target("push start", start.pk, f"{start.project.name}/{start.name}")


def _new_secret(via: str) -> str:
    if via == PushStart.Via.STANDARD:
        return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return "mwh_" + secrets.token_urlsafe(32)


def _job(project: Project, name: str) -> Job:
    found: Job | None = Job.objects.filter(project=project, name=name).first()
    if found is None:
        raise NotFound(f"The project has no job called {name[:63]!r}.", remedy="See the list of its jobs.", field="job")
    return found


def _branch(name: str) -> str:
    name = name.strip().removeprefix("refs/heads/")
    if _NO_BRANCH.search(name) or not name.isprintable():
        raise ValidationFailed(
            f"{name[:60]!r} is no name that a branch can have.",
            remedy="Give the name of one, such as main, or nothing for all; patterns are not read.",
            field="branch",
        )
    return name


def _locked(start: PushStart) -> PushStart:
    found: PushStart | None = (
        PushStart.objects.select_for_update(of=("self",)).select_related("project", "job").filter(pk=start.pk).first()
    )
    if found is None:
        raise NotFound(f"{start.name} is no longer there.", remedy="Reload the list.")
    return found


def _audit(
    action: AuditAction,
    start: PushStart,
    acting_user: Actor,
    role: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    record(
        acting_user=acting_user,
        action=action,
        target=target_of(start),
        before=before,
        after=after,
        role=role,
        workspace_id=start.project.workspace_id,
        project_id=start.project_id,
    )
