"""What decides at an endpoint of production beside its models, and the end of production, take a second person."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from models.approvals import promotions
from models.approvals.consents import decide, revoke
from models.approvals.models import Consent, Promotion
from models.endpoints import services
from models.endpoints.asking import ask
from models.endpoints.changing import change_endpoint
from models.endpoints.deploying import TargetRequest
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import Conflict, ValidationFailed
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
        lambda: rows.update(state="given", approver=bob, content={}),
        lambda: rows.update(state="given", approver=bob, digest="0" * 64),
        lambda: rows.update(requester=bob),
        lambda: rows.update(state="used"),
        lambda: rows.delete(),
    ]
    for change in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert rows.update(state="given", approver=bob) == 1


def given(endpoint: Endpoint, asker: User, giver: User, **matter: Any) -> Consent:
    """What the one asks for and the other gives."""
    asked = ask(endpoint, reason="needed", acting_user=Actor.person(asker), **matter)
    return decide(asked, decision="give", acting_user=Actor.person(giver))


def test_what_was_given_is_taken_back_by_whoever_gave_it_or_an_administrator(
    endpoint: Endpoint,
    project: Project,
    ann: User,
    bob: User,
    cid: User,
    stranger: User,
    approve: Approve,
    api: Callable[[User], ApiClient],
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    first = version_of(project, 1)
    approve(first)
    rule: Any = RULE["rule"]
    consent = given(endpoint, bob, cid, kind="rule", rule=rule)
    url = f"/api/v1/consents/{consent.pk}/revocation/"

    def take_back(person: User, reason: str = "it refuses too many") -> Any:
        return api(person).post(url, {"reason": reason}, content_type="application/json")

    assert take_back(bob).status_code == 403, "another contributor has not given it"
    assert take_back(stranger).status_code == 404
    assert take_back(cid, "").status_code == 422
    with pytest.raises(ValidationFailed, match="needs a reason"):
        revoke(consent, reason=" ", acting_user=Actor.person(cid))
    answer = take_back(cid)
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert (answer.json()["revoked_by"], answer.json()["revocation"]) == ("cid", "it refuses too many")
    assert take_back(cid).status_code == 409
    event = AuditEvent.objects.get(action="consent.revoked")
    assert (event.actor_name, event.reason) == ("cid", "it refuses too many")
    with pytest.raises(Conflict, match="Nobody else has agreed to this rule"):
        services.request_deployment(
            endpoint, targets=[TargetRequest(first)], fallback=RULE, reason="r", acting_user=Actor.person(bob)
        )
    again = given(endpoint, bob, cid, kind="rule", rule=rule)
    assert revoke(again, reason="still too many", acting_user=Actor.person(ann)).revoked_by == "ann"


def test_what_was_taken_back_is_deployed_no_more_and_may_still_be_gone_back_to(
    endpoint: Endpoint, project: Project, ann: User, bob: User, cid: User, approve: Approve
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    first = version_of(project, 1)
    approve(first)
    actor = Actor.person(bob)

    def deploy(fallback: dict[str, Any] | None) -> Deployment:
        return services.request_deployment(
            endpoint, targets=[TargetRequest(first)], fallback=fallback, reason="r", acting_user=actor
        )

    rule: Any = RULE["rule"]
    consent = given(endpoint, bob, cid, kind="rule", rule=rule)
    live(deploy(RULE))
    live(deploy(None))
    revoke(consent, reason="it refuses too many", acting_user=Actor.person(cid))
    with pytest.raises(Conflict, match="rule"):
        deploy(RULE)
    back = services.rollback(endpoint, reason="the newer one is down", acting_user=actor)
    assert back.fallback == RULE, "whoever goes back waits for nobody"
    live(back)
    given(endpoint, bob, cid, kind="rule", rule=rule)
    live(deploy(None))
    assert deploy(RULE).fallback == RULE


def test_no_rollback_brings_a_rule_to_production_that_served_in_the_lab_alone(
    endpoint: Endpoint, project: Project, ann: User, bob: User, approve: Approve
) -> None:
    first, actor = version_of(project, 1), Actor.person(ann)
    approve(first)
    for fallback in (RULE, None):
        live(
            services.request_deployment(endpoint, targets=[TargetRequest(first)], fallback=fallback, acting_user=actor)
        )
    change_endpoint(endpoint, stage="production", acting_user=actor)
    with pytest.raises(Conflict, match="Nobody else has agreed to this rule"):
        services.rollback(endpoint, reason="around the consent", acting_user=Actor.person(bob))


def test_a_version_that_stands_in_needs_its_approval_too(
    endpoint: Endpoint, project: Project, ann: User, approve: Approve
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    first, second = version_of(project, 1), version_of(project, 2)
    approve(first)
    with pytest.raises(Conflict, match="wine version 2 is not approved"):
        services.request_deployment(
            endpoint,
            targets=[TargetRequest(first), TargetRequest(second, 0, Role.FALLBACK)],
            fallback={"kind": "version"},
            acting_user=Actor.person(ann),
        )


def test_no_rollback_goes_to_another_endpoints_deployment(endpoint: Endpoint, project: Project, ann: User) -> None:
    actor = Actor.person(ann)
    other = services.create_endpoint(project=project, name="other", acting_user=actor)
    version = version_of(project, 1)
    theirs = services.deploy(other, model_version=version, acting_user=actor)
    live(theirs)
    live(services.deploy(endpoint, model_version=version, acting_user=actor))
    theirs.refresh_from_db()
    with pytest.raises(ValidationFailed, match="wine has no such deployment"):
        services.rollback(endpoint, to=theirs, reason="by mistake", acting_user=actor)


def test_a_consent_to_leave_production_is_taken_back_before_it_is_used(
    endpoint: Endpoint, ann: User, bob: User
) -> None:
    actor = Actor.person(ann)
    endpoint = change_endpoint(endpoint, stage="production", acting_user=actor)
    consent = given(endpoint, ann, bob, kind="stage", stage="lab")
    revoke(consent, reason="it has clients", acting_user=Actor.person(bob))
    with pytest.raises(Conflict, match="second person"):
        change_endpoint(endpoint, stage="lab", reason="an experiment", acting_user=actor)
    used = given(endpoint, ann, bob, kind="stage", stage="lab")
    change_endpoint(endpoint, stage="lab", reason="an experiment", acting_user=actor)
    with pytest.raises(Conflict, match="used, so there is nothing to take back"):
        revoke(used, reason="too late", acting_user=Actor.person(bob))


def test_the_database_lets_nothing_come_back_that_was_taken_back(
    endpoint: Endpoint, project: Project, ann: User, bob: User, approve: Approve
) -> None:
    rule: Any = RULE["rule"]
    rows = Consent.objects.filter(pk=given(endpoint, ann, bob, kind="rule", rule=rule).pk)
    now = timezone.now()
    with pytest.raises(IntegrityError, match="says why"), transaction.atomic():
        rows.update(state="revoked", revoked_by="bob", revoked_at=now)
    assert rows.update(state="revoked", revoked_by="bob", revoked_at=now, revocation="wrong") == 1
    for changes in ({"state": "given"}, {"state": "used"}, {"revocation": "", "state": "revoked"}):
        with pytest.raises(IntegrityError, match="does not become"), transaction.atomic():
            rows.update(**changes)


@pytest.mark.parametrize("role", ["live", "fallback", "node"])
def test_the_database_refuses_to_deploy_to_production_what_is_not_approved_or_no_more(
    endpoint: Endpoint, project: Project, ann: User, approve: Approve, role: str
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    version = version_of(project, 1)

    def write(kind: str = "deploy", stage: str = "production", as_role: str = role) -> None:
        number = Deployment.objects.count() + 1
        made = Deployment.objects.create(endpoint=endpoint, number=number, actor_name="a hand", kind=kind, stage=stage)
        DeploymentTarget.objects.create(deployment=made, model_version=version, role=as_role)

    def refused(**how: str) -> bool:
        try:
            with transaction.atomic():
                write(**how)
        except IntegrityError as error:
            return "not approved for production" in str(error)
        return False

    assert refused()
    assert refused(kind="step")
    assert [refused(stage="staging"), refused(kind="rollback"), refused(as_role="shadow")] == [False] * 3
    shadows = DeploymentTarget.objects.filter(role="shadow")
    with pytest.raises(IntegrityError, match="not approved"), transaction.atomic():
        shadows.update(role=role)
    approve(version)
    assert not refused()
    taken_back = Promotion.objects.get(version=version, stage="production")
    promotions.revoke(taken_back, reason="it counts wrongly", acting_user=Actor.person(ann))
    assert refused()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["consent", "approval"])
def test_whoever_takes_back_waits_for_a_deployment_that_is_being_written(
    endpoint: Endpoint, project: Project, ann: User, bob: User, cid: User, approve: Approve, which: str
) -> None:
    change_endpoint(endpoint, stage="production", acting_user=Actor.person(ann))
    version = version_of(project, 1)
    approve(version)
    rule: Any = RULE["rule"]
    consent = given(endpoint, bob, cid, kind="rule", rule=rule)
    order: list[str] = []

    def take_back() -> None:
        if which == "consent":
            revoke(consent, reason="wrong", acting_user=Actor.person(ann))
        else:
            promotion = Promotion.objects.get(version=version, stage="production")
            promotions.revoke(promotion, reason="wrong", acting_user=Actor.person(ann))
        order.append("taken back")
        connection.close()

    beside = Thread(target=take_back)
    with transaction.atomic():
        services.request_deployment(
            endpoint, targets=[TargetRequest(version)], fallback=RULE, reason="r", acting_user=Actor.person(bob)
        )
        beside.start()
        beside.join(1)
        order.append("deployed")
    beside.join(30)
    assert order == ["deployed", "taken back"]


def test_a_consent_is_taken_back_on_its_page(
    endpoint: Endpoint, ann: User, bob: User, cid: User, client: Client
) -> None:
    rule: Any = RULE["rule"]
    consent = given(endpoint, ann, bob, kind="rule", rule=rule)
    url, own = f"/consents/{consent.pk}/revoke/", f"/consents/{consent.pk}/"
    client.force_login(cid)
    assert url not in client.get(own).content.decode()
    assert client.post(url, {"reason": "no"}).status_code == 403
    client.force_login(bob)
    assert url in client.get(own).content.decode()
    assert "What serves now goes on" in client.get(url).content.decode()
    assert client.post(url, {"reason": ""}).status_code == 422
    page = client.post(url, {"reason": "<i>too strict</i>"}, follow=True).content.decode()
    assert "Taken back by" in page
    assert "&lt;i&gt;too strict" in page
    assert url not in page


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
