"""Who calls the tracking address, for which project, and what they may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections
from django.utils.module_loading import import_string

from jobs.models import Run
from jobs.selectors import run_of_token
from jobs.tokens import RUN_TOKEN_PREFIX
from jobs.tracking.allowlist import Access
from jobs.tracking.tags import ATTEMPT_TAG, RUN_ID_TAG, USER_TAG
from modelwright.accounts.authentication import TOKEN_PREFIX, live_token
from modelwright.accounts.models import ApiToken, User
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound, PermissionRefused, PlatformError, ValidationFailed
from projects.models import Project
from projects.selectors import get_project, project_permissions

PROJECT_HEADER = "X-Modelwright-Project"

_PERMISSIONS: Mapping[Access, Permission] = {
    Access.READ: Permission.PROJECT_VIEW,
    Access.TRACK: Permission.RUN_START,
    Access.REGISTER: Permission.MODEL_EDIT,
}


class NotAuthenticated(PlatformError):
    """No valid token was sent."""

    status = 401
    title = "Not authenticated"
    code = "not-authenticated"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller's MLflow workspace, what it may do there, and the tags that its new runs get.

    `run_id` is the run that calls, None for a person.
    """

    workspace: str
    granted: frozenset[Access]
    stamp: Mapping[str, str] = field(default_factory=dict)
    run_id: UUID | None = None

    def require(self, access: Access) -> None:
        """Raise PermissionRefused where the caller may not do it."""
        if access not in self.granted:
            raise PermissionRefused(
                f"This token does not give the permission {_PERMISSIONS[access]} in the project.",
                remedy="Ask an administrator of the project for the role, or use a token that may write.",
            )


def identify(token: str, project_id: str) -> Identity:
    """Return the identity behind a Bearer token: a run's own, or a person's with the id of a project.

    Runs in a thread with its own database connection. Raises NotAuthenticated, ValidationFailed and NotFound.
    """
    close_old_connections()
    try:
        if token.startswith(f"{RUN_TOKEN_PREFIX}_"):
            return _identity_of_run(token, project_id)
        if token.startswith(f"{TOKEN_PREFIX}_"):
            return _identity_of_person(token, project_id)
        if other := settings.TRACKING_TOKENS.get(token.partition("_")[0]):
            found: Identity = import_string(other)(token, project_id)
            return found
    finally:
        close_old_connections()
    raise NotAuthenticated(
        "The tracking address needs a token.",
        remedy="In a run it is set already. Elsewhere set MLFLOW_TRACKING_TOKEN to your API token.",
    )


def _identity_of_run(token: str, project_id: str) -> Identity:
    run: Run | None = run_of_token(token)
    if run is None or (project_id and project_id != str(run.project_id)):
        raise NotAuthenticated(
            "The run's token is not valid: it dies when its run ends.",
            remedy="Log from within a run, or use your own API token.",
        )
    stamp = {RUN_ID_TAG: str(run.pk), ATTEMPT_TAG: str(run.attempt)}
    return Identity(run.project.mlflow_workspace, frozenset(Access), stamp, run.pk)


def _identity_of_person(text: str, project_id: str) -> Identity:
    token = live_token(text)
    if token is None:
        raise NotAuthenticated(
            "The API token is unknown, expired or revoked.", remedy="Make a new one on your profile's page."
        )
    if not project_id:
        raise ValidationFailed(
            "It is not said which project this is for.",
            remedy=f"Set MLFLOW_TRACKING_URI to <this address>/projects/<project id>, or send {PROJECT_HEADER}.",
        )
    project = _project(token.user, project_id)
    granted = granted_to(token.user, project)
    if token.scope == ApiToken.Scope.READ:
        granted &= {Access.READ}
    return Identity(project.mlflow_workspace, granted, {USER_TAG: token.user.username})


def granted_to(user: User, project: Project) -> frozenset[Access]:
    """What the person may do at the tracking address of a project."""
    held = project_permissions(user, project)
    return frozenset(access for access, permission in _PERMISSIONS.items() if permission in held)


def _project(user: User, project_id: str) -> Project:
    try:
        return get_project(user, UUID(project_id))
    except ValueError:
        raise NotFound(
            f"{project_id[:60]!r} is not a project's id.",
            remedy="Copy the id from the project's page.",
        ) from None
