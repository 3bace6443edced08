"""What a person may see of variables and of the record of secrets."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.core.crypto import decrypt
from modelwright.core.errors import NotFound
from projects.models import Project, SecretRead, Variable


def variables(project: Project) -> QuerySet[Variable]:
    """The variables of the project, by name, with encrypted values. The caller has required VARIABLE_VIEW."""
    return Variable.objects.filter(project=project).select_related("project__workspace").order_by("name")


def get_variable(project: Project, name: str) -> Variable:
    """Return one variable by name. The caller has required VARIABLE_VIEW. Raises NotFound."""
    variable: Variable | None = variables(project).filter(name=name).first()
    if variable is None:
        raise NotFound(
            f"The project {project.name} has no variable {name[:128]!r}.", remedy="See the list of its variables."
        )
    return variable


def shown_value(variable: Variable) -> str | None:
    """The value of a variable as people may read it: None where it is secret."""
    return None if variable.is_secret else decrypt(variable.value)


def secret_reads(
    project: Project, *, name: str = "", person: str = "", workload_id: UUID | None = None
) -> QuerySet[SecretRead]:
    """Who was given secrets of the project, newest first. The caller has required VARIABLE_VIEW."""
    return _narrowed(SecretRead.objects.filter(project=project), name, person, workload_id)


def all_secret_reads(
    viewer: User, *, name: str = "", person: str = "", project_id: UUID | None = None, workload_id: UUID | None = None
) -> QuerySet[SecretRead]:
    """The same of every project, for auditors and administrators. Raises PermissionRefused."""
    require_site(viewer, Permission.AUDIT_READ)
    reads = SecretRead.objects.all()
    if project_id is not None:
        reads = reads.filter(project_id=project_id)
    return _narrowed(reads, name, person, workload_id)


def _narrowed(reads: QuerySet[SecretRead], name: str, person: str, workload_id: UUID | None) -> QuerySet[SecretRead]:
    if name:
        reads = reads.filter(names__contains=[name])
    if person:
        reads = reads.filter(person=person)
    if workload_id is not None:
        reads = reads.filter(workload_id=workload_id)
    return reads.select_related("project__workspace").order_by("-id")
