"""Fixtures: MLflow and web as processes, projects, runs that live."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Run
from jobs.tokens import new_run_token
from modelwright.accounts.models import User
from modelwright.accounts.permissions import ProjectRole, WorkspaceRole
from modelwright.compute.models import GIB, Workload
from modelwright.core.crypto import token_digest
from projects.models import Project, ProjectMembership
from tests.jobs.servers import Mlflow, mlflow_running, web_running
from workspaces.models import Membership, Workspace

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def mlflow_server() -> Iterator[Mlflow]:
    """A real MLflow server on a Unix socket, whose path must stay short."""
    with tempfile.TemporaryDirectory(prefix="mwm-") as folder, mlflow_running(Path(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def _web(django_db_setup: None, mlflow_server: Mlflow) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="mwm-") as folder, web_running(Path(folder), mlflow_server) as url:
        yield url


@pytest.fixture
def web(_web: str, mlflow_server: Mlflow, settings: Any, transactional_db: None) -> str:
    """The address of a real web process over the test database, which therefore is written for real."""
    settings.MLFLOW_DATABASE_URL = mlflow_server.database_url
    settings.MLFLOW_SOCKET = str(mlflow_server.socket)
    settings.WEB_URL = _web
    return _web


MakeProject = Callable[..., Project]


@pytest.fixture
def make_project(db: None) -> MakeProject:
    """Make a project with members: `make_project("churn", ann="contributor")`."""

    def make(name: str, **roles: str) -> Project:
        workspace, _ = Workspace.objects.get_or_create(name="acme")
        project: Project = Project.objects.create(workspace=workspace, name=name)
        for username, role in roles.items():
            user = User.objects.get(username=username)
            member, _ = Membership.objects.get_or_create(
                workspace=workspace, user=user, defaults={"role": WorkspaceRole.MEMBER}
            )
            ProjectMembership.objects.create(
                project=project, user=user, workspace_membership=member, role=ProjectRole(role)
            )
        return project

    return make


@pytest.fixture
def live_run(db: None) -> Callable[[Project], tuple[Run, str]]:
    """A run row in the state running, with its tracking token; nothing executes."""

    def make(project: Project) -> tuple[Run, str]:
        token = new_run_token()
        workload = Workload.objects.create(
            kind=Workload.Kind.RUN,
            name="train",
            state="running",
            fence=1,
            cpu=1,
            memory_bytes=GIB,
            spec={"command": ["true"], "environment": {}},
            project_id=project.pk,
            created_by="tests",
        )
        run = Run.objects.create(
            project=project,
            name="train",
            number=Run.objects.filter(project=project).count() + 1,
            commit=COMMIT,
            script="train.py",
            workload=workload,
            token_digest=token_digest(token),
            trigger=Run.Trigger.HAND,
        )
        return run, token

    return make


@pytest.fixture
def tracking_files(mlflow_server: Mlflow, settings: Any) -> Path:
    """The folder of MLflow's artifacts, which the settings then name."""
    settings.MLFLOW_ARTIFACTS_DIR = mlflow_server.artifacts
    return mlflow_server.artifacts
