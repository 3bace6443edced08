"""Endpoints ask for a size; with GPUs their replicas have whole ones, reserved by index."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from models.endpoints import reconciler, services
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint, Replica
from models.endpoints.paths import path_of
from models.registry.models import CompiledModel, ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import placement
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Cause
from modelwright.compute.backends.docker import DockerConfig
from modelwright.compute.gpus import Gpu
from modelwright.compute.models import GIB, ResourceProfile
from modelwright.compute.specs import make_spec
from modelwright.core.errors import QuotaExceeded, ValidationFailed
from modelwright.storage import manifests
from modelwright.storage.settings import blob_store
from projects.models import Project
from tests.compute.backends_support import script, wait_for_end
from tests.compute.kinds import DockerInTests
from tests.compute.test_docker_gpus import INSTANCE, LOOK
from tests.compute.test_docker_gpus import address as played_gpus  # noqa: F401 - a fixture
from tests.models_support import ready_environment

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")


@pytest.fixture(autouse=True)
def sizes() -> None:
    """A size with a GPU, and one that no host has."""
    one = {"cpu": 2, "memory_bytes": 4 * GIB, "gpus": 1, "labels": {"gpu": "h100"}}
    ResourceProfile.objects.create(name="one-gpu", **one)
    ResourceProfile.objects.create(name="eight-gpus", **{**one, "gpus": 8})


@pytest.fixture(autouse=True)
def gpu_host(settings: Any, data: Path) -> None:
    """This host, with two GPUs of which the first is broken."""
    gpus = [Gpu(0, problem="It does not answer."), Gpu(1)]
    compute.announce_host(
        name=settings.HOST_NAME, cpu=8, memory_bytes=16 * GIB, gpus=gpus, labels={"gpu": "h100"}, acting_user=SYSTEM
    )


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    """An endpoint of ann's."""
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


@pytest.fixture
def version(project: Project, data: Path, tmp_path: Path) -> ModelVersion:
    """A version with files and an environment."""
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    made: ModelVersion = ModelVersion.objects.create(
        model=RegisteredModel.objects.create(project=project, name="wine"),
        number=1,
        state="ready",
        source="x",
        manifest_digest=manifests.snapshot(blob_store(), tmp_path)[0],
        size=1000,
        environment_request=ready_environment(),
    )
    return made


def test_the_size_with_gpus_reaches_the_replicas_reservation(
    endpoint: Endpoint, version: ModelVersion, ann: User
) -> None:
    changed = change_endpoint(endpoint, profile="one-gpu", acting_user=Actor.person(ann))
    assert (changed.cpu, changed.gpus, changed.labels, changed.profile) == (2, 1, {"gpu": "h100"}, "one-gpu")
    event = AuditEvent.objects.get(action="endpoint.changed")
    assert ((event.before or {})["gpus"], (event.after or {})["gpus"]) == (0, 1)
    services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))
    reconciler.tick()
    workload = Replica.objects.get().workload
    assert (workload.gpus, workload.labels, workload.cpu) == (1, {"gpu": "h100"}, 2)
    placement.place_queue()
    workload.refresh_from_db()
    assert (workload.state, workload.gpu_indexes) == ("placed", [1])
    assert make_spec(workload).gpus == (1,)
    # The only GPU is taken: a second replica waits, and says for what.
    change_endpoint(endpoint, min_replicas=2, max_replicas=2, acting_user=Actor.person(ann))
    reconciler.tick()
    placement.place_queue()
    waiting = Replica.objects.exclude(workload=workload).get().workload
    assert waiting.state == "queued"
    assert "GPU" in waiting.waiting_reason


@pytest.mark.slow
def test_the_container_of_a_replica_has_the_device_that_was_reserved(
    endpoint: Endpoint,
    version: ModelVersion,
    ann: User,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """On an engine whose hook plays two GPUs: what was reserved for it, with a command that looks for devices."""
    change_endpoint(endpoint, profile="one-gpu", acting_user=Actor.person(ann))
    services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))
    reconciler.tick()
    placement.place_queue()
    workload = Replica.objects.get().workload
    spec = script(LOOK, gpus=make_spec(workload).gpus)
    engine = DockerInTests(
        DockerConfig(root=tmp_path / "w", instance=INSTANCE, engine=request.getfixturevalue("played_gpus"))
    )
    try:
        engine.start(spec)
        status = wait_for_end(engine, spec.key)
        assert (status.cause, engine.log_path(spec.key).read_text()) == (Cause.SUCCEEDED, "['/dev/nvidia1']\n")
    finally:
        engine.close()


def test_with_gpus_the_original_model_answers(endpoint: Endpoint, version: ModelVersion, ann: User) -> None:
    compiled = CompiledModel(version=version, state="equal", environment_request=version.environment_request)
    assert path_of(endpoint, version, compiled).is_compiled
    changed = change_endpoint(endpoint, profile="one-gpu", acting_user=Actor.person(ann))
    path = path_of(changed, version, compiled)
    assert (path.served_by, "GPUs" in path.why) == ("original", True)


def test_a_size_that_is_unknown_or_that_no_host_could_hold_is_refused(endpoint: Endpoint, ann: User) -> None:
    with pytest.raises(ValidationFailed, match="no size called") as unknown:
        change_endpoint(endpoint, profile="huge", acting_user=Actor.person(ann))
    assert "one-gpu" in unknown.value.remedy
    with pytest.raises(QuotaExceeded):
        change_endpoint(endpoint, profile="eight-gpus", acting_user=Actor.person(ann))
    endpoint.refresh_from_db()
    assert (endpoint.gpus, endpoint.profile) == (0, "")


def test_rest_and_the_page_choose_a_size_and_take_it_back(
    endpoint: Endpoint, ann: User, api: Any, browser_client: Callable[[User], Client]
) -> None:
    rest = api(ann)
    path = f"/api/v1/endpoints/{endpoint.pk}/"
    changed = rest.patch(path, {"profile": "one-gpu"}, content_type="application/json")
    assert changed.status_code == 200, changed.content
    assert (changed.json()["profile"], changed.json()["gpus"], changed.json()["cpu"]) == ("one-gpu", 1, 2)
    assert rest.patch(path, {"profile": "huge"}, content_type="application/json").status_code == 422
    person = browser_client(ann)
    page = person.get(f"/endpoints/{endpoint.pk}/settings/").content.decode()
    assert re.search(r'<option value="one-gpu"\s+selected>\s*one-gpu: 2 CPUs?, 4 GiB and 1 GPU', page), page
    form = {"description": "", "stage": "lab", "serving_path": "auto", "profile": ""}
    assert person.post(f"/endpoints/{endpoint.pk}/settings/", form).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.gpus, endpoint.labels, endpoint.cpu, endpoint.profile) == (0, {}, 0.25, "")
