"""Data connections: strict configuration, secrets that never come back."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.audit.models import AuditEvent
from modelwright.core.crypto import decrypt
from modelwright.core.errors import ValidationFailed
from tests.workspaces.conftest import Cast
from workspaces.connection_kinds import KINDS, SECRETS, check_config
from workspaces.models import DataConnection

JSON = "application/json"
POSTGRES = {
    "name": "crm",
    "kind": "postgresql",
    "config": {"host": "db.example.org", "port": 5432, "database": "crm", "username": "reader"},
    "secret": "hunter2 hunter2",
}


def _url(cast: Cast, rest: str = "") -> str:
    return f"/api/v1/workspaces/{cast.workspace.pk}/data-connections/{rest}"


def test_a_secret_goes_in_and_never_comes_out(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    made = client.post(_url(cast), POSTGRES, content_type=JSON)
    assert made.status_code == 201
    assert made.json()["has_secret"] is True
    url = _url(cast, f"{made.json()['id']}/")
    answers = made.content + client.get(url).content + client.get(_url(cast)).content
    assert b"hunter2" not in answers
    row = DataConnection.objects.get()
    assert "hunter2" not in row.secret
    assert decrypt(row.secret) == "hunter2 hunter2"
    assert "hunter2" not in str(list(AuditEvent.objects.values()))


def test_a_change_keeps_the_secret_unless_one_is_given(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    made = client.post(_url(cast), POSTGRES, content_type=JSON)
    url = _url(cast, f"{made.json()['id']}/")
    kept = client.patch(url, {"description": "the CRM"}, content_type=JSON, headers={"If-Match": made["ETag"]})
    assert kept.json()["has_secret"] is True
    assert client.patch(url, {"secret": ""}, content_type=JSON).json()["has_secret"] is False
    late = client.patch(url, {"description": "x"}, content_type=JSON, headers={"If-Match": made["ETag"]})
    assert late.status_code == 412


@pytest.mark.parametrize(("who", "status"), [("stranger", 404), ("member", 403), ("auditor", 403)])
def test_changes_and_deletion_are_refused(api: Any, cast: Cast, who: str, status: int) -> None:
    made = api(cast.owner).post(_url(cast), POSTGRES, content_type=JSON).json()
    client, url = api(getattr(cast, who)), _url(cast, f"{made['id']}/")
    assert client.patch(url, {"secret": "mine"}, content_type=JSON).status_code == status
    assert client.delete(url).status_code == status
    assert DataConnection.objects.filter(pk=made["id"], revision=1).exists()
    assert client.get(url).status_code == (404 if who == "stranger" else 200)


def test_deleting_leaves_an_audit_row(api: Any, cast: Cast) -> None:
    client = api(cast.owner)
    made = client.post(_url(cast), POSTGRES, content_type=JSON).json()
    assert client.delete(_url(cast, f"{made['id']}/")).status_code == 204
    assert client.get(_url(cast, f"{made['id']}/")).status_code == 404
    assert AuditEvent.objects.get(action="connection.deleted").target_name == "crm"


def test_a_connection_of_another_workspace_is_not_found(api: Any, cast: Cast) -> None:
    made = api(cast.owner).post(_url(cast), POSTGRES, content_type=JSON).json()
    other = api(cast.admin).post("/api/v1/workspaces/", {"name": "other"}, content_type=JSON).json()
    elsewhere = f"/api/v1/workspaces/{other['id']}/data-connections/{made['id']}/"
    assert api(cast.admin).get(elsewhere).status_code == 404


def test_directories_of_the_hosts_take_a_site_administrator(api: Any, cast: Cast) -> None:
    body = {"name": "share", "kind": "directory", "config": {"path": "/srv/data"}}
    assert api(cast.owner).post(_url(cast), body, content_type=JSON).status_code == 403
    assert api(cast.admin).post(_url(cast), body, content_type=JSON).status_code == 201


@pytest.mark.parametrize(
    ("kind", "config", "field"),
    [
        ("postgresql", {"host": "h", "database": "d"}, "config.username"),
        ("postgresql", {"host": "h", "database": "d", "username": "u", "password": "p"}, "config.password"),
        ("postgresql", {"host": "h", "database": "d", "username": "u", "port": 70000}, "config.port"),
        ("postgresql", {"host": "h h", "database": "d", "username": "u"}, "config.host"),
        ("http", {"url": "https://user:pass@example.org/"}, "config.url"),
        ("http", {"url": "file:///etc/passwd"}, "config.url"),
        ("http", {"url": "https://example.org/\n"}, "config.url"),
        ("directory", {"path": "relative"}, "config.path"),
        ("directory", {"path": "/srv/../etc"}, "config.path"),
        ("directory", {"path": "/srv/\x00"}, "config.path"),
        ("s3", {"bucket": "UPPER"}, "config.bucket"),
        ("s3", {"bucket": "b" * 10, "secret_access_key": "x"}, "config.secret_access_key"),
        ("ftp", {}, "kind"),
    ],
)
def test_wrong_configuration_names_the_entry(kind: str, config: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as failed:
        check_config(kind, config)
    assert [error.field for error in failed.value.errors] == [field]
    assert failed.value.errors[0].remedy


def test_every_kind_is_described() -> None:
    assert set(KINDS) == set(SECRETS) == set(DataConnection.Kind.values)


@pytest.mark.parametrize("value", [True, 1.5, [5432], {"a": 1}, 1e400, None, 10**400])
def test_a_port_is_a_number_or_a_text(api: Any, cast: Cast, value: Any) -> None:
    config = {**POSTGRES["config"], "port": value}  # type: ignore[dict-item]
    response = api(cast.owner).post(_url(cast), {**POSTGRES, "config": config}, content_type=JSON)
    assert response.status_code in (400, 422)


def test_a_kind_without_a_secret_refuses_one(api: Any, cast: Cast) -> None:
    body = {"name": "share", "kind": "directory", "config": {"path": "/srv/data"}, "secret": "x"}
    response = api(cast.admin).post(_url(cast), body, content_type=JSON)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "secret"
