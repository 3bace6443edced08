"""Fixtures: MLflow and web as processes, projects, runs that live."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Run
from jobs.tokens import new_run_token
from modelwright.accounts.models import User
from modelwright.accounts.permissions import ProjectRole, WorkspaceRole
from modelwright.compute.environments.build import READY
from modelwright.compute.layout import environment_folder
from modelwright.compute.models import GIB, Environment, EnvironmentRequest, ResourceProfile, Workload
from modelwright.compute.services import DEFAULT_PYTHON
from modelwright.core.crypto import token_digest
from modelwright.core.ids import new_id
from projects import source
from projects.models import Project, ProjectMembership
from tests.jobs.servers import Mlflow, mlflow_running, web_running
from workspaces.models import Membership, Workspace

MANIFEST = """
name: churn
steps:
  - name: ingest
    script: train.py
    arguments: ["--rows", 100]
    profile: small
    timeout: 10m
  - name: train
    script: train.py
    inputs: [ingest]
"""
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


def give_roles(project: Project, **roles: str) -> None:
    """Make people members: `give_roles(project, ann="contributor")`."""
    for username, role in roles.items():
        user = User.objects.get(username=username)
        member, _ = Membership.objects.get_or_create(
            workspace=project.workspace, user=user, defaults={"role": WorkspaceRole.MEMBER}
        )
        ProjectMembership.objects.create(
            project=project, user=user, workspace_membership=member, role=ProjectRole(role)
        )


@pytest.fixture
def make_project(db: None) -> MakeProject:
    """Make a project with members: `make_project("churn", ann="contributor")`."""

    def make(name: str, **roles: str) -> Project:
        workspace, _ = Workspace.objects.get_or_create(name="acme")
        project: Project = Project.objects.create(workspace=workspace, name=name)
        give_roles(project, **roles)
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


CommitFiles = Callable[..., str]


@pytest.fixture
def commit_files(db: None) -> CommitFiles:
    """Commit files to a project: `commit_files(project, {"train.py": "print(1)"})`; the commit's id."""

    def commit(project: Project, files: dict[str, str | None]) -> str:
        source.init_repository(project)
        changes = {path: None if text is None else text.encode() for path, text in files.items()}
        return source.commit_files(
            project,
            changes,
            message="Change",
            author=source.Author("Tests", "tests@localhost"),
            expected_head=source.head(project),
        )

    return commit


@pytest.fixture
def platform_python(db: None) -> Environment:
    """The environment of an empty requirements file, ready already: the interpreter that runs these tests."""
    environment = Environment.objects.create(lock_digest=new_id().hex, lock="", python_version="3.11")
    EnvironmentRequest.objects.create(
        requirements_digest=hashlib.sha256(b"requirements.txt\n").hexdigest(),
        python_version=DEFAULT_PYTHON,
        kind="requirements.txt",
        state="ready",
        environment=environment,
        ready_at=timezone.now(),
        reason="Made by the tests.",
    )
    folder = environment_folder(environment)
    (folder / "bin").mkdir(parents=True)
    (folder / READY).touch()
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} -W ignore "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    return environment


@pytest.fixture(autouse=True)
def profiles(request: pytest.FixtureRequest) -> None:
    """The sizes that a migration made; tests that write for real empty every table after them."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        request.getfixturevalue("db")
        for name, cpu, gib in (("small", 0.5, 1), ("medium", 1.0, 2)):
            ResourceProfile.objects.get_or_create(name=name, defaults={"cpu": cpu, "memory_bytes": gib * GIB})


@pytest.fixture
def project(make_project: MakeProject, commit_files: CommitFiles) -> Project:
    """A project with one script and a manifest with two steps."""
    made = make_project("churn")
    commit_files(made, {"train.py": "print('trained')\n", "modelwright.yaml": MANIFEST})
    return made
