"""REST of endpoints: what a script does from making an endpoint to rolling back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.endpoints import selectors, transitions
from models.endpoints.models import Deployment, Endpoint
from models.registry.models import ModelVersion, RegisteredModel
from modelwright.accounts.models import User
from modelwright.core.ids import new_id
from projects.models import Project

pytestmark = pytest.mark.django_db
Api = Callable[[User], Any]


@pytest.fixture
def client(api: Api, ann: User) -> Any:
    return api(ann)


@pytest.fixture
def versions(project: Project) -> list[ModelVersion]:
    model = RegisteredModel.objects.create(project=project, name="wine")
    return [ModelVersion.objects.create(model=model, number=n, state="ready", source="x") for n in (1, 2)]


def post(client: Any, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type="application/json")


def make_live(deployment_id: str) -> None:
    deployment = Deployment.objects.get(pk=deployment_id)
    live = selectors.live_deployment(deployment.endpoint)
    if live is not None:
        transitions.supersede(live)
    transitions.start(deployment)
    assert transitions.go_live(deployment)


def test_from_an_endpoint_to_a_rollback(client: Any, project: Project, versions: list[ModelVersion]) -> None:
    made = post(client, f"projects/{project.pk}/endpoints/", name="wine")
    assert made.status_code == 201
    endpoint = made.json()
    assert endpoint["url"].endswith("/acme/wine/predict")
    assert endpoint["live"] is None
    for version in versions:
        answer = post(client, f"endpoints/{endpoint['id']}/deployments/", model_version=str(version.pk))
        assert (answer.status_code, answer.json()["state"]) == (201, "pending")
        make_live(answer.json()["id"])
    refused = post(client, f"endpoints/{endpoint['id']}/rollbacks/", reason="")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "reason")
    back = post(client, f"endpoints/{endpoint['id']}/rollbacks/", reason="it is worse").json()
    assert (back["kind"], back["repeats"], back["targets"][0]["version"]) == ("rollback", 1, 1)
    shown = client.get(f"/api/v1/endpoints/{endpoint['id']}/").json()
    assert (shown["live"]["number"], shown["under_way"]["number"]) == (2, 3)
    assert client.get(f"/api/v1/deployments/{back['id']}/").json()["reason"] == "it is worse"
    rows = client.get(f"/api/v1/endpoints/{endpoint['id']}/deployments/").json()["results"]
    assert [row["number"] for row in rows] == [3, 2, 1]
    assert post(client, f"endpoints/{endpoint['id']}/stop/").json()["state"] == "stopped"


def test_a_key_is_shown_once(client: Any, project: Project) -> None:
    endpoint = post(client, f"projects/{project.pk}/endpoints/", name="wine").json()
    made = post(client, f"endpoints/{endpoint['id']}/keys/", name="shop")
    assert made.status_code == 201
    assert made.json()["key"].startswith("mwk_")
    listed = client.get(f"/api/v1/endpoints/{endpoint['id']}/keys/").json()["results"]
    assert [(row["name"], "key" in row) for row in listed] == [("shop", False)]
    address = f"/api/v1/endpoints/{endpoint['id']}/keys/{made.json()['id']}/"
    assert client.delete(address).status_code == 204
    assert client.get(f"/api/v1/endpoints/{endpoint['id']}/keys/").json()["results"][0]["revoked_at"]


def test_what_does_not_exist_is_named(client: Any, project: Project) -> None:
    endpoint = post(client, f"projects/{project.pk}/endpoints/", name="wine").json()
    wrong = post(client, f"endpoints/{endpoint['id']}/deployments/", model_version=str(new_id()))
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "model_version")
    wrong = post(client, f"endpoints/{endpoint['id']}/rollbacks/", reason="why", deployment=str(new_id()))
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "deployment")
    assert post(client, f"endpoints/{endpoint['id']}/rollbacks/", reason="why").status_code == 409
    assert client.get(f"/api/v1/deployments/{new_id()}/").status_code == 404


def test_repeating_a_deployment_request_with_its_key_makes_one(
    client: Any, project: Project, versions: list[ModelVersion]
) -> None:
    endpoint = post(client, f"projects/{project.pk}/endpoints/", name="wine").json()
    for _ in range(2):
        answer = client.post(
            f"/api/v1/endpoints/{endpoint['id']}/deployments/",
            {"model_version": str(versions[0].pk)},
            content_type="application/json",
            headers={"Idempotency-Key": "once"},
        )
        assert answer.status_code == 201
    assert Deployment.objects.count() == 1


def test_strangers_see_nothing(api: Api, client: Any, project: Project, stranger: User) -> None:
    endpoint = post(client, f"projects/{project.pk}/endpoints/", name="wine").json()
    theirs = api(stranger)
    for path in ("", "deployments/", "keys/", "predictions/", "replicas/"):
        assert theirs.get(f"/api/v1/endpoints/{endpoint['id']}/{path}").status_code == 404
    assert theirs.get("/api/v1/endpoints/").json()["results"] == []
    assert Endpoint.objects.count() == 1
