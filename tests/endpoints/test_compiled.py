"""A version is compiled in a workload, proved equal, and takes over from the original under load, and back."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.test import Client

from models.endpoints import changing, routes, selectors, services
from models.endpoints.models import Endpoint, Replica
from models.endpoints.paths import path_of
from models.registry import compilation, compiling
from models.registry.models import CompiledModel, ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.compute.environments.build import READY
from modelwright.compute.layout import environments_folder
from modelwright.compute.models import Environment, EnvironmentRequest
from modelwright.compute.services import DEFAULT_PYTHON
from modelwright.core.errors import Conflict, NotFound
from modelwright.storage.manifests import Entry, Manifest
from modelwright.storage.settings import blob_store
from projects.models import Project
from tests.endpoints.test_reconciler import Load, Turn, settle
from tests.gateway.processes import RECORD, Gateway
from tests.models_support import ready_version, wait_for
from tests.runtime.formats import environments

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


def has_converters(requirements: str) -> EnvironmentRequest:
    """A request for these requirements that was built: the environment in which tests compile."""
    link = environments_folder() / ("c" * 64)
    environments_folder().mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(environments.environment("tables"))
        (link / READY).touch()
    environment, _ = Environment.objects.get_or_create(
        lock_digest="c" * 64, defaults={"lock": "", "python_version": "3.11"}
    )
    digest = hashlib.sha256(f"requirements.txt\n{requirements}".encode()).hexdigest()
    made: EnvironmentRequest = EnvironmentRequest.objects.create(
        requirements_digest=digest,
        python_version=DEFAULT_PYTHON,
        kind="requirements.txt",
        requirements=requirements,
        state="ready",
        environment=environment,
    )
    return made


@pytest.fixture
def version(project: Project, data: Any) -> ModelVersion:
    """A version that is ready, with environments for compiling and for serving what was compiled."""
    made = ready_version(project)
    assert made.environment_request is not None
    has_converters(compilation.requirements_with_converters(made.environment_request))
    has_converters(compilation.serving_requirements("1.32.0"))
    return made


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


def served_by(endpoint: Endpoint) -> str:
    return str(routes.published()[endpoint.path]["targets"][0]["served_by"])


def test_a_compiled_model_takes_over_once_it_is_proved_equal_and_gives_way_again_without_a_failed_request(
    endpoint: Endpoint, version: ModelVersion, ann: User, turn: Turn, gateway: Gateway
) -> None:
    actor = Actor.person(ann)
    _, key = services.create_key(endpoint, name="load", acting_user=actor)
    assert settle(services.deploy(endpoint, model_version=version, acting_user=actor), turn) == "live"
    before = gateway.predict(RECORD, key=key).json()
    # Compiling takes most of the time, and shares the processors with the load.
    with Load(gateway, key, pause=0.05) as load:

        def compiled() -> bool:
            compilation.tick()
            turn()
            return CompiledModel.objects.exclude(state__in=("pending", "compiling")).exists()

        wait_for(compiled, seconds=300)
        made = CompiledModel.objects.get(version=version)
        assert made.state == "equal", made.reason
        assert made.proof["rows"] > 1500

        def answers_by(path: str) -> bool:
            turn()
            replicas = Replica.objects.filter(endpoint=endpoint, workload__finished_at=None)
            return served_by(endpoint) == path and list(replicas.values_list("served_by", flat=True)) == [path]

        wait_for(lambda: answers_by(f"onnx:{made.manifest_digest}"))
        after = gateway.predict(RECORD, key=key).json()
        assert after["predictions"] == before["predictions"]
        for name, value in before["probabilities"][0].items():
            assert after["probabilities"][0][name] == pytest.approx(value, abs=1e-9)
        live = selectors.live_deployment(endpoint)
        assert live is not None
        shown = selectors.answering(endpoint, live, list(selectors.replicas_of(endpoint)))[0]
        assert (shown.served_by, shown.is_as_wanted) == (made.served_by, True)
        assert "Proved equal" in shown.path.why

        changing.change_endpoint(endpoint, serving_path="original", acting_user=actor)
        wait_for(lambda: answers_by("original"))
    assert load.failures == []
    assert len(load.answers) > 20
    switched = AuditEvent.objects.filter(action=AuditAction.ENDPOINT_PATH_SWITCHED).order_by("pk")
    assert [(event.after or {})["served_by"] for event in switched] == [made.served_by, "original"]
    assert "set to answer by the original" in switched[1].reason
    recorded = {record["served_by"] for record in gateway.recorded()}
    assert recorded == {"original", made.served_by}
    with pytest.raises(Conflict):
        compiling.compile_again(version, acting_user=actor)


def test_where_the_compiled_model_does_not_start_the_original_answers_and_the_page_says_why(
    endpoint: Endpoint, version: ModelVersion, ann: User, turn: Turn, gateway: Gateway, client: Client
) -> None:
    person, actor = client, Actor.person(ann)
    store = blob_store()
    broken = store.put_bytes(b"this is no model")
    manifest = Manifest((Entry("model.onnx", broken.size, broken.sha256),))
    CompiledModel.objects.create(
        version=version,
        state="equal",
        reason="Proved equal.",
        manifest_digest=store.put_bytes(manifest.content).sha256,
        environment_request=EnvironmentRequest.objects.get(requirements__startswith="onnxruntime=="),
        ended_at=version.created_at,
    )
    assert settle(services.deploy(endpoint, model_version=version, acting_user=actor), turn) == "live"
    assert served_by(endpoint) == "original"
    made = CompiledModel.objects.get(version=version)
    assert made.state == "failed"
    assert "its replica did not start" in made.reason
    assert "holds no compiled model" in made.reason
    live = selectors.live_deployment(endpoint)
    assert live is not None
    shown = selectors.answering(endpoint, live, list(selectors.replicas_of(endpoint)))[0]
    assert (shown.served_by, shown.path.why) == ("original", made.reason)
    person.force_login(ann)
    for page in (f"/endpoints/{endpoint.pk}/", f"/model-versions/{version.pk}/"):
        assert "its replica did not start" in person.get(page).content.decode()
    assert "No log" in person.get(f"/model-versions/{version.pk}/compilation/").content.decode()
    answer = person.get(f"/api/v1/endpoints/{endpoint.pk}/").json()
    assert answer["answering"][0]["wanted"] == "original"
    assert person.get(f"/api/v1/model-versions/{version.pk}/").json()["compiled"]["state"] == "failed"
    again = compiling.compile_again(version, acting_user=actor)
    assert (again.state, again.manifest_digest) == ("pending", "")


def test_what_is_not_ready_or_of_another_flavour_is_not_compiled(version: ModelVersion, ann: User) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(flavor="pyfunc")
    compilation.note_new()
    assert not CompiledModel.objects.exists()
    ModelVersion.objects.filter(pk=version.pk).update(flavor="sklearn", state="failed")
    compilation.note_new()
    assert not CompiledModel.objects.exists()
    ModelVersion.objects.filter(pk=version.pk).update(state="ready")
    version.refresh_from_db()
    with pytest.raises(NotFound):
        compiling.compile_again(version, acting_user=Actor.person(User.objects.create(username="stranger")))
    compilation.note_new()
    assert CompiledModel.objects.get().state == "pending"


def test_what_a_compiled_model_runs_in_is_built_again_where_that_failed(
    endpoint: Endpoint, version: ModelVersion, ann: User
) -> None:
    request = EnvironmentRequest.objects.get(requirements__startswith="onnxruntime==")
    CompiledModel.objects.create(version=version, state="equal", manifest_digest="a" * 64, environment_request=request)
    assert path_of(endpoint, version).is_compiled
    EnvironmentRequest.objects.filter(pk=request.pk).update(state="failed", error="The index was not reached.")
    version = ModelVersion.objects.get(pk=version.pk)
    path = path_of(endpoint, version)
    assert (path.is_compiled, "The index was not reached." in path.why) == (False, True)
    again = compiling.compile_again(version, acting_user=Actor.person(ann))
    assert again.state == "equal"
    assert again.environment_request is not None
    assert again.environment_request.state == "building"


def test_it_is_compiled_in_exactly_its_own_packages_and_the_converters() -> None:
    second = "scikit-learn==1.9.1 ; python_version >= '3.11' \\\n    --hash=sha256:bb\n"
    lock = f"numpy==2.4.6 \\\n    --hash=sha256:aa\n{second}"
    environment = Environment(lock=lock, python_version="3.11.7")
    request = EnvironmentRequest(environment=environment, requirements="scikit-learn\n")
    assert compilation.requirements_with_converters(request).splitlines() == [
        "numpy==2.4.6",
        "scikit-learn==1.9.1 ; python_version >= '3.11'",
        *compilation.CONVERTERS,
        compilation.BORROWED,
    ]
    environment.lock = "xgboost==3.2.0\nonnx==1.19.0\n"
    lines = compilation.requirements_with_converters(request).splitlines()
    assert lines == ["xgboost==3.2.0", "onnx==1.19.0", compilation.CONVERTERS[1]]
