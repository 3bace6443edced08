"""Fixtures: a platform in small, a version that is scored with, and a real web server that scoring processes ask."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.batch import collecting, services
from models.batch.models import BatchJob
from models.batch.sources import Wanted
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Cause, Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host, ResourceProfile
from projects.models import Project
from tests.batch.environment import scoring_environment
from tests.jobs.servers import Mlflow, web_running
from tests.models_support import make_project, ready_version, wait_for, watch

StartJob = Callable[..., BatchJob]


@pytest.fixture(scope="session")
def _data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mwb-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "s").mkdir()
        yield Path(folder)


@pytest.fixture
def data(settings: Any, _data: Path) -> Path:
    """A data directory of the room's own."""
    settings.DATA_DIR = _data
    settings.SOCKETS_DIR = _data / "s"
    return _data


@pytest.fixture(scope="session")
def _web(django_db_setup: None, _data: Path) -> Iterator[str]:
    secret = Path(os.environ["MODELWRIGHT_DATA_DIR"]) / "secrets" / "secret-key"
    variables = {
        "MODELWRIGHT_DATA_DIR": str(_data),
        "MODELWRIGHT_SECRET_KEY_FILE": os.environ.get("MODELWRIGHT_SECRET_KEY_FILE", str(secret)),
    }
    with web_running(_data, Mlflow("", _data / "none", _data), variables) as address:
        yield address


@pytest.fixture
def web(_web: str, transactional_db: None) -> str:
    """The address of a real web process over the test database, which therefore is written for real."""
    return _web


@pytest.fixture
def backend(data: Path) -> Iterator[LocalBackend]:
    """This host's backend; what is left running is killed."""
    made = local_backend()
    yield made
    for status in made.list():
        if status.phase is not Phase.ENDED:
            made.stop(status.key, cause=Cause.CANCELLED)
    wait_for(lambda: all(status.phase is Phase.ENDED for status in made.list()), seconds=60)


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    """A contributor of the project."""
    return make_user("ann")


@pytest.fixture
def project(ann: User, data: Path) -> Project:
    """A project of ann's."""
    ResourceProfile.objects.get_or_create(name="medium", defaults={"cpu": 1.0, "memory_bytes": 2 * GIB})
    return make_project("wine", ann="contributor")


@pytest.fixture
def version(project: Project) -> ModelVersion:
    """A version that runs in an environment with all that scoring takes."""
    made = ready_version(project)
    made.environment_request = scoring_environment()
    made.save(update_fields=["environment_request"])
    return made


@pytest.fixture
def start(project: Project, version: ModelVersion, ann: User) -> StartJob:
    """Start a job over a file's content: `start("alcohol,…", key_columns=["id"])`."""

    def make(content: bytes | str | None = None, *, name: str = "wine.csv", **changes: Any) -> BatchJob:
        actor = Actor.person(ann)
        if content is not None:
            data = content.encode() if isinstance(content, str) else content
            made = services.add_input(project, name=name, stream=io.BytesIO(data), acting_user=actor)
            changes["source"] = Wanted("upload", input=made.pk)
        request = services.BatchRequest(**{"model_version": version, **changes})
        return services.start(project, request, acting_user=actor)

    return make


@pytest.fixture
def turn(backend: LocalBackend, web: str, settings: Any) -> Callable[[], None]:
    """One round of this host's watcher and of the tick that looks after batch jobs."""
    settings.WEB_URL = web
    host: Host = compute.announce_host(name="test-host", cpu=8, memory_bytes=16 * GIB, acting_user=Actor.system("t"))
    settings.HOST_NAME = host.name

    def once() -> None:
        watch(host, backend)
        collecting.collect()

    return once


@pytest.fixture
def finish(turn: Callable[[], None]) -> Callable[[BatchJob], BatchJob]:
    """Turn the loops until the job is over; the job as it then is."""

    def until_over(job: BatchJob) -> BatchJob:
        def is_over() -> bool:
            turn()
            job.refresh_from_db()
            return not job.is_live

        wait_for(is_over)
        return job

    return until_over
