"""What a project wants of its sessions."""

from __future__ import annotations

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from projects.models import Project
from projects.selectors import authorize
from sessions.models import SessionPolicy
from sessions.selectors import policy_of


@transaction.atomic
def set_policy(project: Project, *, records_commands: bool, acting_user: Actor) -> SessionPolicy:
    """Say whether what is typed in sessions is put on record. It holds for sessions that start from now on.

    Raises PermissionRefused.
    """
    role = authorize(acting_user, Permission.PROJECT_MANAGE, project)
    before = policy_of(project).records_commands
    policy: SessionPolicy = SessionPolicy.objects.update_or_create(
        project=project, defaults={"records_commands": records_commands}
    )[0]
    if before != records_commands:
        record(
            acting_user=acting_user,
            action=AuditAction.SESSION_POLICY_CHANGED,
            target=Target("project", project.pk, project.name),
            before={"records_commands": before},
            after={"records_commands": records_commands},
            role=role,
            workspace_id=project.workspace_id,
            project_id=project.pk,
        )
    return policy
