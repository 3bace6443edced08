"""Workspaces and their members over REST: denial first."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from tests.workspaces.conftest import Cast
from workspaces.models import Membership, Workspace

JSON = "application/json"
ALL = "/api/v1/workspaces/"


def _url(cast: Cast, rest: str = "") -> str:
    return f"{ALL}{cast.workspace.pk}/{rest}"


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("patch", "", {"description": "x"}),
        ("put", "members/stranger/", {"role": "member"}),
        ("delete", "members/max/", None),
        ("post", "data-connections/", {"name": "web", "kind": "http", "config": {"url": "https://example.org"}}),
    ],
)
@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("member", 403), ("auditor", 403)])
def test_writes_are_refused(api: Any, cast: Cast, method: str, rest: str, body: Any, who: str, status: int) -> None:
    before = AuditEvent.objects.exclude(action__startswith="token.").count()
    response = getattr(api(getattr(cast, who)), method)(_url(cast, rest), body or {}, content_type=JSON)
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["remedy"]
    assert AuditEvent.objects.exclude(action__startswith="token.").count() == before


def test_only_site_administrators_make_workspaces(api: Any, cast: Cast) -> None:
    for user in (cast.owner, cast.auditor, cast.stranger):
        assert api(user).post(ALL, {"name": "new"}, content_type=JSON).status_code == 403
    made = api(cast.admin).post(ALL, {"name": "new", "cpu_limit": 4}, content_type=JSON)
    assert made.status_code == 201
    assert made.json()["cpu_limit"] == 4
    assert Membership.objects.get(workspace_id=made.json()["id"]).user == cast.admin
    event = AuditEvent.objects.get(action="workspace.created", target_name="new")
    assert event.actor_role == "site admin"
    assert str(event.workspace_id) == made.json()["id"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "lab"}, 409, "name"),
        ({"name": "Not Valid"}, 422, "name"),
        ({}, 422, "name"),
        ({"name": "x", "cpu_limit": 0}, 422, "cpu_limit"),
        ({"name": "x", "memory_limit_mib": 10**12}, 422, "memory_limit_mib"),
        ({"name": "x", "gpu_limit": -1}, 422, "gpu_limit"),
        ({"name": "x", "profiles": ["no-such-size"]}, 422, "profiles"),
        ({"name": "x", "host_labels": {"not a label": "x"}}, 422, "host_labels"),
        ({"name": "x", "concurrent_runs_limit": "many"}, 422, "concurrent_runs_limit"),
        ({"name": "x", "concurrent_runs_limit": 10**400}, 422, "concurrent_runs_limit"),
    ],
)
def test_wrong_input_names_the_field(api: Any, cast: Cast, body: dict[str, Any], status: int, field: str) -> None:
    response = api(cast.admin).post(ALL, body, content_type=JSON)
    assert response.status_code == status
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_a_number_beyond_all_bounds_is_no_fault_of_ours(api: Any, cast: Cast) -> None:
    for field in ("cpu_limit", "memory_limit_mib"):
        response = api(cast.admin).post(ALL, f'{{"name": "x", "{field}": 1e400}}', content_type=JSON)
        assert response.status_code in (400, 422)


def test_a_repeated_post_makes_one_workspace(api: Any, cast: Cast) -> None:
    client = api(cast.admin)
    headers = {"Idempotency-Key": "k1"}
    first = client.post(ALL, {"name": "new"}, content_type=JSON, headers=headers)
    again = client.post(ALL, {"name": "new"}, content_type=JSON, headers=headers)
    assert again.json() == first.json()
    assert Workspace.objects.filter(name="new").count() == 1


def test_lists_show_what_one_may_see(api: Any, cast: Cast) -> None:
    api(cast.admin).post(ALL, {"name": "other"}, content_type=JSON)
    seen = {user: {w["name"] for w in api(user).get(ALL).json()["results"]} for user in (cast.member, cast.auditor)}
    assert seen[cast.member] == {"lab"}
    assert seen[cast.auditor] == {"lab", "other"}
    assert api(cast.stranger).get(ALL).json()["results"] == []


def test_a_change_on_an_old_version_is_refused(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    tag = client.get(_url(cast))["ETag"]
    first = client.patch(_url(cast), {"description": "one"}, content_type=JSON, headers={"If-Match": tag})
    assert first.status_code == 200
    assert first["ETag"] != tag
    late = client.patch(_url(cast), {"description": "two"}, content_type=JSON, headers={"If-Match": tag})
    assert late.status_code == 412
    assert client.get(_url(cast)).json()["description"] == "one"
    wrong = client.patch(_url(cast), {"description": "x"}, content_type=JSON, headers={"If-Match": "zzz"})
    assert wrong.status_code == 422


def test_limits_are_for_site_administrators(api: Any, cast: Cast) -> None:
    assert api(cast.owner).patch(_url(cast), {"cpu_limit": 64}, content_type=JSON).status_code == 403
    assert api(cast.owner).patch(_url(cast), {"cpu_limit": None}, content_type=JSON).status_code == 200
    assert api(cast.admin).patch(_url(cast), {"cpu_limit": 64}, content_type=JSON).status_code == 200
    assert api(cast.owner).patch(_url(cast), {"cpu_limit": None}, content_type=JSON).status_code == 403
    event = AuditEvent.objects.get(action="workspace.changed")
    assert event.before is not None
    assert event.after is not None
    assert (event.before["cpu_limit"], event.after["cpu_limit"]) == (None, 64)


def test_an_administrator_adds_changes_and_removes_a_member(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    url = _url(cast, "members/stranger/")
    assert client.put(url, {"role": "emperor"}, content_type=JSON).status_code == 422
    assert client.put(url, {"role": "member"}, content_type=JSON).json()["role"] == "member"
    assert client.put(url, {"role": "member"}, content_type=JSON).status_code == 200
    assert api(cast.stranger).get(_url(cast)).status_code == 200
    names = {m["username"] for m in client.get(_url(cast, "members/")).json()["results"]}
    assert names == {"olga", "max", "stranger"}
    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == 404
    assert api(cast.stranger).get(_url(cast)).status_code == 404
    actions = AuditEvent.objects.filter(actor_name="olga", target_name="stranger").order_by("id")
    assert [e.action for e in actions] == ["workspace.member-set", "workspace.member-removed"]
    assert {e.actor_role for e in actions} == {"workspace admin"}


def test_an_unknown_person_cannot_be_added(api: Any, cast: Cast, make_user: Any) -> None:
    response = api(cast.owner).put(_url(cast, "members/nobody/"), {"role": "member"}, content_type=JSON)
    assert response.status_code == 404
    gone: User = make_user("gone")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    assert api(cast.owner).put(_url(cast, "members/gone/"), {"role": "member"}, content_type=JSON).status_code == 404
