"""A workspace with people in each role."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import WorkspaceRole
from tests.conftest import MakeUser
from workspaces.models import Workspace
from workspaces.services import create_workspace, set_member


@dataclass(frozen=True)
class Cast:
    """People around one workspace."""

    workspace: Workspace
    owner: User
    member: User
    stranger: User
    auditor: User
    admin: User


@pytest.fixture
def cast(make_user: MakeUser, admin: User, auditor: User, stranger: User) -> Cast:
    """A workspace `lab` with an administrator and a member; a stranger, an auditor and a site administrator."""
    system = Actor.system("tests")
    workspace = create_workspace(name="lab", acting_user=system)
    owner, member = make_user("olga"), make_user("max")
    set_member(workspace, owner, role=WorkspaceRole.ADMIN, acting_user=system)
    set_member(workspace, member, role=WorkspaceRole.MEMBER, acting_user=system)
    return Cast(workspace, owner, member, stranger, auditor, admin)
