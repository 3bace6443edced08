"""A project with people in each role, and a data directory of the test's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import ProjectRole, WorkspaceRole
from projects.models import Project
from projects.services import create_project, set_member
from tests.conftest import MakeUser
from workspaces.models import Workspace
from workspaces.services import create_workspace
from workspaces.services import set_member as set_workspace_member


@dataclass(frozen=True)
class Cast:
    """People around one project of one workspace."""

    workspace: Workspace
    project: Project
    owner: User
    boss: User
    contributor: User
    operator: User
    viewer: User
    bystander: User
    stranger: User
    auditor: User
    admin: User

    def person(self, role: str) -> User:
        """The person in a role."""
        user = getattr(self, role)
        assert isinstance(user, User)
        return user


@pytest.fixture(autouse=True)
def data_directory(settings: Any, tmp_path: Path) -> Path:
    """Repositories of this test lie in a folder of its own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def cast(make_user: MakeUser, admin: User, auditor: User, stranger: User) -> Cast:
    """The project `churn` of the workspace `lab`, made by `owner`, with a member in every role.

    `boss` administers the workspace, `bystander` is a member of the workspace only.
    """
    system = Actor.system("tests")
    workspace = create_workspace(name="lab", acting_user=system)
    people = {name: make_user(name) for name in ("boss", "owner", "contributor", "operator", "viewer", "bystander")}
    for name, user in people.items():
        in_workspace = WorkspaceRole.ADMIN if name == "boss" else WorkspaceRole.MEMBER
        set_workspace_member(workspace, user, role=in_workspace, acting_user=system)
    owner = Actor.person(people["owner"])
    project = create_project(workspace, name="churn", prototype="iris", acting_user=owner)
    for role in (ProjectRole.CONTRIBUTOR, ProjectRole.OPERATOR, ProjectRole.VIEWER):
        set_member(project, people[role], role=role, acting_user=owner)
    return Cast(workspace=workspace, project=project, admin=admin, auditor=auditor, stranger=stranger, **people)
