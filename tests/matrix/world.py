"""A small world for the matrix: people in each role, and one of everything that an address can name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils import timezone

from models.endpoints.models import Deployment
from models.predictions.models import Prediction
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import ApiToken, User
from modelwright.accounts.services import create_token, create_user
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import GIB, Environment, Host, ResourceProfile, Workload
from modelwright.compute.services import create_join_token
from projects import services as project_services
from projects import source
from projects.models import Project
from projects.source.git import run
from projects.variables.services import set_variable
from tests.matrix.approvals import add_approvals
from tests.matrix.batch import add_batch
from tests.matrix.events import add_sink
from tests.matrix.imports import add_imports
from tests.matrix.replays import add_replays
from tests.matrix.rollouts import add_rollouts
from tests.matrix.sessions import add_sessions
from tests.matrix.things import add_jobs, add_models
from workspaces import services as workspace_services
from workspaces.connection_services import create_data_connection

ROLES = (
    "anonymous",
    "stranger",
    "workspace-member",
    "viewer",
    "operator",
    "contributor",
    "project-admin",
    "workspace-admin",
    "auditor",
    "site-admin",
)
PASSWORD = "correct horse battery staple"
SYSTEM = Actor.system("tests")


@dataclass
class World:
    """People by role, their tokens, and the values of the variables in addresses."""

    people: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    # Values that differ by role: one's own token.
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    branch: Path | None = None
    # References that asking moves, with what they hold.
    references: dict[Path, str] = field(default_factory=dict)

    def restore_branch(self) -> None:
        """Take back what was committed: a database that is rolled back does not roll back Git."""
        if self.branch is not None and self.branch.read_text().strip() != self.values["sha"]:
            self.branch.write_text(f"{self.values['sha']}\n")
        for path, commit in self.references.items():
            if not path.exists() or path.read_text().strip() != commit:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{commit}\n")

    def values_for(self, role: str) -> dict[str, Any]:
        """The values of the variables in addresses, as `role` would use them."""
        return {**self.values, **self.own.get(role, {})}


def build() -> World:
    """Make the world. It needs a database and a data directory, nothing else."""
    world = World()
    for role in ROLES[1:]:
        user = create_user(
            username=role,
            password=PASSWORD,
            is_site_admin=role == "site-admin",
            is_auditor=role == "auditor",
            acting_user=SYSTEM,
        )
        world.people[role] = user
        _, world.tokens[role] = create_token(name="matrix", acting_user=Actor.person(user))
        spare: ApiToken = create_token(name="spare", acting_user=Actor.person(user))[0]
        world.own[role] = {"token_id": spare.pk}
    # As if they had been used a moment ago, which is otherwise noted with each request that is rolled back.
    ApiToken.objects.update(last_used_at=timezone.now())
    world.own["anonymous"] = world.own["stranger"]
    # Whom roles are given to and taken from, so that nobody who asks loses their own.
    world.people["target"] = create_user(username="target", password=PASSWORD, acting_user=SYSTEM)
    world.values["user_id"] = world.people["target"].pk
    world.values["username"] = "target"
    _compute(world)
    join_token, world.values["join_token"] = create_join_token(acting_user=Actor.person(world.people["site-admin"]))
    world.values["join_token_id"] = join_token.pk
    project = _workspace(world)
    world.values |= add_jobs(project)
    world.values |= add_models(project)
    world.values |= add_batch(project, ModelVersion.objects.get(pk=world.values["version_id"]))
    world.values |= add_replays(
        Prediction.objects.get(pk=world.values["prediction_id"]),
        Deployment.objects.get(pk=world.values["deployment_id"]),
        ModelVersion.objects.get(pk=world.values["version_id"]),
    )
    world.values |= add_rollouts(project, ModelVersion.objects.get(pk=world.values["version_id"]))
    version = ModelVersion.objects.get(pk=world.values["version_id"])
    world.values |= add_approvals(version, world.people["target"], world.people["contributor"])
    world.values |= add_sink(project)
    world.values |= add_imports(project, world.people["contributor"])
    sessions, world.references = add_sessions(project, world.people["contributor"], world.people["site-admin"])
    world.values |= sessions
    world.values["event_id"] = AuditEvent.objects.latest("id").pk
    return world


def _workspace(world: World) -> Project:
    workspace = workspace_services.create_workspace(name="acme", acting_user=SYSTEM)
    for role in ("workspace-member", "viewer", "operator", "contributor", "project-admin", "target"):
        workspace_services.set_member(workspace, world.people[role], role="member", acting_user=SYSTEM)
    workspace_services.set_member(workspace, world.people["workspace-admin"], role="admin", acting_user=SYSTEM)
    connection = create_data_connection(
        workspace, name="lake", kind="http", config={"url": "https://example.org/data"}, acting_user=SYSTEM
    )
    project = project_services.create_project(workspace, name="churn", prototype="iris", acting_user=SYSTEM)
    roles = {"viewer": "viewer", "operator": "operator", "contributor": "contributor", "project-admin": "admin"}
    for role, given in {**roles, "target": "viewer"}.items():
        project_services.set_member(project, world.people[role], role=given, acting_user=SYSTEM)
    first = source.check_commit(project, None)
    run(source.repository_path(project), ["update-ref", "refs/tags/start", first])
    _add_graph(project)
    set_variable(project, name="THRESHOLD", value="1", is_secret=False, acting_user=SYSTEM)
    world.values |= {
        "workspace_id": workspace.pk,
        "connection_id": connection.pk,
        "project_id": project.pk,
        "sha": source.head(project),
        "first_sha": first,
        "name": "THRESHOLD",
        "form": "csv",
    }
    world.branch = source.repository_path(project) / "refs" / "heads" / project.default_branch
    return project


def _add_graph(project: Project) -> None:
    """The project's file declares an inference graph of one node."""
    head = source.check_commit(project, None)
    content = source.read_file(project, head, "modelwright.yaml").data
    content += b"\ngraphs: {churn: {start: only, nodes: {only: {model: churn}}}}\n"
    author = source.Author("tests", "tests@example.org")
    source.commit_files(project, {"modelwright.yaml": content}, message="A graph", author=author, expected_head=head)


def _compute(world: World) -> None:
    # The migration made these, but a test with real commits empties every table when it ends.
    for name, cpu, gib in (("small", 0.5, 1), ("medium", 1.0, 2)):
        ResourceProfile.objects.get_or_create(name=name, defaults={"cpu": cpu, "memory_bytes": gib * GIB})
    host = Host.objects.create(name="host-a", cpu=4, memory_bytes=8 * GIB)
    environment = Environment.objects.create(lock_digest="0" * 64, lock="# nothing", python_version="3.11")
    workload = Workload.objects.create(
        kind=Workload.Kind.RUN, name="w", cpu=1, memory_bytes=GIB, spec={"command": ["true"]}, created_by="tests"
    )
    profile = ResourceProfile.objects.create(name="unused", cpu=1, memory_bytes=GIB)
    world.values |= {"profile_id": profile.pk}
    world.values |= {"host_id": host.pk, "environment_id": environment.pk, "workload_id": workload.pk}
