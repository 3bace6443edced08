"""What a deployment may consist of, and what of it comes to the gateway."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from models.endpoints import routes, services
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.endpoints.publishing import entry_of
from models.endpoints.viewing import views
from models.gateway.routes import parse
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, ValidationFailed
from projects import source
from projects.models import Project
from tests.endpoints.test_services import make_live, version_of

pytestmark = pytest.mark.django_db

SIGNATURE = {"inputs": [{"name": "income", "type": "double", "required": True}], "outputs": []}
RULE = {
    "when": [{"column": "income", "below": 1200}],
    "then": {"prediction": "refuse"},
    "otherwise": {"prediction": "accept"},
}


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    return services.create_endpoint(project=project, name="credit", acting_user=Actor.person(ann))


def ask(endpoint: Endpoint, ann: User, *targets: TargetRequest, **facts: Any) -> Deployment:
    return services.request_deployment(endpoint, targets=targets, acting_user=Actor.person(ann), **facts)


def target(project: Project, number: int, weight: int = 100, role: str = "live") -> TargetRequest:
    version = version_of(project, number)
    version.signature = SIGNATURE
    version.save()
    return TargetRequest(version, weight, role)


def test_all_parts_of_a_deployment_come_to_the_gateway(endpoint: Endpoint, project: Project, ann: User) -> None:
    key, _ = services.create_key(endpoint, name="bank", acting_user=Actor.person(ann))
    live, canary = target(project, 1, 95), target(project, 2, 5, "canary")
    shadow, stand_in = target(project, 3, 70, "shadow"), target(project, 4, 0, "fallback")
    pins = {"header": False, "keys": {str(key.pk): str(canary.model_version.pk)}}
    routing = {"assign": {"by": "column", "name": "income", "salt": "a"}, "pins": pins}
    made = ask(
        endpoint, ann, live, canary, shadow, stand_in, routing=routing, fallback={"kind": "version"},
        evidence={"requests": 200}, kind="step", rollout_id=endpoint.pk, reason="Step 1",
    )  # fmt: skip
    assert (made.kind, made.rollout_id, made.evidence) == ("step", endpoint.pk, {"requests": 200})
    entry = routes.entry(endpoint, made, {}, {})
    found = parse(json.dumps({"revision": 1, "endpoints": {endpoint.path: entry}}).encode()).endpoints[endpoint.path]
    assert [(each.version, each.weight, each.role) for each in found.targets] == [
        *((1, 95, "live"), (2, 5, "canary"), (3, 0, "shadow"), (4, 0, "fallback"))
    ]
    assert found.routing.assign == ("column", "income", "a")
    assert found.routing.pins == {str(key.pk): str(canary.model_version.pk)}
    assert not found.routing.pins_header
    assert found.stand_in is not None
    assert found.stand_in.version == 4
    event = AuditEvent.objects.filter(target_id=str(made.pk)).latest("id")
    assert event.after is not None
    assert event.after["fallback"] == {"kind": "version"}
    assert {each["version"]: each["role"] for each in event.after["versions"]}["wine version 2"] == "canary"


def test_going_back_brings_back_roles_routing_and_fallback(endpoint: Endpoint, project: Project, ann: User) -> None:
    fallback = {"kind": "rule", "rule": RULE}
    routing = {"assign": {"by": "header", "name": "x-user-id"}}
    first = ask(endpoint, ann, target(project, 1, 90), target(project, 2, 10), routing=routing, fallback=fallback)
    make_live(first)
    make_live(services.deploy(endpoint, model_version=version_of(project, 3), acting_user=Actor.person(ann)))
    back = services.rollback(endpoint, reason="It was better.", acting_user=Actor.person(ann))
    assert (back.routing, back.fallback, back.repeats) == (routing, fallback, first)
    assert sorted(back.targets.values_list("weight", "role")) == [(10, "live"), (90, "live")]


def test_what_cannot_be_deployed_is_refused_with_the_reason(endpoint: Endpoint, project: Project, ann: User) -> None:
    one, two = target(project, 1), target(project, 2)
    unready = TargetRequest(version_of(project, 3, "failed"))
    canary = target(project, 4, 5, "canary")
    for asked, facts, told in (
        ((), {}, "1 to 50"),
        ((one, one), {}, "twice"),
        ((replace(one, weight=0),), {}, "takes requests"),
        ((replace(one, weight=-1),), {}, "no weight"),
        ((replace(one, role="shadow"),), {}, "takes requests"),
        ((one, replace(two, role="node")), {}, "no graph"),
        ((one,), {"graph": {"nodes": {}}}, "nodes alone"),
        ((one,), {"fallback": {"kind": "version"}}, "fallback"),
        ((one, replace(two, role="fallback")), {}, "fallback"),
        ((one,), {"fallback": {"kind": "rule", "rule": {"when": []}}}, "fallback cannot be used"),
        ((one,), {"fallback": {"kind": "rule", "rule": _about("age")}}, "no column age"),
        ((one, two), {"routing": {"assign": {"by": "column", "name": "age"}}}, "no column age"),
        ((one, two), {"routing": {"assign": {"by": "header", "name": "cookie"}}}, "begins with x-"),
        ((one, two), {"routing": {"pins": {"keys": {"a": str(one.model_version.pk)}}}}, "no key a"),
        ((one, canary), {"routing": {"weights": {}}}, "assign and pins"),
    ):
        with pytest.raises(ValidationFailed, match=told):
            ask(endpoint, ann, *asked, **facts)
    with pytest.raises(Conflict, match="not ready"):
        ask(endpoint, ann, one, unready)
    assert not Deployment.objects.exists()
    assert not DeploymentTarget.objects.exists()


def test_a_deployment_has_the_fallback_that_the_projects_file_declares(
    endpoint: Endpoint, project: Project, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = target(project, 1).model_version, target(project, 2).model_version

    def deploy(declared: Any, version: ModelVersion) -> Deployment:
        fallbacks = {"credit": declared, "other": {"version": 9}}
        monkeypatch.setattr("models.endpoints.declared.read_fallbacks", lambda _: fallbacks)
        return services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))

    assert deploy(RULE, two).fallback == {"kind": "rule", "rule": RULE}
    by_version = deploy({"version": 1}, two)
    assert by_version.fallback == {"kind": "version"}
    assert dict(by_version.targets.values_list("model_version", "role")) == {two.pk: "live", one.pk: "fallback"}
    assert deploy({"version": 2}, two).fallback is None
    for wrong in ({"version": 7}, {"version": True}, {"version": 1, "when": []}, "refuse", _about("age")):
        with pytest.raises(ValidationFailed, match=r"modelwright\.yaml"):
            deploy(wrong, two)


def test_a_wrong_file_of_the_project_stops_a_deployment_only_where_its_fallback_cannot_be_told_and_says_so(
    endpoint: Endpoint, project: Project, ann: User
) -> None:
    version = target(project, 1).model_version
    source.init_repository(project)

    def deploy(file: str) -> Deployment:
        source.commit_files(
            project,
            {"modelwright.yaml": file.encode()},
            message="m",
            author=source.Author("Ann", "ann@example.com"),
            expected_head=source.head(project),
        )
        return services.deploy(endpoint, model_version=version, acting_user=Actor.person(ann))

    # A script that is not there, an entry that there is not: neither is about fallbacks.
    elsewhere = "steps: [{name: train, script: nowhere.py}]\nunknown: 1\n"
    assert deploy(elsewhere).fallback is None
    rule = "{when: [{column: income, below: 1200}], then: {prediction: refuse}, otherwise: {prediction: accept}}"
    assert deploy(f"{elsewhere}fallbacks: {{credit: {rule}}}").fallback == {"kind": "rule", "rule": RULE}
    for wrong, told in (
        ("fallbacks: {credit: ", "cannot be read. The file is not valid YAML. Line 1"),
        ("fallbacks: [1]", "cannot be read. modelwright.yaml is not valid. `fallbacks`: It is a list"),
        ("fallbacks: {credit: {when: []}}", "fallback for credit.*cannot be deployed.*a rule has the entries"),
        (f"fallbacks: {{credit: {rule.replace('income', 'age')}}}", "fallback for credit.*has no column age"),
    ):
        with pytest.raises(ValidationFailed, match=told) as refused:
            deploy(wrong)
        assert "modelwright.yaml" in refused.value.message
        assert "commit it and deploy again" in refused.value.remedy
        assert [one.field for one in refused.value.errors] == ["fallback"]


def test_a_stopped_endpoint_stays_in_the_table_for_its_fallback_alone(
    endpoint: Endpoint, project: Project, ann: User
) -> None:
    stand_in = target(project, 2, 0, "fallback")
    make_live(ask(endpoint, ann, target(project, 1), stand_in, fallback={"kind": "version"}))
    services.stop(endpoint, acting_user=Actor.person(ann))
    (view,) = views([endpoint.pk])
    assert view.plan.wanted == (stand_in.model_version.pk,)
    entry = entry_of(view)
    assert entry is not None
    found = parse(json.dumps({"revision": 1, "endpoints": {endpoint.path: entry}}).encode()).endpoints[endpoint.path]
    assert (found.is_stopped, found.plain, found.deployment_number) == (True, None, 1)
    assert found.stand_in is not None
    make_live(ask(endpoint, ann, target(project, 3)))
    services.stop(endpoint, acting_user=Actor.person(ann))
    (view,) = views([endpoint.pk])
    assert (view.plan.wanted, entry_of(view)) == ((), None)


def test_several_versions_are_deployed_over_rest(
    endpoint: Endpoint, project: Project, ann: User, client: Client
) -> None:
    client.force_login(ann)
    one, two = (str(target(project, number).model_version.pk) for number in (1, 2))
    address = f"/api/v1/endpoints/{endpoint.pk}/deployments/"

    def post(body: dict[str, Any]) -> Any:
        return client.post(address, body, content_type="application/json")

    targets = [{"model_version": one, "weight": 95}, {"model_version": two, "weight": 5, "role": "canary"}]
    made = post({"targets": targets, "routing": {"assign": {"by": "header", "name": "x-user-id"}}})
    assert made.status_code == 201, made.content
    assert {each["role"]: each["weight"] for each in made.json()["targets"]} == {"live": 95, "canary": 5}
    assert made.json()["routing"]["assign"]["name"] == "x-user-id"
    for wrong in (
        {},
        {"model_version": one, "targets": targets},
        {"targets": [{"model_version": one, "role": "boss"}]},
    ):
        assert post(wrong).status_code == 422


def _about(column: str) -> dict[str, Any]:
    return {**RULE, "when": [{"column": column, "below": 18}]}
