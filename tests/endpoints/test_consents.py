"""What decides at an endpoint of production beside its models, and the end of production, take a second person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from models.approvals.consents import decide
from models.approvals.models import Consent
from models.endpoints import services
from models.endpoints.asking import ask
from models.endpoints.changing import change_endpoint
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict
from projects.models import Project
from tests.conftest import ApiClient
from tests.endpoints.test_services import version_of
from tests.endpoints.test_stages import agree_to_leave, live
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")
Role = DeploymentTarget.Role
WHEN = [{"column": "income", "below": 1200}]
RULE = {
    "kind": "rule",
    "rule": {"when": WHEN, "then": {"prediction": "refuse"}, "otherwise": {"prediction": "accept"}},
}
OTHER = {
    "kind": "rule",
    "rule": {"when": WHEN, "then": {"prediction": "accept"}, "otherwise": {"prediction": "refuse"}},
}
WRITTEN = "when: [{column: income, below: 1200}]\nthen: {prediction: refuse}\notherwise: {prediction: accept}"
Approve = Callable[[ModelVersion], None]


@pytest.fixture
def project(ann: User, bob: User, cid: User) -> Project:
    return make_project("wine", ann="admin", bob="contributor", cid="contributor")


@pytest.fixture
def endpoint(project: Project) -> Endpoint:
    return services.create_endpoint(project=project, name="wine", acting_user=SYSTEM)


def graph_of(version: ModelVersion, threshold: float) -> dict[str, Any]:
    node = {"model": "wine", "version": version.number, "model_version_id": str(version.pk), "threshold": threshold}
    return {"name": "g", "nodes": {"first": node}}


def test_a_rule_in_production_takes_a_second_person_and_then_serves_again_without(
    endpoint: Endpoint,
    project: Project,
    ann: User,
    bob: User,
    cid: User,
    approve: Approve,
    api: Callable[[User], ApiClient],
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    first = version_of(project, 1)
    approve(first)

    def deploy(fallback: dict[str, Any] | None) -> Deployment:
        return services.request_deployment(
            endpoint, targets=[TargetRequest(first)], fallback=fallback, reason="r", acting_user=Actor.person(bob)
        )

    with pytest.raises(Conflict, match="Nobody else has agreed to this rule") as refused:
        deploy(RULE)
    assert f"/endpoints/{endpoint.pk}/consent/" in refused.value.remedy
    body = {"kind": "rule", "rule": RULE["rule"], "reason": "when it fails, nobody gets money"}
    url = f"/api/v1/endpoints/{endpoint.pk}/consents/"
    asked = api(bob).post(url, body, content_type="application/json")
    assert (asked.status_code, asked.json()["state"]) == (201, "requested")
    assert api(cid).post(url, body, content_type="application/json").status_code == 409
    with pytest.raises(Conflict):
        deploy(RULE)
    decision = f"/api/v1/consents/{asked.json()['id']}/decision/"
    own = api(bob).post(decision, {"decision": "give"}, content_type="application/json")
    assert (own.status_code, "second person" in own.json()["detail"]) == (403, True)
    given = api(cid).post(decision, {"decision": "give"}, content_type="application/json")
    assert (given.status_code, given.json()["state"], given.json()["decided_by"]) == (200, "given", "cid")
    with pytest.raises(Conflict, match="rule"):
        deploy(OTHER)
    live(deploy(RULE))
    live(deploy(None))
    assert services.rollback(endpoint, reason="worse", acting_user=Actor.person(bob)).fallback == RULE
    events = AuditEvent.objects.filter(action__startswith="consent.").order_by("id")
    assert list(events.values_list("action", flat=True)) == ["consent.requested", "consent.given"]


def test_what_has_served_in_production_needs_no_consent_nor_does_a_graph_for_another_version(
    endpoint: Endpoint, project: Project, ann: User, bob: User, cid: User, approve: Approve
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    first, second = version_of(project, 1), version_of(project, 2)
    approve(first)
    approve(second)

    def deploy(version: ModelVersion, threshold: float) -> Deployment:
        return services.request_deployment(
            endpoint,
            targets=[TargetRequest(version, 0, Role.NODE)],
            graph=graph_of(version, threshold),
            acting_user=Actor.person(bob),
        )

    served = Deployment.objects.create(
        endpoint=endpoint, number=1, actor_name="earlier", graph=graph_of(first, 0.5), stage="production"
    )
    with pytest.raises(Conflict, match="agreed to this graph"):
        deploy(first, 0.5)
    live(served)
    deploy(first, 0.5)
    deploy(second, 0.5)
    with pytest.raises(Conflict, match="agreed to this graph"):
        deploy(second, 0.6)


def test_an_endpoint_with_a_rule_is_raised_once_a_second_person_agreed_and_lowered_once_for_each_consent(
    endpoint: Endpoint, project: Project, ann: User, bob: User, cid: User, approve: Approve
) -> None:
    first = version_of(project, 1)
    approve(first)
    live(services.request_deployment(endpoint, targets=[TargetRequest(first)], fallback=RULE, acting_user=SYSTEM))
    actor = Actor.person(ann)

    def ask_for_the_rule(decision: str) -> None:
        rule: Any = RULE["rule"]
        asked = ask(endpoint, kind="rule", rule=rule, reason="needed", acting_user=actor)
        decide(asked, decision=decision, reason="because", acting_user=Actor.person(cid))

    with pytest.raises(Conflict, match="rule"):
        change_endpoint(endpoint, stage="production", acting_user=actor)
    ask_for_the_rule("refuse")
    with pytest.raises(Conflict, match="rule"):
        change_endpoint(endpoint, stage="production", acting_user=actor)
    ask_for_the_rule("give")
    change_endpoint(endpoint, stage="production", acting_user=actor)
    agree_to_leave(endpoint, ann, bob)
    with pytest.raises(Conflict, match="second person"):
        change_endpoint(endpoint, stage="staging", reason="not that stage", acting_user=actor)
    change_endpoint(endpoint, stage="lab", reason="an experiment", acting_user=actor)
    change_endpoint(endpoint, stage="production", acting_user=actor)
    with pytest.raises(Conflict, match="second person"):
        change_endpoint(endpoint, stage="lab", reason="again", acting_user=actor)
    assert AuditEvent.objects.filter(action="consent.used").count() == 1


def test_the_database_refuses_a_consent_of_one_person_and_another_past(
    endpoint: Endpoint, ann: User, bob: User
) -> None:
    rule: Any = RULE["rule"]
    asked = ask(endpoint, kind="rule", rule=rule, reason="r", acting_user=Actor.person(ann))
    rows = Consent.objects.filter(pk=asked.pk)
    wrong: list[Callable[[], object]] = [
        lambda: rows.update(state="given", approver=ann),
        lambda: rows.update(state="given"),
        lambda: rows.update(content={}),
        lambda: rows.update(requester=bob),
        lambda: rows.update(state="used"),
        lambda: rows.delete(),
    ]
    for change in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert rows.update(state="given", approver=bob) == 1


def test_consent_is_asked_for_and_given_on_pages(endpoint: Endpoint, ann: User, bob: User, client: Client) -> None:
    client.force_login(ann)
    url = f"/endpoints/{endpoint.pk}/consent/"
    assert client.post(url, {"what": "rule", "rule": "then: [", "reason": "r"}).status_code == 422
    assert client.post(url, {"what": "stage:lab", "reason": "r"}).status_code == 409, "it is not in production"
    body = {"what": "rule", "rule": WRITTEN, "reason": "<b>simple</b>"}
    page = client.post(url, body, follow=True).content.decode()
    assert "You have asked for it yourself" in page
    assert "&lt;b&gt;simple" in page
    assert "prediction: refuse" in page
    consent = Consent.objects.get()
    client.force_login(bob)
    assert "acme/wine" in client.get("/consents/").content.decode()
    assert "(1 open)" in client.get("/approvals/").content.decode()
    done = client.post(f"/consents/{consent.pk}/decide/", {"decision": "give"}, follow=True).content.decode()
    assert "Given" in done
    consent.refresh_from_db()
    assert (consent.state, consent.approver) == ("given", bob)
