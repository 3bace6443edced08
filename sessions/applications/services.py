"""What people do with applications: make, stop, start, show to everybody, delete."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

from django.db import transaction
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.compute import services as compute
from modelwright.compute.selectors import profile as profile_by_name
from modelwright.core.errors import Conflict, ValidationFailed
from modelwright.core.saving import insert
from projects.models import Project
from projects.selectors import authorize
from sessions import repository
from sessions.applications.models import Application
from sessions.selectors import NEEDS_A_HOST, can_run
from sessions.tokens import new_key


@dataclass(frozen=True, slots=True)
class ApplicationRequest:
    """What to run: `command` from the newest commit of `branch` (empty: the main one), in the size `profile`."""

    name: str
    command: str
    branch: str = ""
    profile: str = ""
    description: str = ""


@transaction.atomic
def create_application(project: Project, request: ApplicationRequest, *, acting_user: Actor) -> Application:
    """Make it; the watcher starts it. Raises ValidationFailed, Conflict, NotFound, PermissionRefused."""
    _require(project, acting_user)
    words_of(request.command)
    if request.branch and not repository.tip(project, f"refs/heads/{request.branch}"):
        raise ValidationFailed(
            f"The project has no branch {request.branch[:60]!r}.", remedy="Choose another one.", field="branch"
        )
    made = Application(
        project=project,
        name=request.name,
        description=request.description,
        key=new_key(),
        command=request.command,
        branch=request.branch,
        profile=profile_by_name(request.profile) if request.profile else None,
        created_by=acting_user.require_user(),
    )
    insert(made, taken=f"The project has an application {request.name!r} already.")
    facts = {"command": made.command, "branch": made.branch, "profile": request.profile or None}
    audit(made, AuditAction.APPLICATION_CREATED, acting_user, after=facts)
    return made


@transaction.atomic
def start_application(application: Application, *, acting_user: Actor) -> Application:
    """Have it run, from the newest commit of its branch: one that runs is started anew. Raises PermissionRefused."""
    _require(application.project, acting_user)
    application = _locked(application)
    application.is_wanted, application.failures, application.trouble = True, 0, ""
    application.starts_at = timezone.now()
    application.save(update_fields=["is_wanted", "failures", "trouble", "starts_at"])
    _end(application, "It is started anew.", acting_user)
    audit(application, AuditAction.APPLICATION_STARTED, acting_user)
    return application


@transaction.atomic
def stop_application(application: Application, *, acting_user: Actor) -> Application:
    """Have it end and stay so. Raises Conflict where it is stopped already, PermissionRefused."""
    authorize(acting_user, Permission.PROJECT_EDIT, application.project)
    application = _locked(application)
    if not application.is_wanted:
        raise Conflict(f"{application.name} is stopped already.", remedy="Start it if it is to run.")
    application.is_wanted = False
    application.save(update_fields=["is_wanted"])
    _end(application, f"{acting_user.name} stopped it.", acting_user)
    audit(application, AuditAction.APPLICATION_STOPPED, acting_user)
    return application


@transaction.atomic
def set_public(application: Application, *, is_public: bool, acting_user: Actor) -> Application:
    """Let in everybody who knows the address, or only people of the project. Administrators of the workspace say so."""
    authorize(acting_user, Permission.WORKSPACE_MANAGE, application.project)
    return _let_in(application, "is_public", is_public, acting_user)


@transaction.atomic
def let_viewers_in(application: Application, *, lets_viewers_in: bool, acting_user: Actor) -> Application:
    """Let in viewers of the project as well, or only who may ask its endpoints. Administrators of the project say so.

    Raises PermissionRefused.
    """
    authorize(acting_user, Permission.PROJECT_MANAGE, application.project)
    return _let_in(application, "lets_viewers_in", lets_viewers_in, acting_user)


@transaction.atomic
def delete_application(application: Application, *, acting_user: Actor) -> None:
    """End it and take it off the list; the record of it stays. Raises PermissionRefused."""
    authorize(acting_user, Permission.PROJECT_EDIT, application.project)
    application = _locked(application)
    application.is_wanted, application.deleted_at = False, timezone.now()
    application.save(update_fields=["is_wanted", "deleted_at"])
    _end(application, f"{acting_user.name} deleted it.", acting_user)
    audit(application, AuditAction.APPLICATION_DELETED, acting_user, before={"command": application.command})


def words_of(command: str) -> list[str]:
    """The command's words, as a shell would split them; there is no shell. Raises ValidationFailed."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValidationFailed(
            f"The command cannot be read: {error}.", remedy="Close each quotation mark.", field="command"
        ) from error
    if not words or any("\0" in word for word in words):
        raise ValidationFailed(
            "There is no command.", remedy="Name a script such as app.py, or a program.", field="command"
        )
    # Braces stand for places of the host in commands of workloads.
    if any("{" in word or "}" in word for word in words):
        raise ValidationFailed(
            "The command has braces.", remedy="Leave them out, or put them into a script.", field="command"
        )
    return words


def audit(application: Application, action: AuditAction, acting_user: Actor, **facts: Any) -> None:
    """Put on record what was done to an application."""
    record(
        acting_user=acting_user,
        action=action,
        target=Target("application", application.pk, application.name),
        workspace_id=application.project.workspace_id,
        project_id=application.project_id,
        **facts,
    )


def _require(project: Project, acting_user: Actor) -> None:
    authorize(acting_user, Permission.RUN_START, project)
    authorize(acting_user, Permission.PROJECT_EDIT, project)
    if not can_run():
        raise Conflict(
            "All hosts of this installation are swarms. What is written in one of their tasks goes with it, so no "
            "application runs there.",
            remedy=NEEDS_A_HOST,
        )


def _let_in(
    application: Application, whom: Literal["is_public", "lets_viewers_in"], value: bool, acting_user: Actor
) -> Application:
    application = _locked(application)
    before = getattr(application, whom)
    if before != value:
        setattr(application, whom, value)
        application.save(update_fields=[whom])
        audit(application, AuditAction.APPLICATION_SHOWN, acting_user, before={whom: before}, after={whom: value})
    return application


def _locked(application: Application) -> Application:
    return (
        Application.objects.select_for_update(of=("self",))
        .select_related("project__workspace", "profile", "created_by", "workload")
        .get(pk=application.pk)
    )


def _end(application: Application, reason: str, acting_user: Actor) -> None:
    if application.workload is not None and not application.workload.is_ended:
        application.workload = compute.request_cancel(application.workload, acting_user=acting_user, reason=reason)
