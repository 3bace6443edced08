"""People and tokens over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from modelwright.accounts.models import ApiToken, User
from modelwright.audit.models import AuditEvent

JSON = "application/json"


def test_no_token_is_401_with_remedy(db: None) -> None:
    response = Client().get("/api/v1/me/")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert "Authorization: Bearer" in response.json()["remedy"]


def test_wrong_token_is_401(db: None) -> None:
    assert Client(headers={"Authorization": "Bearer mwt_wrong"}).get("/api/v1/me/").status_code == 401


def test_me(api: Any, stranger: User) -> None:
    assert api(stranger).get("/api/v1/me/").json()["username"] == "stranger"


def test_token_is_shown_once_and_hashed(api: Any, stranger: User) -> None:
    client = api(stranger)
    made = client.post("/api/v1/tokens/", {"name": "ci"}, content_type=JSON)
    assert made.status_code == 201
    text = made.json()["token"]
    assert text.startswith("mwt_")
    assert not ApiToken.objects.filter(digest=text).exists()
    listed = client.get("/api/v1/tokens/").json()["results"]
    assert all("token" not in row for row in listed)
    assert Client(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/me/").status_code == 200


def test_revoked_token_is_refused(api: Any, stranger: User) -> None:
    client = api(stranger)
    made = client.post("/api/v1/tokens/", {"name": "ci"}, content_type=JSON).json()
    assert client.delete(f"/api/v1/tokens/{made['id']}/").status_code == 204
    assert Client(headers={"Authorization": f"Bearer {made['token']}"}).get("/api/v1/me/").status_code == 401
    assert AuditEvent.objects.filter(action="token.revoked", actor_name="stranger").count() == 1


def test_expired_token_is_refused(api: Any, stranger: User) -> None:
    client = api(stranger)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/api/v1/me/").status_code == 401


def test_read_token_cannot_write(api: Any, stranger: User) -> None:
    client = api(stranger, scope="read")
    assert client.get("/api/v1/me/").status_code == 200
    assert client.post("/api/v1/tokens/", {"name": "x"}, content_type=JSON).status_code == 403


def test_stranger_cannot_add_people(api: Any, stranger: User) -> None:
    body = {"username": "eve", "password": "a long enough password 1"}
    response = api(stranger).post("/api/v1/users/", body, content_type=JSON)
    assert response.status_code == 403
    assert response.json()["remedy"]
    assert not User.objects.filter(username="eve").exists()


def test_admin_adds_a_person_and_it_is_audited(api: Any, admin: User) -> None:
    body = {"username": "ann", "password": "a long enough password 1", "is_auditor": True}
    assert api(admin).post("/api/v1/users/", body, content_type=JSON).status_code == 201
    event = AuditEvent.objects.get(action="user.created", target_name="ann")
    assert event.actor_name == "admin"
    assert event.after is not None
    assert event.after["is_auditor"] is True
    assert "password" not in str(event.after)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "Not Valid", "password": "a long enough password 1"}, "username"),
        ({"username": "ann", "password": "short"}, "password"),
        ({"password": "a long enough password 1"}, "username"),
        ({"username": "admin", "password": "a long enough password 1"}, "username"),
    ],
)
def test_wrong_input_names_the_field(api: Any, admin: User, body: dict[str, str], field: str) -> None:
    response = api(admin).post("/api/v1/users/", body, content_type=JSON)
    assert response.status_code in (409, 422)
    assert [e["field"] for e in response.json()["errors"]] == [field]


def test_last_administrator_stays(api: Any, admin: User) -> None:
    response = api(admin).patch(f"/api/v1/users/{admin.pk}/", {"is_site_admin": False}, content_type=JSON)
    assert response.status_code == 409
    assert User.objects.get(pk=admin.pk).is_site_admin


def test_people_see_only_themselves(api: Any, admin: User, stranger: User) -> None:
    client = api(stranger)
    assert [u["username"] for u in client.get("/api/v1/users/").json()["results"]] == ["stranger"]
    assert client.get(f"/api/v1/users/{admin.pk}/").status_code == 404


def test_idempotency_key_repeats_the_first_answer(api: Any, stranger: User) -> None:
    client = api(stranger)
    first = client.post("/api/v1/tokens/", {"name": "k"}, content_type=JSON, headers={"Idempotency-Key": "abc"})
    again = client.post("/api/v1/tokens/", {"name": "k"}, content_type=JSON, headers={"Idempotency-Key": "abc"})
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again["Idempotent-Replay"] == "true"
    assert ApiToken.objects.filter(name="k").count() == 1
    other = client.post("/api/v1/tokens/", {"name": "z"}, content_type=JSON, headers={"Idempotency-Key": "abc"})
    assert other.status_code == 409


def test_malformed_json_is_400(api: Any, stranger: User) -> None:
    response = api(stranger).post("/api/v1/tokens/", "{", content_type=JSON)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_pages_follow_cursors_both_ways(api: Any, admin: User, make_user: Any) -> None:
    for index in range(5):
        make_user(f"p{index}")
    client = api(admin)
    first = client.get("/api/v1/users/?limit=4").json()
    assert len(first["results"]) == 4
    assert first["previous"] is None
    second = client.get(first["next"]).json()
    assert len(second["results"]) == 2
    assert second["next"] is None
    back = client.get(second["previous"]).json()
    assert back["results"] == first["results"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=501", "cursor=zzz", "cursor=before:1"])
def test_wrong_paging_is_refused(api: Any, stranger: User, query: str) -> None:
    assert api(stranger).get(f"/api/v1/users/?{query}").status_code == 422
