"""The page of an endpoint's routing: what it writes, and how it refuses what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from models.endpoints import selectors, services, transitions
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project

pytestmark = pytest.mark.django_db
Role = DeploymentTarget.Role
SYSTEM = Actor.system("tests")
RULE = "when: [{column: income, below: 1200}]\nthen: {prediction: refuse}\notherwise: {prediction: accept}\n"


@pytest.fixture
def versions(project: Project) -> list[ModelVersion]:
    """Three versions that are ready."""
    model = RegisteredModel.objects.create(project=project, name="credit")
    return [
        ModelVersion.objects.create(model=model, number=number, state="ready", source="x", artifact_digest="a" * 64)
        for number in (1, 2, 3)
    ]


@pytest.fixture
def endpoint(project: Project) -> Endpoint:
    """An endpoint."""
    return services.create_endpoint(project=project, name="credit", acting_user=SYSTEM)


@pytest.fixture
def live(endpoint: Endpoint, versions: list[ModelVersion]) -> Deployment:
    """Two versions serve."""
    return _go_live(endpoint, [TargetRequest(versions[0], 90), TargetRequest(versions[1], 10, Role.CANARY)])


def _go_live(endpoint: Endpoint, targets: list[TargetRequest], **facts: Any) -> Deployment:
    made = services.request_deployment(endpoint, targets=targets, acting_user=SYSTEM, **facts)
    before = selectors.live_deployment(endpoint)
    assert before is None or transitions.supersede(before)
    assert transitions.start(made)
    assert transitions.go_live(made)
    return made


def test_routing_pins_and_fallback_become_a_deployment_of_the_same_versions(
    browser_client: Any, ann: User, endpoint: Endpoint, live: Deployment, versions: list[ModelVersion]
) -> None:
    key, _ = services.create_key(endpoint, name="shop", acting_user=SYSTEM)
    page, address = browser_client(ann), f"/endpoints/{endpoint.pk}/routing/"
    assert "Requests with the key shop" in page.get(address).content.decode()
    form = {"seen": live.pk, "reason": "the shop keeps the old one", "pins_header": "on"}
    form |= {"assign_by": "header", "assign_name": "X-User-Id", "salt": "s", f"pin_{key.pk.hex}": versions[0].pk}
    assert page.post(address, {**form, "fallback": "rule", "rule": RULE}).status_code == 302
    made = Deployment.objects.latest("number")
    assert made.routing["assign"] == {"by": "header", "name": "x-user-id", "salt": "s"}
    assert made.routing["pins"] == {"header": True, "keys": {str(key.pk): str(versions[0].pk)}}
    assert made.fallback is not None
    assert made.fallback["rule"]["then"] == {"prediction": "refuse"}
    targets = {each.model_version_id: (each.weight, each.role) for each in made.targets.all()}
    assert targets == {versions[0].pk: (90, "live"), versions[1].pk: (10, "canary")}
    shown = page.get(address).content.decode()
    assert "column: income" in shown, "the form shows what was asked for last"
    stand_in = {**form, "seen": made.pk, "fallback": "version", "stand_in": versions[2].pk}
    assert page.post(address, stand_in).status_code == 302
    newest = Deployment.objects.latest("number")
    assert newest.fallback == {"kind": "version"}
    assert newest.targets.get(role="fallback").model_version_id == versions[2].pk


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fallback": "rule", "rule": "when: [\nthen: x"}, "The rule is not valid YAML. Line 2"),
        ({"fallback": "rule", "rule": "when: *all"}, "aliases"),
        ({"fallback": "rule", "rule": "then: {prediction: 1}"}, "a rule has the entries when, then and otherwise"),
        ({"fallback": "rule", "rule": ""}, "There is no rule."),
        ({"fallback": "version"}, "No version stands in."),
        ({"assign_by": "header", "assign_name": "user"}, "the header of assign begins with x-"),
        ({"reason": ""}, "This field is required."),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    browser_client: Any, ann: User, endpoint: Endpoint, live: Deployment, changes: dict[str, str], words: str
) -> None:
    form = {"seen": live.pk, "reason": "x", "pins_header": "on", **changes}
    answer = browser_client(ann).post(f"/endpoints/{endpoint.pk}/routing/", form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not answer.context["form"].non_field_errors(), "it stands beside its field"
    assert Deployment.objects.count() == 1


def test_what_was_asked_for_meanwhile_is_not_overwritten(
    browser_client: Any, ann: User, endpoint: Endpoint, live: Deployment, versions: list[ModelVersion]
) -> None:
    page, address = browser_client(ann), f"/endpoints/{endpoint.pk}/routing/"
    services.deploy(endpoint, model_version=versions[2], acting_user=SYSTEM)
    late = page.post(address, {"seen": live.pk, "reason": "x"})
    assert late.status_code == 409
    assert "Deployment 2 was asked for meanwhile" in late.content.decode()


def test_a_rollout_under_way_decides_alone(
    browser_client: Any, ann: User, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    page, address = browser_client(ann), f"/endpoints/{endpoint.pk}/routing/"
    assert "Deploy a version first." in page.get(address).content.decode()
    _go_live(endpoint, [TargetRequest(versions[0], 95), TargetRequest(versions[1], 5, Role.CANARY)], kind="step")
    answer = page.get(address)
    assert answer.status_code == 409
    assert "is being rolled out" in answer.content.decode()


def test_the_way_to_it_is_offered_only_where_it_may_be_changed(
    browser_client: Any, ann: User, endpoint: Endpoint, versions: list[ModelVersion]
) -> None:
    page, address = browser_client(ann), f"/endpoints/{endpoint.pk}/routing/"

    def is_offered() -> bool:
        return f'href="{address}"' in page.get(f"/endpoints/{endpoint.pk}/").content.decode()

    assert not is_offered(), "nothing serves"
    _go_live(endpoint, [TargetRequest(versions[0], 100)])
    assert is_offered()
    _go_live(endpoint, [TargetRequest(versions[0], 95), TargetRequest(versions[1], 5, Role.CANARY)], kind="step")
    assert not is_offered(), "the rollout decides"
    _go_live(endpoint, [TargetRequest(versions[1], 100)], kind="step")
    assert is_offered(), "it has ended"
