"""What the tests of the rooms under `models/` share: a real MLflow server, people with roles, an environment."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from models.registry import snapshots
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.permissions import ProjectRole, WorkspaceRole
from modelwright.compute import environment_results, handing_in, placement, services, watcher
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.environments.build import READY
from modelwright.compute.layout import environments_folder
from modelwright.compute.models import Environment, EnvironmentRequest, Host, Workload
from modelwright.local.mlflow_server import MlflowServer
from modelwright.local.process import start, wait_until
from modelwright.storage.settings import blob_store
from projects.models import Project, ProjectMembership
from tests.gateway.environment import model, model_environment, python
from workspaces.models import Membership, Workspace

PATIENCE_SECONDS = 120
LONGEST_PAUSE = 5  # times the first one


def make_project(name: str = "churn", workspace: str = "acme", **people: str) -> Project:
    """A project with members: `make_project("churn", ann="contributor")` of people who exist."""
    room, _ = Workspace.objects.get_or_create(name=workspace)
    project: Project = Project.objects.create(workspace=room, name=name)
    for username, role in people.items():
        user = User.objects.get(username=username)
        member, _ = Membership.objects.get_or_create(workspace=room, user=user, defaults={"role": WorkspaceRole.MEMBER})
        ProjectMembership.objects.create(
            project=project, user=user, workspace_membership=member, role=ProjectRole(role)
        )
    return project


def ready_environment() -> EnvironmentRequest:
    """An environment of this host in which the test models can be loaded."""
    digest = "e" * 64
    environments_folder().mkdir(parents=True, exist_ok=True)
    link = environments_folder() / digest
    if not link.is_symlink():
        link.symlink_to(model_environment())
        (link / READY).touch()
    environment, _ = Environment.objects.get_or_create(
        lock_digest=digest, defaults={"lock": "", "python_version": "3.11"}
    )
    request, _ = EnvironmentRequest.objects.get_or_create(
        requirements_digest="d" * 64,
        python_version="3.11",
        defaults={"kind": "requirements.txt", "state": "ready", "environment": environment},
    )
    return request


def ready_version(project: Project, model_name: str = "one", name: str = "wine", number: int = 1) -> ModelVersion:
    """A version that may be deployed, of one of the test models, as the importer would have made it."""
    snapshot = snapshots.take(blob_store(), model(model_name))
    registered, _ = RegisteredModel.objects.get_or_create(project=project, name=name)
    version: ModelVersion = ModelVersion.objects.create(
        model=registered,
        number=number,
        state="ready",
        source="models:/m-0",
        manifest_digest=snapshot.manifest_digest,
        artifact_digest=snapshot.artifact_digest,
        size=snapshot.manifest.size,
        flavor=snapshot.described.flavor,
        signature=snapshot.described.signature,
        example=snapshot.example,
        environment_request=ready_environment(),
        algorithm_name="LogisticRegression",
    )
    return version


def wait_for(condition: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS, pause: float = 0.05) -> Any:
    """The first true value of `condition`, which may do work of its own; fails after `seconds`.

    It looks more and more seldom: looking takes processor time, mostly from what is waited for.
    """
    deadline = time.monotonic() + seconds
    longest = pause * LONGEST_PAUSE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)
        pause = min(pause * 1.2, longest)


def watch(host: Host, backend: LocalBackend) -> None:
    """One round of a host's watcher, without a worker: what is queued is placed and started here."""
    services.announce_host(
        name=host.name, cpu=host.cpu, memory_bytes=host.memory_bytes, acting_user=Actor.system("tests")
    )
    for workload_id in Workload.objects.filter(state="queued").values_list("pk", flat=True):
        placement.place_and_start(workload_id, backend)
    watcher.tick(host, backend)
    handing_in.tick_runs(backend)
    handing_in.tick_others(backend)
    environment_results.collect()


@dataclass(frozen=True)
class Tracking:
    """A running MLflow server: its database, its files, and an address that a client can use."""

    database_url: str
    artifacts: Path
    url: str

    def add_workspace(self, name: str) -> None:
        """What the platform does for a new project."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("INSERT INTO workspaces (name) VALUES (%s) ON CONFLICT DO NOTHING", [name])

    def client(self, workspace: str, code: str) -> str:
        """Run `code` in the test models' environment against this server; what it printed."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/tmp"),
            "MLFLOW_TRACKING_URI": self.url,
            "MLFLOW_WORKSPACE": workspace,
            "MLFLOW_EXPERIMENT_NAME": "train",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
            "MODELS": str(model_environment() / "models"),
        }
        result = subprocess.run(
            [python(), "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stderr
        return result.stdout


@contextmanager
def tracking_server(folder: Path, database: str) -> Iterator[Tracking]:
    """A real MLflow server over a database of its own."""
    url = os.environ["MLFLOW_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {database}".encode())
    head, _, query = url.partition("?")
    server = MlflowServer(f"{head.rpartition('/')[0]}/{database}?{query}", folder / "artifacts", folder / "m.sock")
    server.artifacts.mkdir()
    child = start(server.program(dict(os.environ)), folder / "mlflow.log")
    try:
        wait_until(child.program.ready, child, 280)
        with _reachable(server.socket) as address:
            yield Tracking(server.database_url, server.artifacts, address)
    finally:
        child.ask_to_stop()
        child.wait_or_kill(20)


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A TCP port of the loopback address that leads to the Unix socket."""
    loop = asyncio.new_event_loop()
    ready: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: loop.run_until_complete(_forward(path, ready)), daemon=True)
    thread.start()
    wait_for(lambda: "port" in ready, seconds=30)
    yield f"http://127.0.0.1:{ready['port']}"
    loop.call_soon_threadsafe(ready["stop"].set)
    thread.join(10)


async def _forward(path: Path, ready: dict[str, Any]) -> None:
    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(str(path))
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    ready["stop"] = asyncio.Event()
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    ready["port"] = server.sockets[0].getsockname()[1]
    await ready["stop"].wait()
    server.close()
