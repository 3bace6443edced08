"""Writes to a project's variables."""

from __future__ import annotations

from django.db import transaction

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import encrypt
from modelwright.core.errors import NotFound, ValidationFailed
from modelwright.core.saving import check_fields
from projects.models import Project, Variable
from projects.selectors import authorize, shown_value

MAX_VALUE = 32_000
MAX_VARIABLES = 200
# The platform sets these for every run.
RESERVED_PREFIXES = ("MODELWRIGHT_", "MLFLOW_")
RESERVED = frozenset({"PATH", "PYTHONPATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "TMPDIR"})


def _facts(variable: Variable) -> dict[str, object]:
    shown = shown_value(variable)
    return {"is_secret": variable.is_secret, **({} if shown is None else {"value": shown[:500]})}


def _check(name: str, value: str) -> None:
    if name.upper().startswith(RESERVED_PREFIXES) or name.upper() in RESERVED:
        raise ValidationFailed(
            f"The variable {name} is set by the platform in every run.", remedy="Choose another name.", field="name"
        )
    if len(value) > MAX_VALUE or "\0" in value:
        raise ValidationFailed(
            f"The value has more than {MAX_VALUE:,} characters, or a NUL among them.",
            remedy="Keep long values in a file or an artifact.",
            field="value",
        )


@transaction.atomic
def set_variable(project: Project, *, name: str, value: str, is_secret: bool = True, acting_user: Actor) -> Variable:
    """Set a variable that the project's runs get in their environment. Raises ValidationFailed, PermissionRefused."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    _check(name, value)
    Project.objects.select_for_update().get(pk=project.pk)
    variable = Variable.objects.filter(project=project, name=name).first()
    before = _facts(variable) if variable else None
    if variable is None:
        if Variable.objects.filter(project=project).count() >= MAX_VARIABLES:
            raise ValidationFailed(
                f"A project has at most {MAX_VARIABLES} variables.", remedy="Delete one first.", field="name"
            )
        variable = Variable(project=project, name=name)
    variable.value, variable.is_secret = encrypt(value), is_secret
    check_fields(variable)
    variable.save()
    record(
        acting_user=acting_user,
        action=AuditAction.VARIABLE_SET,
        target=Target("variable", variable.id, name),
        before=before,
        after=_facts(variable),
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.id,
    )
    return variable


@transaction.atomic
def delete_variable(project: Project, *, name: str, acting_user: Actor) -> None:
    """Delete a variable. Raises NotFound where there is none of that name."""
    role = authorize(acting_user, Permission.PROJECT_EDIT, project)
    variable = Variable.objects.select_for_update().filter(project=project, name=name).first()
    if variable is None:
        raise NotFound(
            f"The project {project.name} has no variable {name[:128]!r}.", remedy="See the list of its variables."
        )
    target, before = Target("variable", variable.id, name), _facts(variable)
    variable.delete()
    record(
        acting_user=acting_user,
        action=AuditAction.VARIABLE_DELETED,
        target=target,
        before=before,
        role=role,
        workspace_id=project.workspace_id,
        project_id=project.id,
    )
