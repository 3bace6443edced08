"""Which versions may answer at an endpoint of a stage, and when its stage may change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.approvals import services as approvals
from models.approvals.consents import decide
from models.endpoints import services, transitions
from models.endpoints.asking import ask
from models.endpoints.changing import change_endpoint
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, PermissionRefused, ValidationFailed
from projects.models import Project
from tests.conftest import ApiClient
from tests.endpoints.test_services import version_of
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
Role = DeploymentTarget.Role


@pytest.fixture
def project(ann: User, bob: User, cid: User) -> Project:
    return make_project("wine", ann="admin", bob="contributor", cid="contributor")


@pytest.fixture
def endpoint(project: Project) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=SYSTEM)


def live(deployment: Deployment) -> None:
    for before in Deployment.objects.filter(endpoint=deployment.endpoint, state="live"):
        transitions.supersede(before)
    transitions.start(deployment)
    assert transitions.go_live(deployment)


def test_production_serves_what_was_approved_and_a_rollback_needs_nothing(
    endpoint: Endpoint, project: Project, ann: User, approve: Callable[[ModelVersion], None]
) -> None:
    actor = Actor.person(ann)
    change_endpoint(endpoint, stage="production", acting_user=actor)
    first, second = version_of(project, 1), version_of(project, 2)
    with pytest.raises(Conflict, match="wine version 1 is not approved for production"):
        services.deploy(endpoint, model_version=first, acting_user=actor)
    assert not Deployment.objects.exists()
    approve(first)
    live(services.deploy(endpoint, model_version=first, acting_user=actor))
    shadowed = [TargetRequest(first), TargetRequest(second, role=Role.SHADOW)]
    live(services.request_deployment(endpoint, targets=shadowed, acting_user=actor))
    for role, weight in ((Role.CANARY, 5), (Role.CANARY, 0)):
        with pytest.raises(Conflict, match="wine version 2 is not approved"):
            services.request_deployment(
                endpoint, targets=[TargetRequest(first), TargetRequest(second, weight, role)], acting_user=actor
            )
    approve(second)
    live(services.deploy(endpoint, model_version=second, acting_user=actor))
    for promotion in first.promotions.all():
        approvals.revoke(promotion, reason="found wanting", acting_user=actor)
    with pytest.raises(Conflict, match="wine version 1 is not approved"):
        services.deploy(endpoint, model_version=first, acting_user=actor)
    earliest = Deployment.objects.earliest("number")
    assert services.rollback(endpoint, to=earliest, reason="worse", acting_user=actor).kind == "rollback"


def test_a_stage_is_raised_while_what_serves_is_approved_and_left_with_a_reason(
    endpoint: Endpoint,
    project: Project,
    ann: User,
    bob: User,
    approve: Callable[[ModelVersion], None],
    api: Callable[[User], ApiClient],
) -> None:
    first = version_of(project, 1)
    live(services.deploy(endpoint, model_version=first, acting_user=SYSTEM))
    url = f"/api/v1/endpoints/{endpoint.pk}/"
    client = api(ann)
    refused = client.patch(url, {"stage": "production"}, content_type="application/json")
    assert refused.status_code == 409
    assert "cannot become an endpoint of production yet" in refused.json()["detail"]
    assert f"/model-versions/{first.pk}/approval/" in refused.json()["remedy"]
    approve(first)
    raised = client.patch(url, {"stage": "production"}, content_type="application/json")
    assert (raised.status_code, raised.json()["stage"]) == (200, "production")
    with pytest.raises(PermissionRefused):
        change_endpoint(endpoint, stage="lab", reason="x", acting_user=Actor.person(bob))
    silent = client.patch(url, {"stage": "lab"}, content_type="application/json")
    assert (silent.status_code, silent.json()["errors"][0]["field"]) == (422, "reason")
    alone = client.patch(url, {"stage": "lab", "reason": "an experiment"}, content_type="application/json")
    assert (alone.status_code, alone.json()["errors"][0]["field"]) == (409, "stage")
    assert f"/endpoints/{endpoint.pk}/consent/" in alone.json()["remedy"]
    agree_to_leave(endpoint, ann, bob)
    said = client.patch(url, {"stage": "lab", "reason": "an experiment"}, content_type="application/json")
    assert said.json()["stage"] == "lab"
    event = AuditEvent.objects.latest("id")
    assert (event.before, event.after, event.reason) == (
        {"stage": "production"},
        {"stage": "lab"},
        "an experiment",
    )


def agree_to_leave(endpoint: Endpoint, asker: User, second: User) -> None:
    endpoint.refresh_from_db()
    asked = ask(endpoint, kind="stage", stage="lab", reason="an experiment", acting_user=Actor.person(asker))
    decide(asked, decision="give", acting_user=Actor.person(second))


def test_no_rollback_brings_to_production_what_served_in_the_lab_alone(
    endpoint: Endpoint, project: Project, ann: User, approve: Callable[[ModelVersion], None]
) -> None:
    actor = Actor.person(ann)
    first, second = version_of(project, 1), version_of(project, 2)
    live(services.deploy(endpoint, model_version=first, acting_user=actor))
    approve(second)
    live(services.deploy(endpoint, model_version=second, acting_user=actor))
    change_endpoint(endpoint, stage="production", acting_user=actor)
    with pytest.raises(Conflict, match="wine version 1 never was approved for production"):
        services.rollback(endpoint, reason="around the approval", acting_user=actor)
    with pytest.raises(Conflict, match="wine version 1 never was approved for production"):
        services.rollback(endpoint, reason="it burns", is_emergency=True, acting_user=actor)
    # Before stages of deployments were on record, it counts as one of production.
    Deployment.objects.filter(number=1).update(stage="production")
    with pytest.raises(Conflict, match="never was approved"):
        services.rollback(endpoint, reason="around the approval", acting_user=actor)
    urgent = services.rollback(endpoint, reason="nothing else works", is_emergency=True, acting_user=actor)
    assert (urgent.kind, urgent.is_emergency, urgent.stage) == ("rollback", True, "production")
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.reason) == ("rollback.emergency", "nothing else works")


def test_what_is_on_its_way_must_be_approved_too(
    endpoint: Endpoint, project: Project, ann: User, approve: Callable[[ModelVersion], None]
) -> None:
    first, second = version_of(project, 1), version_of(project, 2)
    approve(first)
    live(services.deploy(endpoint, model_version=first, acting_user=SYSTEM))
    services.deploy(endpoint, model_version=second, acting_user=SYSTEM)
    with pytest.raises(Conflict, match="wine version 2"):
        change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    with pytest.raises(ValidationFailed, match="no stage"):
        change_endpoint(endpoint, stage="moon", acting_user=Actor.person(ann))
