"""Who may see and do what in a workspace."""

from __future__ import annotations

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.compute.allowances import allowances
from modelwright.compute.models import ResourceProfile
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, ValidationFailed
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
    assert selectors.quota(cast.workspace) == Quota(cpu=None, memory_mib=None, gpus=None, concurrent_runs=None)
    changed = services.change_workspace(
        cast.workspace, cpu_limit=2.5, gpu_limit=0, concurrent_runs_limit=3, acting_user=Actor.person(cast.admin)
    )
    assert selectors.quota(changed) == Quota(cpu=2.5, memory_mib=None, gpus=0, concurrent_runs=3)


def test_placement_is_told_the_same_limits(cast: Cast) -> None:
    services.change_workspace(
        cast.workspace,
        memory_limit_mib=2048,
        gpu_limit=2,
        host_labels={"zone": "a"},
        acting_user=Actor.person(cast.admin),
    )
    told = allowances([cast.workspace.pk])[cast.workspace.pk]
    assert (told.name, told.cpu, told.memory_bytes, told.gpus, told.runs) == (cast.workspace.name, None, 2**31, 2, None)
    assert told.labels == {"zone": "a"}


def test_the_sizes_of_a_workspace_are_sizes_that_there_are(cast: Cast) -> None:
    actor = Actor.person(cast.admin)
    gone = ResourceProfile.objects.create(name="gone", cpu=1, memory_bytes=2**30)
    ResourceProfile.objects.get_or_create(name="small", defaults={"cpu": 0.5, "memory_bytes": 2**30})
    with pytest.raises(ValidationFailed, match="no size called 'huge'"):
        services.change_workspace(cast.workspace, profiles=["huge"], acting_user=actor)
    with pytest.raises(ValidationFailed, match="is no label"):
        services.change_workspace(cast.workspace, host_labels={"not a label": "x"}, acting_user=actor)
    changed = services.change_workspace(cast.workspace, profiles=["small", "gone", "gone"], acting_user=actor)
    assert changed.profiles == ["gone", "small"]
    gone.delete()
    kept = services.change_workspace(changed, profiles=["gone"], description="d", acting_user=actor)
    assert list(selectors.allowed_profiles(kept)) == [], "it does not fall open when its last size is deleted"
    opened = services.change_workspace(kept, profiles=[], acting_user=actor)
    assert "small" in {profile.name for profile in selectors.allowed_profiles(opened)}


def test_only_site_administrators_say_which_sizes_and_hosts_a_workspace_uses(cast: Cast) -> None:
    owner = Actor.person(cast.owner)
    with pytest.raises(PermissionRefused):
        services.change_workspace(cast.workspace, host_labels={"zone": "a"}, acting_user=owner)
    with pytest.raises(PermissionRefused):
        services.change_workspace(cast.workspace, gpu_limit=8, acting_user=owner)
