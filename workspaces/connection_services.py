"""Writes to data connections. Secrets go in encrypted; audit rows say that one was set, never what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, Unpack

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import encrypt
from modelwright.core.errors import NotFound, ValidationFailed
from modelwright.core.etags import check_revision
from modelwright.core.saving import insert, update
from workspaces.connection_kinds import SECRETS, check_config
from workspaces.models import DataConnection, Workspace
from workspaces.selectors import authorize

MAX_SECRET = 8000


class ConnectionChanges(TypedDict, total=False):
    """What may be changed of a data connection. An empty secret takes it away; one left out stays."""

    description: str
    config: Mapping[str, object]
    secret: str


def _target(connection: DataConnection) -> Target:
    return Target("data connection", connection.id, connection.name)


def _facts(connection: DataConnection) -> dict[str, object]:
    return {
        "kind": connection.kind,
        "description": connection.description,
        "config": connection.config,
        "has_secret": connection.has_secret,
    }


@transaction.atomic
def create_data_connection(
    workspace: Workspace,
    *,
    name: str,
    kind: str,
    config: Mapping[str, object],
    description: str = "",
    secret: str = "",
    acting_user: Actor,
) -> DataConnection:
    """Add a data connection. Raises ValidationFailed, Conflict, PermissionRefused."""
    role = authorize(acting_user, Permission.WORKSPACE_MANAGE, workspace)
    connection = DataConnection(
        workspace=workspace, name=name, kind=kind, description=description, config=check_config(kind, config)
    )
    _require_site_for_directory(connection, acting_user)
    connection.secret = _sealed(kind, secret)
    insert(connection, taken=f"The workspace has a data connection called {name!r} already.")
    record(
        acting_user=acting_user,
        action=AuditAction.CONNECTION_CREATED,
        target=_target(connection),
        after=_facts(connection),
        role=role,
        workspace_id=workspace.id,
    )
    return connection


@transaction.atomic
def change_data_connection(
    connection: DataConnection,
    *,
    expected_revision: int | None = None,
    acting_user: Actor,
    **changes: Unpack[ConnectionChanges],
) -> DataConnection:
    """Change description, configuration or secret. Raises ValidationFailed, PreconditionFailed, PermissionRefused."""
    role = authorize(acting_user, Permission.WORKSPACE_MANAGE, connection.workspace)
    connection = _locked(connection)
    check_revision(connection.revision, expected_revision)
    before = _facts(connection)
    connection.description = changes.get("description", connection.description)
    if "config" in changes:
        connection.config = check_config(connection.kind, changes["config"])
        _require_site_for_directory(connection, acting_user)
    if "secret" in changes:
        connection.secret = _sealed(connection.kind, changes["secret"])
    connection.revision += 1
    update(connection, ["description", "config", "secret", "revision"])
    record(
        acting_user=acting_user,
        action=AuditAction.CONNECTION_CHANGED,
        target=_target(connection),
        before=before,
        after={**_facts(connection), "secret_changed": "secret" in changes},
        role=role,
        workspace_id=connection.workspace_id,
    )
    return connection


@transaction.atomic
def delete_data_connection(connection: DataConnection, *, acting_user: Actor) -> None:
    """Remove a data connection and its secret. Raises NotFound where somebody was faster."""
    role = authorize(acting_user, Permission.WORKSPACE_MANAGE, connection.workspace)
    connection = _locked(connection)
    target, before = _target(connection), _facts(connection)
    connection.delete()
    record(
        acting_user=acting_user,
        action=AuditAction.CONNECTION_DELETED,
        target=target,
        before=before,
        role=role,
        workspace_id=connection.workspace_id,
    )


def _locked(connection: DataConnection) -> DataConnection:
    locked: DataConnection | None = DataConnection.objects.select_for_update().filter(pk=connection.pk).first()
    if locked is None:
        raise NotFound(f"The data connection {connection.name} is no longer there.", remedy="Reload the list.")
    return locked


def _require_site_for_directory(connection: DataConnection, actor: Actor) -> None:
    """The hosts' directories belong to the installation, not to one workspace."""
    if connection.kind == DataConnection.Kind.DIRECTORY and not actor.is_system:
        require_site(actor.require_user(), Permission.SITE_MANAGE)


def _sealed(kind: str, secret: str) -> str:
    if not secret:
        return ""
    if len(secret) > MAX_SECRET:
        raise ValidationFailed(
            f"The secret is longer than {MAX_SECRET} characters.", remedy="Shorten it.", field="secret"
        )
    if not SECRETS[kind]:
        raise ValidationFailed(
            f"A connection of the kind {kind} has no secret.", remedy="Leave `secret` out.", field="secret"
        )
    return encrypt(secret)
