"""Audit rows and the chain over REST."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.audit.sealing import seal

URL = "/api/v1/audit-events/"


@pytest.mark.parametrize("path", [URL, "/api/v1/audit-chain/"])
def test_only_auditors_and_administrators_may_read(api: Any, stranger: User, auditor: User, path: str) -> None:
    assert api(stranger).get(path).status_code == 403
    assert api(auditor).get(path).status_code == 200


def test_rows_are_filtered_and_complete(api: Any, auditor: User) -> None:
    rows = api(auditor).get(f"{URL}?action=user.created&q=auditor").json()["results"]
    assert [row["target_name"] for row in rows] == ["auditor"]
    assert rows[0]["after"]["is_auditor"] is True


def test_one_row(api: Any, auditor: User, stranger: User) -> None:
    event = AuditEvent.objects.filter(action="user.created").latest("id")
    assert api(auditor).get(f"{URL}{event.pk}/").json()["action"] == "user.created"
    assert api(stranger).get(f"{URL}{event.pk}/").status_code == 403


@pytest.mark.parametrize("query", ["since=yesterday", "project_id=x", "q=%00", "limit=0"])
def test_wrong_filter_is_422(api: Any, auditor: User, query: str) -> None:
    response = api(auditor).get(f"{URL}?{query}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


def test_no_write(api: Any, admin: User) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(api(admin), method)(URL).status_code == 405


def test_chain_is_verified_on_request_only(api: Any, auditor: User) -> None:
    client = api(auditor)
    waiting = client.get("/api/v1/audit-chain/").json()
    assert (waiting["length"], waiting["verified"]) == (0, None)
    seal()
    body = client.get("/api/v1/audit-chain/?verify=true").json()
    assert body["length"] == AuditEvent.objects.count()
    assert (body["unsealed"], body["verified"], body["fault"]) == (0, True, "")
    assert client.get("/api/v1/audit-chain/?verify=perhaps").status_code == 422
