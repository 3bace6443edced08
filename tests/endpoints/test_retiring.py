"""Retiring an endpoint, a copy for testing, and how long going back would take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from models.endpoints import selectors, services
from models.endpoints.copying import copy_for_testing
from models.endpoints.deploying import TargetRequest
from models.endpoints.estimating import estimates
from models.endpoints.models import Deployment, Endpoint, Replica
from models.endpoints.retiring import Held, retire, retirement_of
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import GIB, Environment, EnvironmentCopy, EnvironmentRequest, Host, Workload
from modelwright.core.errors import PermissionRefused
from projects.models import Project
from tests.endpoints.test_services import make_live, version_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))


def live(endpoint: Endpoint, version: ModelVersion, ann: User) -> Deployment:
    made = services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))
    make_live(made)
    return made


def replica(
    endpoint: Endpoint, version: ModelVersion, host: Host, *, took: float | None = 5.0, ended: bool = False
) -> Replica:
    """One that was asked for a while ago and answered `took` seconds later."""
    workload = Workload.objects.create(
        kind="replica",
        name="replica",
        host=host,
        cpu=0.25,
        memory_bytes=GIB,
        gpus=1,
        spec={},
        state="cancelled" if ended else "running",
        finished_at=timezone.now() if ended else None,
    )
    made: Replica = Replica.objects.create(endpoint=endpoint, model_version=version, workload=workload)
    if took is not None:
        Replica.objects.filter(pk=made.pk).update(healthy_at=made.created_at + timedelta(seconds=took))
    return made


def test_retiring_says_what_is_given_back_and_keeps_what_was(endpoint: Endpoint, ann: User, host: Host) -> None:
    version = version_of(endpoint.project)
    deployment = live(endpoint, version, ann)
    replica(endpoint, version, host)
    replica(endpoint, version, host, ended=True)
    held = retire(endpoint, reason="nobody asks it", acting_user=Actor.person(ann))
    assert held == Held(replicas=1, cpu=0.25, memory_bytes=GIB, gpus=1)
    assert endpoint.state == "retired"
    deployment.refresh_from_db()
    assert (deployment.state, deployment.detail) == ("superseded", "The endpoint was retired by ann.")
    event = AuditEvent.objects.get(action="endpoint.retired")
    assert event.after is not None
    assert (event.reason, event.after["given_back"]["gpus"]) == ("nobody asks it", 1)
    told = retirement_of(endpoint)
    assert told is not None
    assert (told.by, told.given_back, told.still_held) == ("ann", held, held)
    assert retire(endpoint, acting_user=Actor.person(ann)) == Held()
    assert AuditEvent.objects.filter(action="endpoint.retired").count() == 1


def test_a_retired_endpoint_comes_back_with_a_rollback(endpoint: Endpoint, ann: User) -> None:
    live(endpoint, version_of(endpoint.project), ann)
    retire(endpoint, acting_user=Actor.person(ann))
    services.rollback(endpoint, reason="it is asked after all", acting_user=Actor.person(ann))
    endpoint.refresh_from_db()
    assert endpoint.state == "active"
    assert retirement_of(endpoint) is None


def test_what_is_rolled_back_in_an_emergency_is_told_in_the_audit_log(endpoint: Endpoint, ann: User) -> None:
    first = live(endpoint, version_of(endpoint.project), ann)
    live(endpoint, version_of(endpoint.project, 2), ann)
    back = services.rollback(endpoint, reason="it burns", is_emergency=True, acting_user=Actor.person(ann))
    assert (back.repeats, back.is_emergency) == (first, True)
    assert AuditEvent.objects.get(action="rollback.emergency").target_id == str(back.pk)
    assert not AuditEvent.objects.filter(action="rollback.requested").exists()


def test_without_a_choice_a_rollback_goes_back_before_the_whole_rollout(endpoint: Endpoint, ann: User) -> None:
    old, new = version_of(endpoint.project), version_of(endpoint.project, 2)
    first = live(endpoint, old, ann)
    for weight in (5, 50):
        step = services.request_deployment(
            endpoint,
            targets=[TargetRequest(old, 100 - weight), TargetRequest(new, weight, "canary")],
            kind=Deployment.Kind.STEP,
            rollout_id=first.pk,
            acting_user=Actor.system("tests"),
        )
        make_live(step)
    assert services.rollback(endpoint, reason="worse", acting_user=Actor.person(ann)).repeats == first


def test_a_copy_for_testing_serves_the_same_in_the_lab_with_keys_of_its_own(
    endpoint: Endpoint, ann: User, make_user: Callable[..., User]
) -> None:
    actor = Actor.person(ann)
    key, _ = services.create_key(endpoint, name="shop", acting_user=actor)
    Endpoint.objects.filter(pk=endpoint.pk).update(redacted_columns=["name"], memory_bytes=2 * GIB)
    old, new = version_of(endpoint.project), version_of(endpoint.project, 2)
    deployment = services.request_deployment(
        endpoint,
        targets=[TargetRequest(old, 90), TargetRequest(new, 10, "canary")],
        routing={
            "assign": {"by": "header", "name": "x-user-id", "salt": "a"},
            "pins": {"header": False, "keys": {str(key.pk): str(new.pk)}},
        },
        acting_user=actor,
    )
    deployment = Deployment.objects.get(pk=deployment.pk)
    made = copy_for_testing(deployment, acting_user=actor)
    assert (made.name, made.stage, made.redacted_columns, made.memory_bytes) == (
        "wine-test-1",
        "lab",
        ["name"],
        2 * GIB,
    )
    assert copy_for_testing(deployment, acting_user=actor).name == "wine-test-1-2"
    copied = selectors.deployments_of(made).get()
    assert copied.routing == {"assign": deployment.routing["assign"], "pins": {"header": False}}
    rows = [
        list(one.targets.order_by("pk").values_list("model_version", "weight", "role")) for one in (deployment, copied)
    ]
    assert rows[0] == rows[1]
    assert not selectors.keys_of(made).exists()
    with pytest.raises(PermissionRefused):
        copy_for_testing(deployment, acting_user=Actor.person(make_user("eve", is_auditor=True)))


def targets(deployment: Deployment) -> list[tuple[object, ...]]:
    return list(deployment.targets.order_by("pk").values_list("model_version", "weight", "role"))


def in_environment(version: ModelVersion, *, on: Host | None) -> None:
    environment = Environment.objects.create(lock_digest="e" * 64, lock="", python_version="3.11")
    version.environment_request = EnvironmentRequest.objects.create(
        requirements_digest="d" * 64,
        python_version="3.11",
        kind="requirements.txt",
        state="ready",
        environment=environment,
    )
    version.save()
    if on is not None:
        EnvironmentCopy.objects.create(environment=environment, host=on, state="ready")


def test_what_is_warm_serves_at_once_and_what_is_not_as_its_last_starts_did(
    endpoint: Endpoint, ann: User, host: Host
) -> None:
    old, new = version_of(endpoint.project), version_of(endpoint.project, 2)
    first, second = live(endpoint, old, ann), live(endpoint, new, ann)
    assert [each.seconds for each in estimates(endpoint, [first])] == [None]
    replica(endpoint, new, host)
    for took in (4.0, 8.0, 30.0):
        replica(endpoint, old, host, took=took, ended=True)
    in_environment(old, on=host)
    cold, warm = estimates(endpoint, [first, second])
    assert (warm.is_warm, warm.words) == (True, "at once: it is warm")
    assert (cold.is_warm, cold.seconds) == (False, 8.0)
    assert cold.words == "in about 8 s: a replica must be started first"
    assert cold.details == ["wine version 1: the median of its own last 3 starts"]


def test_a_version_that_never_ran_is_estimated_by_others_like_it_and_says_where_its_environment_is(
    endpoint: Endpoint, ann: User, host: Host
) -> None:
    old, new = version_of(endpoint.project), version_of(endpoint.project, 2)
    first = live(endpoint, old, ann)
    replica(endpoint, new, host, took=6.0, ended=True)
    in_environment(old, on=None)
    estimate = estimates(endpoint, [first])[0]
    assert estimate.seconds is None
    assert "it was never started here; the median of 1 starts" in estimate.details[0]
    assert "its environment is on no host" in estimate.details[0]


def test_pages_and_rest_tell_it_before_one_presses(
    endpoint: Endpoint, ann: User, host: Host, api: Any, browser_client: Any
) -> None:
    old, new = version_of(endpoint.project), version_of(endpoint.project, 2)
    first = live(endpoint, old, ann)
    live(endpoint, new, ann)
    replica(endpoint, old, host)
    listed = api(ann).get(f"/api/v1/endpoints/{endpoint.pk}/rollbacks/").json()["results"]
    assert [(one["deployment"]["id"], one["is_warm"], one["words"]) for one in listed] == [
        (str(first.pk), True, "at once: it is warm")
    ]
    client = browser_client(ann)
    assert "at once: it is warm" in client.get(f"/endpoints/{endpoint.pk}/rollback/").content.decode()
    made = client.post(f"/endpoints/{endpoint.pk}/deployments/{first.pk}/copy/", follow=True)
    assert "wine-test-1" in made.content.decode()
    asked = client.get(f"/endpoints/{endpoint.pk}/retire/").content.decode()
    assert "1 replica: 0.25 CPU, 1.0\xa0GiB of memory, 1 GPU" in asked
    answer = client.post(f"/endpoints/{endpoint.pk}/retire/", {"reason": "old"}, follow=True).content.decode()
    assert "Given back: 1 replica" in answer
    assert "The endpoint is retired" in answer
