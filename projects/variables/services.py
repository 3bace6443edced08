"""Writes to a project's variables. Values go in encrypted; audit rows never hold that of a secret."""

from __future__ import annotations

from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.crypto import encrypt
from modelwright.core.errors import NotFound, ValidationFailed
from modelwright.core.etags import check_revision
from modelwright.core.saving import check_fields, insert
from projects.models import Project, Variable
from projects.selectors import authorize
from projects.variables.names import check_name
from projects.variables.selectors import shown_value

MAX_VALUE = 32_000
MAX_VARIABLES = 200
# Encrypted, of all of a project's together: a process takes little more than a megabyte of variables.
MAX_TOGETHER = 1_000_000


class VariableChanges(TypedDict, total=False):
    """What may be changed of a variable. What is left out stays."""

    value: str
    is_secret: bool
    delivery: str
    description: str


@transaction.atomic
def set_variable(
    project: Project,
    *,
    name: str,
    value: str,
    is_secret: bool = True,
    delivery: str = Variable.Delivery.ENVIRONMENT,
    description: str = "",
    acting_user: Actor,
) -> Variable:
    """Set a variable that the project's workloads are given, in place of the one of that name.

    Raises ValidationFailed, PermissionRefused.
    """
    role = authorize(acting_user, Permission.VARIABLE_EDIT, project)
    check_name(name)
    _lock(project)
    changes: VariableChanges = {
        "value": value, "is_secret": is_secret, "delivery": delivery, "description": description,
    }  # fmt: skip
    found = Variable.objects.filter(project=project, name=name).first()
    if found is not None:
        return _change(found, changes, role, acting_user)
    if Variable.objects.filter(project=project).count() >= MAX_VARIABLES:
        raise ValidationFailed(
            f"A project has at most {MAX_VARIABLES} variables.", remedy="Delete one first.", field="name"
        )
    variable = Variable(project=project, name=name, changed_by=acting_user.name)
    _apply(variable, changes)
    insert(variable, taken=f"The project has a variable {name} already.")
    _check_size(project)
    _record(variable, None, role, acting_user)
    return variable


@transaction.atomic
def change_variable(
    variable: Variable,
    *,
    expected_revision: int | None = None,
    acting_user: Actor,
    **changes: Unpack[VariableChanges],
) -> Variable:
    """Change a variable; a value that is left out stays, unseen.

    A secret becomes a plain variable together with a new value only. Raises PreconditionFailed, ValidationFailed,
    NotFound where it was deleted, PermissionRefused.
    """
    role = authorize(acting_user, Permission.VARIABLE_EDIT, variable.project)
    _lock(variable.project)
    found = Variable.objects.filter(pk=variable.pk).first()
    if found is None:
        raise NotFound(f"The variable {variable.name} is no longer there.", remedy="Reload the list.")
    check_revision(found.revision, expected_revision)
    if found.is_secret and not changes.get("is_secret", True) and "value" not in changes:
        raise ValidationFailed(
            f"{found.name} is a secret, and its value is never shown.",
            remedy="Give its new value as well, if it shall be no secret any more.",
            field="value",
        )
    return _change(found, changes, role, acting_user)


@transaction.atomic
def delete_variable(project: Project, *, name: str, acting_user: Actor) -> None:
    """Delete a variable. The record of who was given it stays. Raises NotFound where there is none of that name."""
    role = authorize(acting_user, Permission.VARIABLE_EDIT, project)
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


def _lock(project: Project) -> None:
    Project.objects.select_for_update().get(pk=project.pk)


def _change(variable: Variable, changes: VariableChanges, role: str, acting_user: Actor) -> Variable:
    before = _facts(variable)
    _apply(variable, changes)
    variable.revision += 1
    variable.changed_at, variable.changed_by = timezone.now(), acting_user.name
    check_fields(variable)
    variable.save()
    _check_size(variable.project)
    _record(variable, {**before, "value_changed": "value" in changes}, role, acting_user)
    return variable


def _apply(variable: Variable, changes: VariableChanges) -> None:
    if "value" in changes:
        value = changes["value"]
        if len(value) > MAX_VALUE or "\0" in value:
            raise ValidationFailed(
                f"The value has more than {MAX_VALUE:,} characters, or a NUL among them.",
                remedy="Keep long values in a file or an artifact.",
                field="value",
            )
        variable.value = encrypt(value)
    variable.is_secret = changes.get("is_secret", variable.is_secret)
    variable.delivery = changes.get("delivery", variable.delivery)
    variable.description = changes.get("description", variable.description)


def _check_size(project: Project) -> None:
    together = Variable.objects.filter(project=project).aggregate(size=Sum(Length("value")))["size"] or 0
    if together > MAX_TOGETHER:
        raise ValidationFailed(
            f"The project's variables would take {together:,} bytes together; a workload takes {MAX_TOGETHER:,}.",
            remedy="Delete some, or keep long values in an artifact.",
            field="value",
        )


def _facts(variable: Variable) -> dict[str, object]:
    shown = shown_value(variable)
    facts = {"is_secret": variable.is_secret, "delivery": variable.delivery, "description": variable.description}
    return {**facts, **({} if shown is None else {"value": shown[:500]})}


def _record(variable: Variable, before: dict[str, object] | None, role: str, acting_user: Actor) -> None:
    record(
        acting_user=acting_user,
        action=AuditAction.VARIABLE_SET,
        target=Target("variable", variable.id, variable.name),
        before=before,
        after=_facts(variable),
        role=role,
        workspace_id=variable.project.workspace_id,
        project_id=variable.project_id,
    )
