"""Who may see and do what in a workspace."""

from __future__ import annotations

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict, NotFound, PermissionRefused
from modelwright.core.ids import new_id
from tests.workspaces.conftest import Cast
from workspaces import selectors, services
from workspaces.selectors import Quota, authorize, get_workspace, require_workspace, visible_workspaces


def test_a_stranger_does_not_learn_that_there_is_such_a_workspace(cast: Cast) -> None:
    with pytest.raises(NotFound) as there:
        get_workspace(cast.stranger, cast.workspace.pk)
    with pytest.raises(NotFound) as nowhere:
        get_workspace(cast.stranger, new_id())
    assert there.value.message == nowhere.value.message
    with pytest.raises(NotFound):
        require_workspace(cast.stranger, Permission.WORKSPACE_MANAGE, cast.workspace)
    assert not visible_workspaces(cast.stranger).exists()


def test_a_member_sees_and_makes_projects_but_does_not_manage(cast: Cast) -> None:
    require_workspace(cast.member, Permission.WORKSPACE_VIEW, cast.workspace)
    require_workspace(cast.member, Permission.PROJECT_CREATE, cast.workspace)
    with pytest.raises(PermissionRefused) as refused:
        require_workspace(cast.member, Permission.WORKSPACE_MANAGE, cast.workspace)
    assert "lab" in refused.value.message
    assert refused.value.remedy


def test_an_auditor_reads_everything_and_writes_nothing(cast: Cast) -> None:
    assert get_workspace(cast.auditor, cast.workspace.pk) == cast.workspace
    for permission in (Permission.WORKSPACE_MANAGE, Permission.PROJECT_CREATE, Permission.RUN_START):
        with pytest.raises(PermissionRefused):
            require_workspace(cast.auditor, permission, cast.workspace)


def test_site_administrators_may_everything(cast: Cast) -> None:
    for permission in Permission:
        require_workspace(cast.admin, permission, cast.workspace)


def test_the_role_that_allowed_it_is_named_for_the_audit(cast: Cast) -> None:
    manage = Permission.WORKSPACE_MANAGE
    assert authorize(Actor.person(cast.owner), manage, cast.workspace) == "workspace admin"
    assert authorize(Actor.person(cast.admin), manage, cast.workspace) == "site admin"
    assert authorize(Actor.system("watcher"), manage, cast.workspace) == "system"


def test_the_last_administrator_stays(cast: Cast) -> None:
    system = Actor.system("tests")
    with pytest.raises(Conflict):
        services.remove_member(cast.workspace, cast.owner, acting_user=system)
    with pytest.raises(Conflict):
        services.set_member(cast.workspace, cast.owner, role="member", acting_user=system)
    services.set_member(cast.workspace, cast.member, role="admin", acting_user=system)
    services.remove_member(cast.workspace, cast.owner, acting_user=Actor.person(cast.owner))
    assert selectors.role_in(cast.owner, cast.workspace) is None


def test_quota_is_what_the_limits_say(cast: Cast) -> None:
    assert selectors.quota(cast.workspace) == Quota(cpu=None, memory_mib=None, concurrent_runs=None)
    changed = services.change_workspace(
        cast.workspace, cpu_limit=2.5, concurrent_runs_limit=3, acting_user=Actor.person(cast.admin)
    )
    assert selectors.quota(changed) == Quota(cpu=2.5, memory_mib=None, concurrent_runs=3)
