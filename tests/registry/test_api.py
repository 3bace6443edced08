"""REST of the registry: search over what one may see, versions, aliases, lineage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from lineage import names
from lineage.services import EdgeSpec, add
from models.registry.models import ModelAlias, ModelVersion, RegisteredModel
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from projects.models import Project, ProjectMembership
from tests.models_support import make_project

pytestmark = pytest.mark.django_db
Api = Callable[[User], Any]


def add_version(project: Project, name: str, number: int = 1, **changes: Any) -> ModelVersion:
    model, _ = RegisteredModel.objects.get_or_create(project=project, name=name)
    values = {"state": "ready", "source": "x", "algorithm_name": "LogisticRegression", **changes}
    version: ModelVersion = ModelVersion.objects.create(model=model, number=number, **values)
    return version


@pytest.fixture
def ann(make_user: Callable[..., User]) -> User:
    return make_user("ann")


@pytest.fixture
def project(ann: User) -> Project:
    return make_project("churn", ann="contributor")


def found(api: Api, user: User, **query: str) -> list[str]:
    answer = api(user).get("/api/v1/models/", query)
    assert answer.status_code == 200
    return [row["name"] for row in answer.json()["results"]]


def test_models_are_searched_over_all_visible_projects(
    api: Api, ann: User, project: Project, auditor: User, stranger: User
) -> None:
    add_version(project, "churn")
    add_version(project, "prices", algorithm_name="HistGradientBoostingRegressor")
    add_version(make_project("secret"), "hidden")
    assert found(api, ann) == ["prices", "churn"]
    assert found(api, ann, q="gradient") == ["prices"]
    assert found(api, ann, q="churn logistic") == ["churn"]
    assert found(api, ann, q="hidden") == []
    assert found(api, auditor, q="hidden") == ["hidden"]
    assert found(api, stranger) == []
    assert found(api, ann, project=str(project.pk)) == ["prices", "churn"]
    answer = api(ann).get("/api/v1/models/", {"project": "nonsense"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "project")


def test_versions_are_counted_and_listed_newest_first(api: Api, ann: User, project: Project) -> None:
    for number in (1, 2, 3):
        version = add_version(project, "churn", number)
    model = api(ann).get(f"/api/v1/models/{version.model_id}/").json()
    assert (model["versions"], model["latest_version"]) == (3, 3)
    rows = api(ann).get(f"/api/v1/models/{version.model_id}/versions/?limit=2").json()
    assert [row["number"] for row in rows["results"]] == [3, 2]
    assert rows["next"]


def test_a_version_shows_its_parts(api: Api, ann: User, project: Project, stranger: User) -> None:
    signature = {"inputs": [{"name": "tenure", "type": "long", "required": True}], "outputs": []}
    version = add_version(project, "churn", signature=signature, metrics={"auc": 0.8})
    body = api(ann).get(f"/api/v1/model-versions/{version.pk}/").json()
    assert body["signature"] == signature
    assert body["metrics"] == {"auc": 0.8}
    assert body["files"] == []
    assert api(stranger).get(f"/api/v1/model-versions/{version.pk}/").status_code == 404


def test_aliases_move_and_go(api: Api, ann: User, project: Project, make_user: Callable[..., User]) -> None:
    first, second = (add_version(project, "churn", number) for number in (1, 2))
    address = f"/api/v1/models/{first.model_id}/aliases/champion/"
    client = api(ann)
    for version in (first, second, second):
        answer = client.put(address, {"version": version.number}, content_type="application/json")
        assert answer.status_code == 200
    assert ModelAlias.objects.get().version == second
    assert AuditEvent.objects.filter(action=AuditAction.MODEL_ALIAS_SET).count() == 2
    wrong = client.put(address, {"version": 9}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "version")
    assert client.delete(address).status_code == 204
    assert not ModelAlias.objects.exists()


def test_an_alias_is_a_name_that_mlflow_reads(api: Api, ann: User, project: Project) -> None:
    version = add_version(project, "churn")
    for name, word in (
        ("a b", "letters"),
        ("<b>", "letters"),
        ("a\u202eb", "letters"),
        ("Latest", "MLflow"),
        ("v2", "MLflow"),
    ):
        address = f"/api/v1/models/{version.model_id}/aliases/{quote(name)}/"
        answer = api(ann).put(address, {"version": 1}, content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "alias"), name
        assert word in str(answer.json()["errors"][0])
    assert not ModelAlias.objects.exists()
    for name in ("champion", "sieger-ü_2"):
        address = f"/api/v1/models/{version.model_id}/aliases/{quote(name)}/"
        assert api(ann).put(address, {"version": 1}, content_type="application/json").status_code == 200


def test_viewers_set_no_alias(api: Api, project: Project, make_user: Callable[..., User]) -> None:
    version = add_version(project, "churn")
    bob = make_user("bob")
    make_project("mine", bob="admin")
    ProjectMembership.objects.create(
        project=project, user=bob, workspace_membership=bob.workspace_memberships.get(), role="viewer"
    )
    address = f"/api/v1/models/{version.model_id}/aliases/champion/"
    assert api(bob).put(address, {"version": 1}, content_type="application/json").status_code == 403


def test_lineage_is_cut_at_what_one_may_not_see(api: Api, ann: User, project: Project, auditor: User) -> None:
    version = add_version(project, "churn", manifest_digest="a" * 64)
    secret = make_project("secret")
    node = names.model_version(project.pk, version.pk, str(version), version.manifest_digest)
    run = names.run(project.pk, version.pk, "train #1")
    theirs = names.file(secret.pk, "data.csv", "b" * 64)
    ids = add(edges=[EdgeSpec(theirs, run, "read"), EdgeSpec(run, node, "trained")])
    address = f"/api/v1/model-versions/{version.pk}/lineage/"
    body = api(ann).get(address).json()
    assert {item["title"] for item in body["nodes"]} == {"train #1", "churn version 1"}
    assert len(api(auditor).get(address).json()["nodes"]) == 3
    assert api(ann).get(f"/api/v1/lineage/{ids[theirs]}/").status_code == 404
    assert api(ann).get(f"/api/v1/lineage/{ids[run]}/").status_code == 200


def test_only_failed_versions_are_tried_again(api: Api, ann: User, project: Project) -> None:
    version = add_version(project, "churn", state="failed")
    address = f"/api/v1/model-versions/{version.pk}/retries/"
    answer = api(ann).post(address, content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (202, "importing")
    assert api(ann).post(address, content_type="application/json").status_code == 409
