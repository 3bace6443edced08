"""Projects, members and variables over REST: denial first."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.audit.models import AuditEvent
from projects.models import Project, Variable
from projects.variables.giving import environment_of
from tests.projects.conftest import Cast

JSON = "application/json"


def _url(cast: Cast, rest: str = "") -> str:
    return f"/api/v1/projects/{cast.project.pk}/{rest}"


def _all(cast: Cast) -> str:
    return f"/api/v1/workspaces/{cast.workspace.pk}/projects/"


def _audited() -> int:
    return AuditEvent.objects.exclude(action__startswith="token.").count()


@pytest.mark.parametrize(
    ("method", "rest", "body", "least"),
    [
        ("patch", "", {"description": "x"}, "owner"),
        ("put", "members/bystander/", {"role": "viewer"}, "owner"),
        ("delete", "members/viewer/", {}, "owner"),
        ("put", "variables/REGION/", {"value": "north", "is_secret": False}, "contributor"),
        ("delete", "variables/KEY/", {}, "contributor"),
    ],
)
def test_writes_take_the_role(api: Any, cast: Cast, method: str, rest: str, body: Any, least: str) -> None:
    api(cast.owner).put(_url(cast, "variables/KEY/"), {"value": "v"}, content_type=JSON)
    refused = {"stranger": 404, "bystander": 404, "viewer": 403, "operator": 403, "auditor": 403}
    if least == "owner":
        refused["contributor"] = 403
    before = _audited()
    for who, status in refused.items():
        response = getattr(api(cast.person(who)), method)(_url(cast, rest), body, content_type=JSON)
        assert response.status_code == status, who
        assert response.json()["remedy"]
    assert _audited() == before
    response = getattr(api(cast.person(least)), method)(_url(cast, rest), body, content_type=JSON)
    assert response.status_code in (200, 204)
    assert _audited() == before + 1


def test_reads_are_for_members_and_auditors(api: Any, cast: Cast) -> None:
    paths = ["", "members/", "variables/", "tree/", "files/?path=train.py", "commits/", "manifest/"]
    for who, status in {"stranger": 404, "bystander": 404, "viewer": 200, "auditor": 200, "boss": 200}.items():
        client = api(cast.person(who))
        for path in paths:
            assert client.get(_url(cast, path)).status_code == status, (who, path)


def test_making_a_project_takes_membership_of_the_workspace(api: Any, cast: Cast) -> None:
    for who, status in {"stranger": 404, "auditor": 403, "bystander": 201}.items():
        response = api(cast.person(who)).post(_all(cast), {"name": "mine"}, content_type=JSON)
        assert response.status_code == status
    assert Project.objects.filter(name="mine").count() == 1
    url = f"/api/v1/projects/{response.json()['id']}/"
    assert api(cast.bystander).patch(url, {"description": "d"}, content_type=JSON).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "churn"}, 409, "name"),
        ({"name": "No Good"}, 422, "name"),
        ({}, 422, "name"),
        ({"name": "new", "prototype": "nothing"}, 404, "prototype"),
        ({"name": "new", "prototype": "../churn"}, 404, "prototype"),
    ],
)
def test_wrong_input_names_the_field(api: Any, cast: Cast, body: dict[str, Any], status: int, field: str) -> None:
    response = api(cast.owner).post(_all(cast), body, content_type=JSON)
    assert response.status_code == status
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert Project.objects.count() == 1


def test_a_project_from_a_prototype_holds_its_files_and_steps(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    made = client.post(_all(cast), {"name": "leavers", "prototype": "churn"}, content_type=JSON)
    assert made.status_code == 201
    assert made.json()["prototype"] == "churn"
    assert made.json()["description"]
    url = f"/api/v1/projects/{made.json()['id']}/"
    names = {entry["name"] for entry in client.get(f"{url}tree/").json()["entries"]}
    assert {"modelwright.yaml", "README.md", "requirements.txt", "ingest.py", "features.py", "train.py"} <= names
    steps = client.get(f"{url}manifest/").json()["steps"]
    assert [step["name"] for step in steps] == ["ingest", "features", "train", "serve"]
    event = AuditEvent.objects.get(action="project.created", target_name="leavers")
    assert event.after is not None
    assert event.after["commit"] == client.get(f"{url}commits/").json()["results"][0]["sha"]


def test_an_empty_project_begins_with_a_valid_manifest(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    made = client.post(_all(cast), {"name": "123"}, content_type=JSON).json()
    manifest = client.get(f"/api/v1/projects/{made['id']}/manifest/")
    assert manifest.status_code == 200
    assert manifest.json()["name"] == "123"
    assert manifest.json()["steps"] == []


def test_a_repeated_post_makes_one_project(api: Any, cast: Cast) -> None:
    client, headers = api(cast.owner), {"Idempotency-Key": "k"}
    first = client.post(_all(cast), {"name": "new"}, content_type=JSON, headers=headers)
    assert client.post(_all(cast), {"name": "new"}, content_type=JSON, headers=headers).json() == first.json()


def test_a_change_on_an_old_version_is_refused(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    tag = client.get(_url(cast))["ETag"]
    headers = {"If-Match": tag}
    assert client.patch(_url(cast), {"description": "1"}, content_type=JSON, headers=headers).status_code == 200
    assert client.patch(_url(cast), {"description": "2"}, content_type=JSON, headers=headers).status_code == 412


def test_only_members_of_the_workspace_can_be_added(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    assert client.put(_url(cast, "members/stranger/"), {"role": "viewer"}, content_type=JSON).status_code == 409
    assert client.put(_url(cast, "members/nobody/"), {"role": "viewer"}, content_type=JSON).status_code == 404
    assert client.put(_url(cast, "members/bystander/"), {"role": "king"}, content_type=JSON).status_code == 422
    assert client.put(_url(cast, "members/bystander/"), {"role": "viewer"}, content_type=JSON).status_code == 200
    assert api(cast.bystander).get(_url(cast)).status_code == 200
    assert client.delete(_url(cast, "members/bystander/")).status_code == 204
    assert client.delete(_url(cast, "members/bystander/")).status_code == 404
    assert api(cast.bystander).get(_url(cast)).status_code == 404


def test_a_secret_variable_reaches_runs_and_nobody_else(api: Any, cast: Cast) -> None:
    client = api(cast.contributor)
    made = client.put(_url(cast, "variables/API_KEY/"), {"value": "hunter2"}, content_type=JSON)
    assert made.json()["value"] is None
    client.put(_url(cast, "variables/REGION/"), {"value": "north", "is_secret": False}, content_type=JSON)
    listed = client.get(_url(cast, "variables/"))
    assert {v["name"]: v["value"] for v in listed.json()["results"]} == {"API_KEY": None, "REGION": "north"}
    assert b"hunter2" not in listed.content
    assert not Variable.objects.filter(value__contains="hunter2").exists()
    assert "hunter2" not in str(list(AuditEvent.objects.values()))
    assert environment_of(cast.project).variables == {"API_KEY": "hunter2", "REGION": "north"}


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "modelwright_x", "PATH", "LD_PRELOAD", "1ST", "A-B"])
def test_names_that_are_not_ones_own_are_refused(api: Any, cast: Cast, name: str) -> None:
    response = api(cast.owner).put(_url(cast, f"variables/{name}/"), {"value": "x"}, content_type=JSON)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "name"
    assert not Variable.objects.exists()


def test_the_catalogue_lists_each_prototype_with_its_report(api: Any, stranger: Any) -> None:
    found = {p["name"]: p for p in api(stranger).get("/api/v1/prototypes/").json()["results"]}
    assert set(found) >= {"churn", "iris"}
    for prototype in found.values():
        assert all(prototype["report"].values())
        assert prototype["readme"].startswith("# ")
        assert prototype["steps"]
