"""An import that is over, and one that is still queued, in a project of its own: a project has one at a time."""

from __future__ import annotations

from typing import Any

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects import services as project_services
from projects.importing.services import cancel, request_import
from projects.models import Project, ProjectMembership

SYSTEM = Actor.system("tests")


def add_imports(project: Project, asker: User) -> dict[str, Any]:
    """What the addresses of imports name; the people of `project` have the same roles there."""
    beside = project_services.create_project(project.workspace, name="taken-over", acting_user=SYSTEM)
    for each in ProjectMembership.objects.filter(project=project).select_related("user"):
        project_services.set_member(beside, each.user, role=each.role, acting_user=SYSTEM)
    address = "https://git.example.org/team/churn.git"
    over = request_import(project, address=address, acting_user=Actor.person(asker))
    cancel(over, acting_user=Actor.person(asker))
    return {"import_id": request_import(beside, address=address, acting_user=Actor.person(asker)).pk}
