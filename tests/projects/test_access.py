"""Who may see and do what in a project."""

from __future__ import annotations

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import PROJECT_ROLE_PERMISSIONS, Permission, ProjectRole
from modelwright.core.errors import Conflict, NotFound, PermissionRefused
from modelwright.core.ids import new_id
from projects import selectors, services
from projects.models import ProjectMembership
from projects.selectors import authorize, get_project, project_permissions, require_project, visible_projects
from tests.projects.conftest import Cast
from workspaces.services import remove_member, set_member


@pytest.mark.parametrize("who", ["stranger", "bystander"])
def test_whoever_has_no_role_does_not_learn_that_there_is_such_a_project(cast: Cast, who: str) -> None:
    user = cast.person(who)
    with pytest.raises(NotFound) as there:
        get_project(user, cast.project.pk)
    with pytest.raises(NotFound) as nowhere:
        get_project(user, new_id())
    assert there.value.message == nowhere.value.message
    with pytest.raises(NotFound):
        require_project(user, Permission.PROJECT_EDIT, cast.project)
    assert not visible_projects(user).exists()


@pytest.mark.parametrize("role", [ProjectRole.VIEWER, ProjectRole.OPERATOR, ProjectRole.CONTRIBUTOR])
def test_each_role_may_what_its_table_says_and_no_more(cast: Cast, role: ProjectRole) -> None:
    held = PROJECT_ROLE_PERMISSIONS[role]
    project_wide = {p for p in Permission if not p.startswith(("site.", "audit.", "workspace."))}
    for permission in project_wide - {Permission.PROJECT_CREATE}:
        if permission in held:
            require_project(cast.person(role), permission, cast.project)
        else:
            with pytest.raises(PermissionRefused):
                require_project(cast.person(role), permission, cast.project)


def test_whoever_makes_a_project_administers_it(cast: Cast) -> None:
    assert selectors.roles_in(cast.owner, cast.project).in_project == ProjectRole.ADMIN
    assert Permission.PROJECT_MANAGE in project_permissions(cast.owner, cast.project)


def test_administrators_of_the_workspace_administer_its_projects(cast: Cast) -> None:
    assert get_project(cast.boss, cast.project.pk, Permission.PROJECT_MANAGE) == cast.project
    assert list(visible_projects(cast.boss)) == [cast.project]
    assert authorize(Actor.person(cast.boss), Permission.PROJECT_MANAGE, cast.project) == "workspace admin"
    assert authorize(Actor.person(cast.contributor), Permission.PROJECT_EDIT, cast.project) == "project contributor"
    assert authorize(Actor.person(cast.admin), Permission.PROJECT_EDIT, cast.project) == "site admin"


def test_an_auditor_reads_and_does_not_write(cast: Cast) -> None:
    assert get_project(cast.auditor, cast.project.pk) == cast.project
    with pytest.raises(PermissionRefused):
        require_project(cast.auditor, Permission.RUN_START, cast.project)


def test_a_role_in_the_project_takes_membership_of_the_workspace(cast: Cast) -> None:
    with pytest.raises(Conflict) as refused:
        services.set_member(cast.project, cast.stranger, role="viewer", acting_user=Actor.person(cast.owner))
    assert "lab" in refused.value.message


def test_leaving_the_workspace_ends_every_role_in_it_for_good(cast: Cast) -> None:
    system = Actor.system("tests")
    remove_member(cast.workspace, cast.contributor, acting_user=system)
    with pytest.raises(NotFound):
        get_project(cast.contributor, cast.project.pk)
    set_member(cast.workspace, cast.contributor, role="member", acting_user=system)
    assert not ProjectMembership.objects.filter(user=cast.contributor).exists()


def test_the_mlflow_workspace_is_the_projects_own(cast: Cast) -> None:
    assert cast.project.mlflow_workspace == f"p-{cast.project.id.hex}"
