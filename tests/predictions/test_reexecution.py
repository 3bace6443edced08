"""Predictions made again by real workloads on their exact version; why some cannot be."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from models.endpoints import services as endpoint_services
from models.endpoints.models import Deployment
from models.endpoints.paths import Path as EndpointPath
from models.endpoints.paths import give_up
from models.predictions import reexecution
from models.predictions.answering import Path as AnsweringPath
from models.predictions.answering import path_of
from models.predictions.evidence import why_not
from models.predictions.models import Prediction, Reexecution
from models.predictions.receipts import receipt_of
from models.predictions.reexecution_services import start_reexecution
from models.registry.compiling import compile_again
from models.registry.models import CompiledModel, ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute import services as compute
from modelwright.compute.backends.base import Phase
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.layout import local_backend
from modelwright.compute.models import GIB, Host, Workload
from modelwright.core.errors import Conflict, NotFound, PermissionRefused
from modelwright.core.ids import new_id
from projects.models import Project, ProjectMembership
from tests.gateway.processes import RECORD
from tests.models_support import ready_version, wait_for, watch
from workspaces.models import Membership

Api = Callable[[User], Any]
PERSON = "ann"


@pytest.fixture
def data(settings: Any) -> Iterator[Path]:
    """A data directory of the test's own, with a short path."""
    with tempfile.TemporaryDirectory(prefix="mwf-", dir="/tmp") as folder:
        settings.DATA_DIR = Path(folder)
        yield Path(folder)


@pytest.fixture
def host(db: None) -> Host:
    return compute.announce_host(name="test-host", cpu=8, memory_bytes=16 * GIB, acting_user=Actor.system("tests"))


@pytest.fixture
def backend(data: Path) -> Iterator[LocalBackend]:
    made = local_backend()
    yield made
    for status in made.list():
        if status.phase is not Phase.ENDED:
            made.stop(status.key)


@pytest.fixture
def served(data: Path, project: Project, ann: User) -> Deployment:
    """A deployment of a real version."""
    version = ready_version(project)
    endpoint = endpoint_services.create_endpoint(project=project, name="tasting", acting_user=Actor.person(ann))
    return endpoint_services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))


@pytest.fixture
def predicted(served: Deployment) -> Callable[..., Prediction]:
    """A prediction of that deployment on record."""

    def make(**changes: Any) -> Prediction:
        version = ModelVersion.objects.get()
        facts = {
            "id": new_id(),
            "at": timezone.now(),
            "project_id": served.endpoint.project_id,
            "endpoint_id": served.endpoint_id,
            "deployment_id": served.pk,
            "model_version_id": version.pk,
            "inputs": [RECORD, {**RECORD, "malic_acid": None}],
            "outputs": ["one:0", "one:0"],
            "latency_ms": 2.0,
            "endpoint_name": "acme/tasting",
            "deployment_number": 1,
            "model_name": "wine",
            "version_number": 1,
            "rows": 2,
        }
        made: Prediction = Prediction.objects.create(**{**facts, **changes})
        return made

    return make


def act(ann: User) -> Actor:
    return Actor.person(ann)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_predictions_are_made_again_and_judged(
    api: Api, ann: User, host: Host, backend: LocalBackend, predicted: Any, browser_client: Callable[[User], Client]
) -> None:
    fitting, other = predicted(), predicted(outputs=["one:0", "one:2"])
    raising = predicted(inputs=[{**RECORD, "proline": "many"}])
    address = f"/api/v1/predictions/{fitting.pk}/reexecutions/"
    answer = api(ann).post(address)
    assert answer.status_code == 201, answer.json()
    assert answer.json()["state"] == "queued"
    assert api(ann).post(address).status_code == 409
    page = browser_client(ann)
    assert page.post(f"/predictions/{other.pk.hex}/reexecutions/").status_code == 302
    with pytest.raises(Conflict, match="does not fit the signature"):
        start_reexecution(raising, acting_user=act(ann))
    ModelVersion.objects.update(signature=None)
    # Without a signature nothing is checked, so the model itself gets what it cannot take.
    lacking = predicted(inputs=[{"alcohol": 1.0}])
    start_reexecution(lacking, acting_user=act(ann))

    def judged() -> bool:
        watch(host, backend)
        reexecution.tick()
        return not Reexecution.objects.filter(state__in=("queued", "running")).exists()

    wait_for(judged)
    same, different, failed = Reexecution.objects.order_by("id")
    assert (same.state, same.detail) == ("same", "All 2 records gave the same answer again, digit for digit.")
    assert same.outputs == ["one:0", "one:0"]
    assert same.probabilities is not None
    assert set(same.probabilities[0]) == {"one:0", "one:1", "one:2"}
    assert different.state == "different"
    assert "Record 1: the output was 'one:2' and is 'one:0'." in different.detail
    difference: Any = different.difference
    assert difference["records"] == 1
    assert (failed.state, "cannot predict the recorded input" in failed.detail) == ("failed", True)
    ends: Any = AuditEvent.objects.filter(action="reexecution.ended").values_list("after", flat=True)
    assert sorted(after["state"] for after in ends) == ["different", "failed", "same"]
    # The input is not kept with the workload: retention of the prediction is retention of it.
    assert all(each.spec["files"] == {} for each in Workload.objects.filter(kind="reexecution"))
    shown = page.get(f"/predictions/{other.pk.hex}/reexecutions/").content.decode()
    assert "Different answer" in shown
    assert "hx-trigger" not in shown
    listed = api(ann).get(address).json()["results"]
    assert [row["state"] for row in listed] == ["same"]
    assert api(ann).get(f"/api/v1/reexecutions/{same.pk}/").json()["outputs"] == ["one:0", "one:0"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": [{**RECORD, "region": {"redacted": "ab12"}}]}, "redacted"),
        ({"status": 502, "outputs": []}, "The model failed this request"),
        ({"model_version_id": new_id()}, "not there any more"),
        ({"served_by": "onnx:" + "a" * 64}, "onnx:"),
        ({"served_by": "graph:" + "a" * 64}, "An inference graph"),
        ({"served_by": "rule:" + "a" * 16}, "A rule answered"),
        ({"inputs": [{"unstorable": True}]}, "does not fit the signature"),
        ({"inputs": {"unstorable": True}}, "does not fit the signature"),
    ],
)
def test_what_cannot_be_made_again_says_why(
    ann: User, host: Host, predicted: Any, changes: dict[str, Any], words: str
) -> None:
    prediction = predicted(**changes)
    with pytest.raises(Conflict, match=words) as caught:
        start_reexecution(prediction, acting_user=act(ann))
    assert caught.value.remedy
    assert not Reexecution.objects.exists()


@pytest.mark.parametrize(
    ("served_by", "words"),
    [("graph:" + "a" * 64, "An inference graph"), ("rule:" + "a" * 16, "A rule answered"), ("original", "")],
)
def test_the_page_says_in_the_buttons_place_why_not(served_by: str, words: str) -> None:
    told = why_not(Prediction(status=200, served_by=served_by, inputs=[RECORD]))
    assert (bool(told), words in told) == (bool(words), True)


@pytest.mark.django_db
def test_what_a_compiled_model_answered_is_asked_of_that_one(ann: User, host: Host, predicted: Any) -> None:
    prediction = predicted(served_by="onnx:" + "c" * 64)
    version = ModelVersion.objects.get()
    request = version.environment_request
    compiled = CompiledModel.objects.create(
        version=version, state="equal", manifest_digest="c" * 64, environment_request=request
    )
    made = start_reexecution(prediction, acting_user=act(ann))
    command = made.workload.spec["command"]
    assert ("--model" in command, command[command.index("--compiled") + 1]) == (False, "{model:" + "c" * 64 + "}")
    assert made.workload.spec["models"] == ["c" * 64]
    assert made.served_by == compiled.served_by


@pytest.mark.django_db
def test_what_a_compiled_model_answered_stays_on_record_when_it_is_given_up_and_compiled_anew(
    ann: User, host: Host, predicted: Any
) -> None:
    version = ModelVersion.objects.get()
    ModelVersion.objects.filter(pk=version.pk).update(flavor="sklearn", state="ready")
    request = version.environment_request
    assert request is not None
    assert request.environment is not None
    facts = {"state": "equal", "size": 9, "environment_request": request}
    compiled = CompiledModel.objects.create(version=version, manifest_digest="c" * 64, **facts)
    first, second = predicted(served_by="onnx:" + "c" * 64), predicted(served_by="onnx:" + "d" * 64)
    known = AnsweringPath(True, "c" * 64, 9, request)
    give_up(EndpointPath(compiled.served_by, "", compiled), reason="No memory.", acting_user=act(ann))
    assert CompiledModel.objects.get().state == "failed"
    assert path_of(first.served_by, version) == known
    version.refresh_from_db()
    compile_again(version, acting_user=act(ann))
    assert path_of(first.served_by, version) == known
    CompiledModel.objects.update(manifest_digest="d" * 64, **facts)
    for prediction in (first, second):
        made = start_reexecution(prediction, acting_user=act(ann))
        assert made.workload.spec["models"] == [prediction.served_by.removeprefix("onnx:")]
    receipt = receipt_of(first)["payload"]
    assert receipt["environment"]["lock_sha256"] == request.environment.lock_digest
    assert path_of("onnx:", version) is path_of("onnx:" + "e" * 64, version) is None


@pytest.mark.django_db
def test_who_may_only_look_makes_nothing_again(host: Host, predicted: Any, stranger: User, make_user: Any) -> None:
    with pytest.raises(NotFound):
        start_reexecution(predicted(), acting_user=act(stranger))
    viewer, project = make_user("vic"), Project.objects.get()
    member = Membership.objects.create(workspace=project.workspace, user=viewer, role="member")
    ProjectMembership.objects.create(project=project, user=viewer, workspace_membership=member, role="viewer")
    with pytest.raises(PermissionRefused):
        start_reexecution(predicted(), acting_user=act(viewer))


@pytest.mark.django_db
def test_results_that_are_no_results_end_as_failed(
    ann: User, host: Host, predicted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = iter(
        [
            {"answer": {"predictions": 7}},
            {},
            {"answer": {"predictions": ["one:0", "\ud800\0"]}},
            {"error": "no \0 memory"},
        ]
    )
    monkeypatch.setattr(reexecution, "read_result", lambda *_: next(results))
    made = [start_reexecution(predicted(), acting_user=act(ann)) for _ in range(5)]
    gone = Prediction.objects.get(pk=made[4].prediction_id)
    now = timezone.now()
    for each in made[:4]:
        Workload.objects.filter(pk=each.workload_id).update(state="succeeded", finished_at=now, handed_in_at=now)
        reexecution.tick()
    assert [Reexecution.objects.get(pk=each.pk).state for each in made] == [
        *("failed", "failed", "different", "failed", "queued")
    ]
    assert reexecution.forget_answers() == 0
    Prediction.objects.filter(pk=made[2].prediction_id).delete()
    assert reexecution.forget_answers() == 1
    forgotten = Reexecution.objects.get(pk=made[2].pk)
    assert (forgotten.state, forgotten.outputs, forgotten.difference) == ("different", None, None)
    gone.delete()
    monkeypatch.setattr(reexecution, "read_result", lambda *_: json.loads('{"answer": {"predictions": []}}'))
    Workload.objects.filter(pk=made[4].workload_id).update(state="succeeded", finished_at=now, handed_in_at=now)
    reexecution.tick()
    assert "deleted meanwhile" in Reexecution.objects.get(pk=made[4].pk).detail


@pytest.mark.django_db
def test_whatever_one_left_the_next_is_judged(
    ann: User, host: Host, predicted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = json.loads(f'{{"answer": {{"predictions": [{10**400}, NaN]}}}}')
    made = [start_reexecution(predicted(outputs=[1.5, 0.0]), acting_user=act(ann)) for _ in range(4)]
    now = timezone.now()
    Workload.objects.filter(kind="reexecution").update(state="succeeded", finished_at=now, handed_in_at=now)
    results: dict[Any, Any] = dict(
        zip([each.workload_id for each in made], [huge, ArithmeticError, {}, huge], strict=True)
    )

    def read(workload: Workload, _: str) -> Any:
        found = results[workload.pk]
        if found is ArithmeticError:
            raise found("of nobody's thinking")
        return found

    monkeypatch.setattr(reexecution, "read_result", read)
    assert reexecution.tick() == 4
    states = [Reexecution.objects.get(pk=each.pk).state for each in made]
    assert states == ["different", "failed", "failed", "different"]
    difference: Any = Reexecution.objects.get(pk=made[0].pk).difference
    assert (difference["records"], difference["largest_relative"]) == (2, None)
