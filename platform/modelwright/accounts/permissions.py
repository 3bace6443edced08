"""What may be done, and which role may do it. Memberships live in the rooms above; the tables of roles live here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """One thing that a route, service or selector asks for."""

    SITE_MANAGE = "site.manage"
    AUDIT_READ = "audit.read"
    WORKSPACE_CREATE = "workspace.create"
    WORKSPACE_VIEW = "workspace.view"
    WORKSPACE_MANAGE = "workspace.manage"
    PROJECT_CREATE = "project.create"
    PROJECT_VIEW = "project.view"
    PROJECT_EDIT = "project.edit"
    PROJECT_MANAGE = "project.manage"
    # Names of variables and values of plain ones, and who was given which secret.
    VARIABLE_VIEW = "variable.view"
    VARIABLE_EDIT = "variable.edit"
    RUN_START = "run.start"
    RUN_CANCEL = "run.cancel"
    MODEL_EDIT = "model.edit"
    MODEL_APPROVE = "model.approve"
    PREDICT = "endpoint.predict"
    ENDPOINT_DEPLOY = "endpoint.deploy"
    ENDPOINT_ROLLBACK = "endpoint.rollback"
    ENDPOINT_MANAGE = "endpoint.manage"


class WorkspaceRole(StrEnum):
    """A person's role in a workspace."""

    MEMBER = "member"
    ADMIN = "admin"


class ProjectRole(StrEnum):
    """A person's role in a project."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    CONTRIBUTOR = "contributor"
    ADMIN = "admin"


WORKSPACE_ROLE_CHOICES = [(role.value, role.value) for role in WorkspaceRole]
PROJECT_ROLE_CHOICES = [(role.value, role.value) for role in ProjectRole]
READ_PERMISSIONS = frozenset({Permission.WORKSPACE_VIEW, Permission.PROJECT_VIEW, Permission.VARIABLE_VIEW})
AUDITOR_PERMISSIONS = READ_PERMISSIONS | {Permission.AUDIT_READ}

_VIEWER = frozenset({Permission.PROJECT_VIEW, Permission.VARIABLE_VIEW})
_OPERATOR = _VIEWER | {
    Permission.RUN_START,
    Permission.RUN_CANCEL,
    Permission.PREDICT,
    Permission.ENDPOINT_ROLLBACK,
}
_CONTRIBUTOR = _OPERATOR | {
    Permission.PROJECT_EDIT,
    Permission.VARIABLE_EDIT,
    Permission.MODEL_EDIT,
    Permission.MODEL_APPROVE,
    Permission.ENDPOINT_DEPLOY,
}
_PROJECT_ADMIN = _CONTRIBUTOR | {Permission.PROJECT_MANAGE, Permission.ENDPOINT_MANAGE}

PROJECT_ROLE_PERMISSIONS: Mapping[ProjectRole, frozenset[Permission]] = {
    ProjectRole.VIEWER: _VIEWER,
    ProjectRole.OPERATOR: _OPERATOR,
    ProjectRole.CONTRIBUTOR: _CONTRIBUTOR,
    ProjectRole.ADMIN: _PROJECT_ADMIN,
}

_MEMBER = frozenset({Permission.WORKSPACE_VIEW, Permission.PROJECT_CREATE})
# A workspace admin is admin of every project in it.
WORKSPACE_ROLE_PERMISSIONS: Mapping[WorkspaceRole, frozenset[Permission]] = {
    WorkspaceRole.MEMBER: _MEMBER,
    WorkspaceRole.ADMIN: _MEMBER | {Permission.WORKSPACE_MANAGE} | _PROJECT_ADMIN,
}
