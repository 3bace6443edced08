"""What administrators change of an endpoint, and what the gateway is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from models.endpoints import routes, services
from models.endpoints.changing import change_endpoint, columns_of
from models.endpoints.models import Deployment, Endpoint
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core.errors import PermissionRefused, ValidationFailed
from projects.models import Project, ProjectMembership
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
SIGNATURE = {"inputs": [{"name": "name", "type": "string"}, {"name": "age", "type": "long"}], "outputs": []}


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    return make_user("ann")


@pytest.fixture
def project(ann: User) -> Project:
    return make_project("wine", ann="admin")


@pytest.fixture
def endpoint(project: Project, ann: User) -> Endpoint:
    """One whose first deployment is taken for live."""
    made = services.create_endpoint(project=project, name="wine", acting_user=Actor.person(ann))
    model = RegisteredModel.objects.create(project=project, name="wine")
    version = ModelVersion.objects.create(model=model, number=1, state="ready", source="x", signature=SIGNATURE)
    deployment = services.deploy(made, model_version=version, acting_user=Actor.person(ann))
    Deployment.objects.filter(pk=deployment.pk).update(state="live")
    made.refresh_from_db()
    return made


def test_a_change_is_audited_once_and_reaches_the_route_table(endpoint: Endpoint, ann: User) -> None:
    wanted: dict[str, Any] = {"retention_days": 30, "redacted_columns": ["name", "name", "old"], "description": ""}
    for _ in range(2):
        changed = change_endpoint(endpoint, **wanted, reason="the law", acting_user=Actor.person(ann))
    assert changed.redacted_columns == ["name", "old"]
    event = AuditEvent.objects.get(action="endpoint.changed")
    assert event.before == {"retention_days": None, "redacted_columns": []}
    assert event.after == {"retention_days": 30, "redacted_columns": ["name", "old"]}
    assert event.reason == "the law"
    assert columns_of(changed) == ["name", "age", "old"]
    assert routes.entry(changed, Deployment.objects.get(), {}, {})["redact"] == ["name", "old"]


def test_redaction_does_not_wait_for_a_host_in_trouble(endpoint: Endpoint, ann: User) -> None:
    changed = change_endpoint(endpoint, redacted_columns=["age"], acting_user=Actor.person(ann))
    targets = [{"version": 1, "example": {"name": "ann", "age": 41}}]
    kept = routes.kept(changed, {endpoint.path: {"redact": [], "keys": {}, "targets": targets}})
    assert kept == {"redact": ["age"], "keys": {}, "targets": [{"version": 1, "example": {"name": "ann"}}]}
    assert routes.kept(changed, {}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"retention_days": 0},
        {"retention_days": 10**9},
        {"serving_path": "quick"},
        {"redacted_columns": [str(number) for number in range(2000)]},
        {"name": "other"},
    ],
)
def test_what_cannot_be_is_said(endpoint: Endpoint, ann: User, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        change_endpoint(endpoint, **wrong, acting_user=Actor.person(ann))
    assert not AuditEvent.objects.filter(action="endpoint.changed").exists()


def test_only_administrators_change_it(endpoint: Endpoint, make_user: Callable[..., User]) -> None:
    bob = make_user("bob")
    make_project("other", bob="contributor")
    membership = ProjectMembership.objects.get(user=bob)
    membership.project = endpoint.project
    membership.save()
    with pytest.raises(PermissionRefused):
        change_endpoint(endpoint, retention_days=1, acting_user=Actor.person(bob))


def test_by_rest_and_on_the_page(
    endpoint: Endpoint, ann: User, api: Callable[[User], Any], browser_client: Callable[[User], Client]
) -> None:
    address = f"/api/v1/endpoints/{endpoint.pk}/"
    body = api(ann).patch(address, {"redacted_columns": ["age"]}, content_type="application/json").json()
    assert (body["redacted_columns"], body["retention_days"], body["serving_path"]) == (["age"], None, "auto")
    assert api(ann).patch(address, {"retention_days": -1}, content_type="application/json").status_code == 422

    client, page = browser_client(ann), f"/endpoints/{endpoint.pk}/settings/"
    assert client.get(page).content.decode().count(" checked") == 1
    sent = {
        "description": "d",
        "stage": "lab",
        "serving_path": "original",
        "retention_days": "7",
        "redacted_columns": ["0", "1"],
    }
    assert client.post(page, sent).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.redacted_columns, endpoint.retention_days) == (["age", "name"], 7)
    shown = client.get(f"/endpoints/{endpoint.pk}/").content.decode()
    assert "deleted after 7 days" in shown
    assert client.post(page, {**sent, "retention_days": "0"}).status_code == 422
